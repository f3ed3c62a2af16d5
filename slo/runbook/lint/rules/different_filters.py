"""A division whose two sides are filtered by different labels."""

from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.promql import Binary, Matcher, labels, selectors, walk

# Labels that every series of a target carries, so that both sides have them.
SHARED = frozenset(
    [
        "namespace",
        "job",
        "cluster",
        "instance",
        "pod",
        "container",
        "service",
        "node",
        "app",
        "deployment",
        "environment",
    ]
)


def check(context: Context) -> Iterator[Problem]:
    for expression in context.expressions:
        for node in walk(expression.tree) if expression.tree else ():
            if isinstance(node, Binary) and node.op in {"/", "-"} and (uneven := _uneven(node)):
                names = ", ".join(f'{m.name}{m.op}"{m.value}"' for m in uneven)
                summed = any(not labels(node).keeps(m.name) for m in uneven)
                yield Problem(
                    line=expression.line,
                    message=f"{expression.quoted} filters one side of the division alone ({names}):"
                    " its two sides carry different label filters"
                    + (", and count different things" if summed else ""),
                    suggestion=f"put {{{names}}} on both sides",
                )


def _uneven(node: Binary) -> list[Matcher]:
    """Filters that one side has and the other has not, where that can matter."""
    over, under = selectors(node.left), selectors(node.right)
    if len(over) != 1 or len(under) != 1 or node.on is not None:
        return []  # matched on labels that are named, each series has its own partner
    sides = [
        {m for m in s.matchers if m.name in SHARED and m.op[0] == "="} for s in (*over, *under)
    ]
    names = [{m.name for m in side} for side in sides]
    plain = labels(node.left).only is None and labels(node.right).only is None
    # Summed by the label it still pairs each with its own: nothing is mixed.
    return sorted(
        (m for m in sides[0] ^ sides[1] if m.name in names[0] ^ names[1])
        if plain
        else (
            m
            for m in sides[0] ^ sides[1]
            if m.name in names[0] ^ names[1] and not labels(node).keeps(m.name)
        ),
        key=lambda m: (m.name, m.value),
    )


RULE = Rule(
    id="different-filters",
    level=Level.NOTE,
    title="The two sides of a division carry different label filters",
    why="Summed, the sides count different things; matched one by one, all series of the unfiltered"
    " side are read, and a reader cannot tell which of them are meant.",
    check=check,
)
