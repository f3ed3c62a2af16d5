"""The verdict at a glance: its answer, six figures, and each promise with the worst seen of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from reports import budget
from reports import format as fmt
from reports.items import of_objective, titles
from slo.model import (
    Comparison,
    ExperimentResult,
    Objective,
    ObjectiveResult,
    Outcome,
    PromiseResult,
    Severity,
    Verdict,
    worst,
)
from slo.verdict.results import counted, means

ANSWERS = {
    Outcome.PASS: "all promises were kept",
    Outcome.WARN: "nothing critical, but not every target was met",
    Outcome.FAIL: "a promise was broken",
    Outcome.INCONCLUSIVE: "the evidence does not suffice",
}

_ENDINGS = {
    "completed": "",
    "aborted": "The run was aborted before its end.",
    "interrupted": "The run was interrupted before its end.",
    "": "The journal stops before the end of the run.",
}


def notices(verdict: Verdict) -> tuple[tuple[str, str], ...]:
    """What must be known before the verdict is believed: a short sentence, and what it means."""
    ending = _ENDINGS.get(verdict.ended_by, f"The run ended: {verdict.ended_by}.")
    found = [(ending, "What was not reached was not tested.")] if ending else []
    if verdict.time_scale != 1:
        scale = fmt.number(verdict.time_scale)
        untested = "the runbook's real durations were not tested."
        meaning = f"Alert windows and waiting times were divided by {scale}: {untested}"
        found.append((f"Time scale {scale}.", meaning))
    return tuple(found)


def length(verdict: Verdict) -> str:
    return fmt.seconds((verdict.ended - verdict.started).total_seconds())


def recovery(experiment: ExperimentResult) -> str:
    """The time to recover or, in its place, what the check of that name saw."""
    if experiment.time_to_recover_s is not None:
        return fmt.seconds(experiment.time_to_recover_s)
    seen = [c.observed for c in experiment.checks if c.name == "recovery"]
    known = fmt.recovered(experiment)
    return f"{known}: {seen[0]}" if seen and seen[0] else known


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One figure of the first screen; without an outcome it is context, not judgement."""

    label: str
    value: str
    detail: str
    outcome: Outcome | None = None


def facts(verdict: Verdict) -> tuple[Fact, ...]:
    """Why the verdict can be believed, in six figures."""
    return (
        Fact(label="Score", value=fmt.number(verdict.score), detail="of 100"),
        _severity(verdict),
        _objectives(verdict),
        _faults(verdict.experiments),
        _recovery(verdict.experiments),
        _load(verdict),
    )


def spent(verdict: Verdict) -> Fact | None:
    """One more, where there is a line for it: the error budget; None where no rate is known."""
    if verdict.budget is None:
        return None
    value, detail = budget.line(verdict.budget)
    return Fact(label="Error budget", value=value, detail=detail)


def took_effect(verdict: Verdict) -> bool:
    """Whether any fault is known to have done something, so that there was something to judge."""
    return any(
        e.observed_severity is not Severity.NONE
        or any(c.name == "effect" and c.outcome is Outcome.PASS for c in e.checks)
        for e in verdict.experiments
    )


def _severity(verdict: Verdict) -> Fact:
    limits = sorted({e.expected_severity for e in verdict.experiments}, key=lambda s: s.rank)
    checks = [c.outcome for e in verdict.experiments for c in e.checks if c.name == "severity"]
    if verdict.experiments and not took_effect(verdict):
        return Fact(
            label="Severity observed",
            value="not judged",
            detail="no fault took effect",
            outcome=worst(checks) if checks else None,
        )
    return Fact(
        label="Severity observed",
        value=verdict.severity.value,
        detail=f"expected at worst {limits[0].value}" if limits else "no experiment",
        outcome=worst(checks) if checks else None,
    )


def _objectives(verdict: Verdict) -> Fact:
    judged = counted(verdict.objectives, verdict.promises)
    return Fact(
        label="Objectives met",
        value=f"{judged.count(Outcome.PASS)} of {len(judged)}",
        detail=f"judged: {fmt.tally(judged)}" if judged else "none was judged",
        outcome=worst(judged),
    )


def _faults(experiments: tuple[ExperimentResult, ...]) -> Fact:
    effect = [c.outcome for e in experiments for c in e.checks if c.name == "effect"]
    undone = [c.outcome for e in experiments for c in e.checks if c.name == "undone"]
    return Fact(
        label="Faults confirmed",
        value=f"{effect.count(Outcome.PASS)} of {len(experiments)}",
        detail=f"{undone.count(Outcome.PASS)} of {len(experiments)} undone, as was checked"
        if undone
        else "no fault was injected",
        outcome=worst(effect + undone),
    )


def _recovery(experiments: tuple[ExperimentResult, ...]) -> Fact:
    times = [e.time_to_recover_s for e in experiments if e.time_to_recover_s is not None]
    checks = [c.outcome for e in experiments for c in e.checks if c.name == "recovery"]
    if len(times) < len(experiments) or not times:
        value = f"{len(times)} of {len(experiments)}"
        detail = "experiments recovered" if checks else "not measured, as no fault was injected"
    else:
        value = fmt.seconds(sum(times) / len(times))
        detail = f"on average; slowest {fmt.seconds(max(times))}"
    return Fact(label="Time to recover", value=value, detail=detail, outcome=worst(checks))


def _load(verdict: Verdict) -> Fact:
    requests = sum(e.requests for e in verdict.endpoints)
    failed = sum(sum(e.errors.values()) for e in verdict.endpoints)
    share = f"{fmt.percent(failed / requests)} failed" if requests else "none answered"
    load = verdict.load
    if not load.scenario:
        return Fact(label="Load sent", value="no load", detail="by the plan", outcome=load.outcome)
    rates = f"{fmt.number(load.achieved_rate)}/s of {fmt.number(load.scheduled_rate)}/s"
    return Fact(
        label="Load sent",
        value=f"{fmt.count(requests)} requests",
        detail=f"{rates} due; {share}",
        outcome=load.outcome,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One objective over the whole run: of its judged results the one that speaks most against it.

    `where` says in which experiment and phase that was; `outcomes` has what all judged results mean
    to the run. `together` is the result over all undisturbed phases, where there is one.
    """

    objective: Objective
    outcome: Outcome
    observed: str
    where: str
    outcomes: tuple[Outcome, ...]
    together: PromiseResult | None = None

    @property
    def met(self) -> str:
        return f"{self.outcomes.count(Outcome.PASS)} of {len(self.outcomes)}"


def promises(verdict: Verdict) -> tuple[Promise, ...]:
    """Every objective of the verdict, in its order; one that was never judged is inconclusive."""
    names = titles(verdict)
    return tuple(
        _promise(objective, judged, names, verdict.promises)
        for objective in dict.fromkeys(r.objective for r in verdict.objectives)
        for judged in [[r for r in verdict.objectives if r.objective == objective and r.judged]]
    )


def _promise(
    objective: Objective,
    judged: Sequence[ObjectiveResult],
    names: dict[str, str],
    settled: Sequence[PromiseResult],
) -> Promise:
    own = [p for p in settled if p.objective == objective]
    outcomes = counted(judged, own)
    outcome = worst(outcomes)
    together = own[0] if own else None
    if not judged:
        return Promise(
            objective=objective,
            outcome=outcome,
            observed="not judged",
            where="",
            outcomes=tuple(outcomes),
            together=together,
        )
    sign = 1 if objective.comparison is Comparison.BELOW else -1
    heaviest = max(means(r, own).rank for r in judged)
    least = max(
        (r for r in judged if means(r, own).rank == heaviest),
        key=lambda r: float("-inf") if r.indicator.value is None else sign * r.indicator.value,
    )
    item = of_objective(least, names[least.experiment])
    return Promise(
        objective=objective,
        outcome=outcome,
        observed=item.observed,
        where=f"{item.experiment}, {item.detail}",
        outcomes=tuple(outcomes),
        together=together,
    )
