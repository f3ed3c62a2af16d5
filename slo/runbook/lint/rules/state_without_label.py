"""A metric with one series for each state, asked without saying which."""

from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.promql import Binary, Node, Selector, comparisons, threshold

# kube-state-metrics: exactly one of the states of each object is 1, the others are 0.
STATE_LABEL = {
    "kube_pod_status_ready": ("condition", "true"),
    "kube_pod_status_scheduled": ("condition", "true"),
    "kube_pod_status_phase": ("phase", "Running"),
    "kube_node_status_condition": ("condition", "Ready"),
    "kube_namespace_status_phase": ("phase", "Active"),
    "kube_persistentvolume_status_phase": ("phase", "Bound"),
    "kube_persistentvolumeclaim_status_phase": ("phase", "Bound"),
    "kube_deployment_status_condition": ("condition", "Available"),
    "kube_job_complete": ("condition", "true"),
    "kube_job_failed": ("condition", "true"),
    "kube_horizontalpodautoscaler_status_condition": ("condition", "ScalingActive"),
}


def check(context: Context) -> Iterator[Problem]:
    for expression in context.expressions:
        for comparison in comparisons(expression.tree) if expression.tree else ():
            found = threshold(comparison)
            selector = _plain(found[0]) if found else None
            if found is None or selector is None or selector.name not in STATE_LABEL:
                continue
            label, state = STATE_LABEL[selector.name]
            if selector.filtered(label):
                continue
            zero = _lets_zero_through(comparison, found[2])
            # A Job has the series only once it has failed or is complete: 1 says which.
            if selector.name in {"kube_job_failed", "kube_job_complete"} and not zero:
                continue
            yield Problem(
                line=expression.line,
                message=f"{expression.quoted} compares {selector.name} with {found[2]:g} without"
                f" naming its {label}: the series exists once for each {label}, and those that do"
                " not hold are 0" + (", so that it fires for healthy objects" if zero else ""),
                suggestion=f'name it: {selector.name}{{…, {label}="{state}"}}',
            )


def _plain(node: Node) -> Selector | None:
    return node if isinstance(node, Selector) else None


def _lets_zero_through(comparison: Binary, value: float) -> bool:
    _, op, _ = threshold(comparison) or (None, "", 0.0)
    return {
        "==": value == 0,
        "!=": value != 0,
        "<": value > 0,
        "<=": value >= 0,
        ">": value < 0,
        ">=": value <= 0,
    }.get(op, False)


RULE = Rule(
    id="state-without-label",
    level=Level.ERROR,
    title="A state metric is compared without naming the state",
    why="The series of the states that do not hold are 0 by design: the alert fires for every"
    " healthy object, and people learn to ignore it.",
    check=check,
)
