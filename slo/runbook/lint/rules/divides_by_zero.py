"""A division by a series that is 0 when nothing is set."""

from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.promql import Binary, Call, Node, Selector, number, selectors, walk

# cAdvisor writes 0 where a container has no limit.
ZERO_WHEN_UNSET = {
    "container_spec_memory_limit_bytes": "a container without a memory limit",
    "container_spec_memory_swap_limit_bytes": "a container without a swap limit",
    "container_spec_memory_reservation_limit_bytes": "a container without a reservation",
    "container_fs_limit_bytes": "a container whose file system has no limit",
}
_AFTER = frozenset((">", "!=", "=="))


def check(context: Context) -> Iterator[Problem]:
    for expression in context.expressions:
        guarded = _guarded(expression.tree) if expression.tree else set()
        for node in walk(expression.tree) if expression.tree else ():
            if not isinstance(node, Binary) or node.op not in {"/", "%"}:
                continue
            for selector in _unguarded(node.right):
                if selector.name in guarded:
                    continue
                if (who := ZERO_WHEN_UNSET.get(selector.name)) is not None:
                    yield Problem(
                        line=expression.line,
                        message=f"{expression.quoted} divides by {selector.name}, which is 0 for"
                        f" {who}: the result is +Inf",
                        suggestion=f"leave those out: / ({selector.name} > 0)",
                    )


def _guarded(tree: Node) -> set[str]:
    """The metrics that `… and LIMIT > 0` asks to be set."""
    found: set[str] = set()
    for node in walk(tree):
        if isinstance(node, Binary) and node.op == "and":
            for side in (node.left, node.right):
                if isinstance(side, Binary) and side.op in {">", "!="} and number(side.right) == 0:
                    found |= {s.name for s in selectors(side.left)}
    return found


def _unguarded(node: Node) -> list[Selector]:
    """The selectors of the denominator that no comparison with a number filters."""
    if isinstance(node, Binary) and node.op in _AFTER and number(node.right) is not None:
        return []
    if isinstance(node, Call) and node.function == "clamp_min":
        return []
    if isinstance(node, Selector):
        return [node]
    if isinstance(node, Binary):
        return _unguarded(node.left) + _unguarded(node.right)
    inner = getattr(node, "of", None)
    if inner is not None:
        return _unguarded(inner)
    return [s for a in getattr(node, "args", ()) for s in selectors(a)]


RULE = Rule(
    id="divides-by-zero",
    level=Level.ERROR,
    title="A division by a limit that may be 0",
    why="+Inf is above every threshold: a container that nobody limited raises the alert for ever,"
    " and bends the scale of every graph.",
    check=check,
)
