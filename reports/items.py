"""What a verdict rests on, one by one: every renderer lists the same items in the same words."""

from collections.abc import Iterable
from dataclasses import dataclass

from reports import compared
from reports import format as fmt
from slo.model import (
    Check,
    LoadResult,
    ObjectiveResult,
    Outcome,
    PromiseResult,
    Verdict,
)
from slo.verdict.results import means

_CHECKS = {
    "effect": "Fault took effect",
    "undone": "Fault undone",
    "whole": "Whole again",
    "severity": "Severity",
    "recovery": "Recovery",
    "response": "Answered in time",
    "degraded": "Degraded no further than planned",
    "procedure": "Procedure carried out",
    "alerts": "Alerts fit the incident",
    "data": "Acknowledged data kept",
    "load": "Load generator was on time",
}


def check_title(name: str) -> str:
    """A check's name in words; what nobody has put into words stays as it is."""
    return _CHECKS.get(name, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One judged question. `experiment` is its title, or "" for the run as a whole."""

    experiment: str
    name: str
    detail: str  # phase and view, or "" where the name says it all
    outcome: Outcome
    expected: str
    observed: str
    reason: str

    @property
    def subject(self) -> str:
        name = check_title(self.name)
        return f"{name}, {self.detail}" if self.detail else name

    @property
    def sentence(self) -> str:
        """ "Response time (p95), recovery, client: 1.31 s, expected < 100 ms: past ..."."""
        said = f"{self.subject}: {self.observed}"
        if self.expected:
            said += f", expected {self.expected}"
        return f"{said}; {self.reason}" if self.reason else said


def of_promise(promise: PromiseResult) -> Item:
    """An objective over all undisturbed phases together."""
    objective = promise.objective
    return Item(
        experiment="",
        name=objective.title,
        detail="the only phase without a fault"
        if promise.phases == 1
        else f"all {promise.phases} phases without a fault together",
        outcome=promise.counts,
        expected=f"{fmt.target(objective)} (critical {fmt.critical(objective)})",
        observed=fmt.measured(promise.indicator, objective),
        reason=promise.reason,
    )


def of_objective(
    result: ObjectiveResult, title: str, settled: Iterable[PromiseResult] = ()
) -> Item:
    """With the outcome that it has for the run: a target left open may be settled elsewhere."""
    objective, indicator = result.objective, result.indicator
    return Item(
        experiment=title,
        name=objective.title,
        detail=f"{result.phase.value} phase, {result.view.value}'s view",
        outcome=means(result, settled),
        expected=f"{fmt.target(objective)} (critical {fmt.critical(objective)})",
        observed=fmt.measured(indicator, objective),
        reason=why(result),
    )


def why(result: ObjectiveResult) -> str:
    """The reason of the outcome and, if it says something else, of the missing value."""
    missing, reason = result.indicator.missing, result.reason
    return (
        f"{reason}: {missing}"
        if reason and missing and missing not in reason
        else reason or missing
    )


def of_check(check: Check, title: str) -> Item:
    return Item(
        experiment=title,
        name=check.name,
        detail="",
        outcome=check.outcome,
        expected=check.expected,
        observed=check.observed,
        reason=check.evidence,
    )


def of_load(load: LoadResult) -> Item:
    return Item(
        experiment="",
        name="load",
        detail="",
        outcome=load.outcome,
        expected=f"{fmt.count(load.scheduled)} requests at {fmt.number(load.scheduled_rate)}/s",
        observed=f"{fmt.count(load.sent)} requests at {fmt.number(load.achieved_rate)}/s",
        reason=load.reason,
    )


def of_comparison(verdict: Verdict) -> tuple[Item, ...]:
    """What counts of the comparison with a baseline run."""
    baseline = verdict.comparison.baseline if verdict.comparison else ""
    return tuple(
        Item(
            experiment="",
            name=f"{row.endpoint}, {row.quantity}",
            detail="against the baseline run",
            outcome=row.outcome,
            expected=f"no more than {row.matters} worse than {row.baseline} in {baseline}",
            observed=f"{row.new}, {row.change} ({row.interval})",
            reason=row.reason,
        )
        for row in compared.rows(verdict)
        if row.judged
    )


def titles(verdict: Verdict) -> dict[str, str]:
    """Experiment name to title, experiments in their order; a name without title is its own."""
    known = {e.name: e.title or e.name for e in verdict.experiments}
    return known | {
        r.experiment: r.experiment for r in verdict.objectives if r.experiment not in known
    }


def of_experiment(verdict: Verdict, name: str, title: str) -> tuple[Item, ...]:
    """An experiment's checks, then the objectives judged in its phases."""
    checks = [c for e in verdict.experiments if e.name == name for c in e.checks]
    judged = [r for r in verdict.objectives if r.judged and r.experiment == name]
    return (
        *(of_check(c, title) for c in checks),
        *(of_objective(r, title, verdict.promises) for r in judged),
    )


def items(verdict: Verdict) -> tuple[Item, ...]:
    """What counts: experiments' checks and judged objectives, all phases together, the rest."""
    found = [i for n, title in titles(verdict).items() for i in of_experiment(verdict, n, title)]
    together = map(of_promise, verdict.promises)
    return (*found, *together, *of_comparison(verdict), of_load(verdict.load))
