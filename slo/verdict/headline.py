"""The verdict in one sentence, as one would say it to a colleague."""

from dataclasses import replace

from slo.model import (
    ExperimentResult,
    ObjectiveResult,
    Outcome,
    PhaseKind,
    Severity,
    Unit,
    Verdict,
)
from slo.show import show


def headline(verdict: Verdict) -> Verdict:
    """The verdict with its headline."""
    sentence = {
        Outcome.PASS: _kept,
        Outcome.WARN: _kept,
        Outcome.FAIL: _broke,
        Outcome.INCONCLUSIVE: _unknown,
    }[verdict.outcome](verdict)
    return replace(verdict, headline=sentence)


def _kept(verdict: Verdict) -> str:
    passed = sum(e.outcome is Outcome.PASS for e in verdict.experiments)
    tally = f"{passed} of {_count(len(verdict.experiments), 'experiment')} passed"
    missed = [r for r in verdict.objectives if r.judged and r.outcome is Outcome.WARN]
    if missed:
        return f"Nothing critical, but {_say(missed[0])}; {tally}."
    for promise in verdict.promises:
        if promise.counts is Outcome.WARN:
            return f"Nothing critical, but {promise.objective.title}: {promise.reason}; {tally}."
    settled = {p.objective.name for p in verdict.promises}
    for result in verdict.objectives:
        elsewhere = result.objective.name in settled
        if result.judged and result.counted is Outcome.WARN and not elsewhere:
            title, where = result.objective.title, _where(result)
            return f"Nothing critical, but {title} in the {where}: {result.reason}; {tally}."
    return f"The service kept its promises: {tally}; {_worst(verdict)}."


def _worst(verdict: Verdict) -> str:
    if verdict.severity is Severity.NONE:
        return "no fault became an incident"
    return f"worst incident {verdict.severity.value}, as expected"


def _broke(verdict: Verdict) -> str:
    stuck = [e for e in verdict.experiments if _failed(e, "undone")]
    if stuck:
        return f"A fault is still there after {stuck[0].title!r}: someone must look now."
    ended = _ended(verdict)
    failed = [e for e in verdict.experiments if e.outcome is Outcome.FAIL]
    before = _before(verdict, failed)
    if before is not None:
        return f"Failed before the fault: {_say(before)}{ended}."
    broken = [r for r in verdict.objectives if r.judged and r.outcome is Outcome.FAIL]
    if failed:
        more = f" ({len(failed)} of {_count(len(verdict.experiments), 'experiment')} failed)"
        return f"Failed: {_why(failed[0])}{more}{ended}."
    if broken:
        return f"Failed: {_say(broken[0])}{ended}."
    lost = [p for p in verdict.promises if p.outcome is Outcome.FAIL]
    title, reason = lost[0].objective.title, lost[0].reason
    return f"Failed: {title} over all phases without a fault: {reason}{ended}."


def _before(verdict: Verdict, failed: list[ExperimentResult]) -> ObjectiveResult | None:
    """What was past critical before the first fault that failed, and so was not that fault's."""
    names = {failed[0].name} if failed else {e.name for e in verdict.experiments}
    return next(
        (
            r
            for r in verdict.objectives
            if r.judged
            and r.outcome is Outcome.FAIL
            and r.phase is PhaseKind.BASELINE
            and r.experiment in names
        ),
        None,
    )


def _ended(verdict: Verdict) -> str:
    """That the run did not come to its end, where it did not."""
    return "" if verdict.ended_by == "completed" else f"; {_how_it_ended(verdict)}"


def _how_it_ended(verdict: Verdict) -> str:
    if verdict.ended_by == "":
        return "the run just stopped"
    # The notes have the reason, where the journal has one.
    said = f"the run was {verdict.ended_by}"
    told = (n for n in verdict.notes if n.casefold().startswith(said))
    return next(told, said).removesuffix(".").replace("The run", "the run", 1)


def _seen(verdict: Verdict) -> str:
    """What became of the requests until then, "" where there were none."""
    requests = sum(e.requests for e in verdict.endpoints)
    failed = sum(sum(e.errors.values()) for e in verdict.endpoints)
    if not requests:
        return ""
    share = f" ({show(failed / requests, Unit.RATIO)})" if failed else ""
    return f"; until then {failed:,} of {requests:,} requests failed{share}"


def _failed(experiment: ExperimentResult, check: str) -> bool:
    return any(c.name == check and c.outcome is Outcome.FAIL for c in experiment.checks)


def _why(experiment: ExperimentResult) -> str:
    for check in experiment.checks:
        if check.outcome is Outcome.FAIL:
            break
    else:
        return f"{experiment.title!r} failed"
    if check.name == "severity":
        return (
            f"{experiment.title!r} was {check.observed}, and {check.expected} was allowed:"
            f" {check.evidence}"
        )
    return f"{check.name} after {experiment.title!r}: {check.observed}; expected: {check.expected}"


def _unknown(verdict: Verdict) -> str:
    return f"No verdict: {_why_unknown(verdict)}."


def _why_unknown(verdict: Verdict) -> str:
    if verdict.ended_by != "completed":
        seen = _seen(verdict) if verdict.ended_by else ""
        return f"{_how_it_ended(verdict)}{seen}"
    if verdict.load.outcome is Outcome.INCONCLUSIVE:
        return verdict.load.reason
    for experiment in verdict.experiments:
        for check in experiment.checks:
            if check.outcome is Outcome.INCONCLUSIVE:
                return f"{experiment.title!r}, {check.name}: {check.evidence}"
    for result in verdict.objectives:
        if result.judged and result.counted is Outcome.INCONCLUSIVE:
            return f"{result.objective.title} in the {_where(result)}: {result.reason}"
    for promise in verdict.promises:
        if promise.counts is Outcome.INCONCLUSIVE:
            return f"{promise.objective.title} over all phases without a fault: {promise.reason}"
    return "nothing was tried"


def _say(result: ObjectiveResult) -> str:
    value = result.indicator.value
    assert value is not None
    return (
        f"{result.objective.title} was {show(value, result.objective.unit)} in the {_where(result)}"
    )


def _where(result: ObjectiveResult) -> str:
    return f"{result.phase.value} phase of {result.experiment}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
