"""What a verdict rests on, one by one: every renderer lists the same items in the same words."""

from dataclasses import dataclass

from reports import format as fmt
from slo.model import (
    Check,
    ExperimentResult,
    LoadResult,
    ObjectiveResult,
    Outcome,
    Verdict,
    worst,
)

_CHECKS = {
    "effect": "Fault took effect",
    "undone": "Fault undone",
    "severity": "Severity",
    "recovery": "Recovery",
    "load": "Load kept its schedule",
}

ANSWERS = {
    Outcome.PASS: "the promises held",
    Outcome.WARN: "the promises held, but not every target",
    Outcome.FAIL: "a promise was broken",
    Outcome.INCONCLUSIVE: "the evidence does not suffice",
}

_ENDINGS = {
    "completed": "",
    "aborted": "The run was aborted before its end.",
    "interrupted": "The run was interrupted before its end.",
    "": "The journal stops before the end of the run.",
}


def check_title(name: str) -> str:
    """A check's name in words; what nobody has put into words stays as it is."""
    return _CHECKS.get(name, name)


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
    return f"{fmt.NO_DATA}: {seen[0]}" if seen and seen[0] else fmt.NO_DATA


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


def of_objective(result: ObjectiveResult, title: str) -> Item:
    objective, indicator = result.objective, result.indicator
    return Item(
        experiment=title,
        name=objective.title,
        detail=f"{result.phase.value} phase, {result.view.value}'s view",
        outcome=result.outcome,
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
    return (*(of_check(c, title) for c in checks), *(of_objective(r, title) for r in judged))


def items(verdict: Verdict) -> tuple[Item, ...]:
    """Everything that counts: each experiment's checks and judged objectives, then the load."""
    found = [i for n, title in titles(verdict).items() for i in of_experiment(verdict, n, title)]
    return (*found, of_load(verdict.load))


def findings(verdict: Verdict) -> tuple[Item, ...]:
    """The items that did not pass, the worst first, otherwise in their order."""
    return tuple(
        sorted(
            (i for i in items(verdict) if i.outcome is not Outcome.PASS),
            key=lambda i: -i.outcome.rank,
        )
    )


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


def _severity(verdict: Verdict) -> Fact:
    limits = sorted({e.expected_severity for e in verdict.experiments}, key=lambda s: s.rank)
    checks = [c.outcome for e in verdict.experiments for c in e.checks if c.name == "severity"]
    return Fact(
        label="Severity observed",
        value=verdict.severity.value,
        detail=f"expected at worst {limits[0].value}" if limits else "no experiment",
        outcome=worst(checks) if checks else None,
    )


def _objectives(verdict: Verdict) -> Fact:
    judged = [r.outcome for r in verdict.objectives if r.judged]
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
        detail=f"{undone.count(Outcome.PASS)} of {len(experiments)} seen to be undone",
        outcome=worst(effect + undone),
    )


def _recovery(experiments: tuple[ExperimentResult, ...]) -> Fact:
    times = [e.time_to_recover_s for e in experiments if e.time_to_recover_s is not None]
    checks = [c.outcome for e in experiments for c in e.checks if c.name == "recovery"]
    if len(times) < len(experiments) or not times:
        value, detail = f"{len(times)} of {len(experiments)}", "experiments seen to recover"
    else:
        value = fmt.seconds(sum(times) / len(times))
        detail = f"on average; slowest {fmt.seconds(max(times))}"
    return Fact(label="Time to recover", value=value, detail=detail, outcome=worst(checks))


def _load(verdict: Verdict) -> Fact:
    requests = sum(e.requests for e in verdict.endpoints)
    failed = sum(sum(e.errors.values()) for e in verdict.endpoints)
    share = f"{fmt.percent(failed / requests)} failed" if requests else "none answered"
    load = verdict.load
    rates = f"{fmt.number(load.achieved_rate)}/s of {fmt.number(load.scheduled_rate)}/s"
    return Fact(
        label="Requests measured",
        value=fmt.count(requests),
        detail=f"{share}; {rates} due",
        outcome=load.outcome,
    )
