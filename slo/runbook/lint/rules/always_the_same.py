"""An expression that says the same whatever happens, found by evaluating it."""

from collections.abc import Iterator
from dataclasses import replace

from slo.runbook.lint.base import Context, Level, Need, Problem, Rule
from slo.runbook.lint.evaluation import HEALTHY, Answer, ExpressionTrial, system_series
from slo.runbook.promql import Binary, comparisons, walk

_WORLDS = (
    replace(HEALTHY, failing=0.001, latency_s=0.02),
    replace(HEALTHY, failing=0.4, latency_s=2.0, usage=0.9),
)


def check(context: Context) -> Iterator[Problem]:
    asked = []
    for expression in context.expressions:
        tree = expression.tree
        if tree is None or next(comparisons(tree), None) is not None:
            continue
        if not any(isinstance(n, Binary) and n.op == "/" for n in walk(tree)):
            continue
        worlds = [system_series(tree, world) for world in _WORLDS]
        known = [series for series in worlds if series is not None]
        if len(known) == len(_WORLDS):
            asked.append(
                (expression, [ExpressionTrial(expression.text, series) for series in known])
            )
    if context.evaluator is None or not asked:
        return
    answers = iter(context.evaluator([t for _, trials in asked for t in trials]))
    for expression, trials in asked:
        got = [next(answers) for _ in trials]
        if _same(got):
            yield Problem(
                line=expression.line,
                message=f"{expression.quoted} says {got[0].values[0]:g} when"
                f" {_WORLDS[0].failing:.1%} of the requests fail, and the same when"
                f" {_WORLDS[1].failing:.0%} do (evaluated by Prometheus over synthetic series)",
                suggestion="look at what the division matches: sum both sides first",
            )


def _same(answers: list[Answer]) -> bool:
    first = answers[0]
    return bool(first.values) and all(
        not a.error and set(a.values) == set(first.values) and len(set(a.values)) == 1
        for a in answers
    )


RULE = Rule(
    id="always-the-same",
    level=Level.ERROR,
    title="The expression says the same whatever happens",
    why="A figure that cannot move proves nothing, and calms whoever looks at it.",
    check=check,
    needs=frozenset((Need.EVALUATION,)),
)
