"""CPU as percent of one core where the promise speaks of the limit."""

from collections.abc import Iterator

from slo.model import Unit
from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.subjects import subject
from slo.runbook.promql import Binary, Node, kind, number, selectors, walk

_SECONDS = ("container_cpu_usage_seconds_total", "process_cpu_seconds_total")


def check(context: Context) -> Iterator[Problem]:
    promised = [
        (f"{o.title}, line {o.source.line}", o)
        for o in context.runbook.objectives
        if subject(o.title) == "cpu" and o.unit is Unit.RATIO
    ]
    scaled = [
        f"{r.metric}, line {r.source.line}"
        for r in context.runbook.scaling
        if subject(r.metric) == "cpu" and r.up.unit is Unit.RATIO
    ]
    spoken = [name for name, _ in promised] + scaled
    for expression in context.expressions:
        tree = expression.tree
        if tree is None or not _of_one_core(tree):
            continue
        as_percent = kind(tree) == "percent" or "percent" in expression.words
        if not as_percent and not (spoken and subject(expression.title) == "cpu"):
            continue
        limit = f" that the threshold speaks of ({spoken[0]})" if spoken else ""
        yield Problem(
            line=expression.line,
            message=f"{expression.quoted} is percent of one core, not of the limit{limit}: with a"
            " limit of 2 cores it reaches 200 %",
            suggestion="divide by the limit: sum by (namespace, pod, container) (rate(…[5m])) / max"
            ' by (namespace, pod, container) (kube_pod_container_resource_limits{resource="cpu"})',
            level=None if spoken else Level.WARNING,
        )


def _of_one_core(tree: Node) -> bool:
    """CPU seconds per second that nothing but numbers divide."""
    used = [s for s in selectors(tree) if s.name in _SECONDS and s.range_s]
    return bool(used) and not any(_divides(n) for n in walk(tree)) and len(selectors(tree)) == 1


def _divides(node: Node) -> bool:
    return isinstance(node, Binary) and node.op == "/" and number(node.right) is None


RULE = Rule(
    id="cpu-of-one-core",
    level=Level.ERROR,
    title="CPU is percent of one core, not of the limit",
    why="A threshold of 85 % is passed at less than half of a limit of 2 cores, and never by a"
    " container that is throttled at a limit of half a core.",
    check=check,
)
