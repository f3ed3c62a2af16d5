"""An alert that fires on a system that is well, found by evaluating it."""

from collections.abc import Iterator
from dataclasses import replace

from slo.model import Comparison, Unit
from slo.runbook.lint.base import Context, Level, Need, Problem, Rule
from slo.runbook.lint.evaluation import HEALTHY, ExpressionTrial, SyntheticSystem, system_series
from slo.runbook.lint.subjects import subject
from slo.runbook.model import Runbook


def check(context: Context) -> Iterator[Problem]:
    world = _healthy(context.runbook)
    asked = []
    for expression in context.expressions:
        if expression.alert is None or expression.tree is None:
            continue
        series = system_series(expression.tree, world)
        if series is not None:
            asked.append((expression, ExpressionTrial(expression.text, series)))
    if context.evaluator is None:
        return
    answers = context.evaluator([trial for _, trial in asked])
    for (expression, _), answer in zip(asked, answers, strict=True):
        if answer.values and not answer.error:
            yield Problem(
                line=expression.line,
                message=f"{expression.quoted} fires on a healthy system: {world.requests:g}"
                f" requests/s of which {world.failing:.3%} fail, each within"
                f" {world.latency_s * 1000:g} ms, all pods ready (evaluated by Prometheus over"
                f" synthetic series; {len(answer.values)} of them fire, one at"
                f" {answer.values[0]:.3g})",
                suggestion="compare with what the table calls critical, in its unit",
            )


def _healthy(runbook: Runbook) -> SyntheticSystem:
    """A system that keeps all targets of this runbook, by half."""
    failing, latency = HEALTHY.failing, HEALTHY.latency_s
    for objective in runbook.objectives:
        if objective.comparison is not Comparison.BELOW or objective.target <= 0:
            continue
        if objective.unit is Unit.RATIO and subject(objective.title) == "errors":
            failing = min(failing, objective.target / 2)
        if objective.unit is Unit.SECONDS and subject(objective.title) == "latency":
            latency = min(latency, objective.target / 2)
    return replace(HEALTHY, failing=failing, latency_s=latency)


RULE = Rule(
    id="fires-when-healthy",
    level=Level.ERROR,
    title="The alert fires on a healthy system",
    why="People silence it, and it is silent when it matters.",
    check=check,
    needs=frozenset((Need.EVALUATION,)),
)
