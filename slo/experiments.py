"""An experiment judged: did the fault bite, is it gone, how bad was it, and when was it over?"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from slo import journal, severity
from slo.chronicle import Story
from slo.client import Requests
from slo.load import LoadHealth
from slo.model import (
    Check,
    ExperimentResult,
    Objective,
    ObjectiveResult,
    Outcome,
    PhaseKind,
    Severity,
    View,
    worst,
)
from slo.recovery import Recovery, recovery
from slo.severity import Observation
from slo.slis import by_name


def judge_experiment(
    story: Story,
    objectives: Sequence[Objective],
    results: Sequence[ObjectiveResult],
    found: Requests | None,
    load: LoadHealth,
) -> tuple[ExperimentResult, datetime | None]:
    """The result, and the moment of recovery. `results` are this experiment's own."""
    observed = _observe(story, results, found)
    back = _recovery(story, objectives, found)
    checks = [_effect(story)]
    if story.injected is not None:
        recovered = _recovered(story, back)
        if not load.punctual and found is not None:
            calm = _recovered(story, _recovery(story, objectives, found.from_start()))
            recovered = (
                recovered if calm.outcome is recovered.outcome else _doubted(recovered, load)
            )
        if not load.complete and recovered.outcome is Outcome.PASS:
            recovered = _doubted(recovered, load)
        checks += [_undone(story), _severity(story, observed), recovered]
    elif story.undone is not None:
        checks.append(_undone(story))
    confirmed = story.confirmed.time.timestamp() if story.confirmed else None
    detect = recover = None
    if confirmed is not None and back is not None:
        detect = _since(confirmed, back.first_bad, story.started.expectation.window_s)
        recover = _time_to_recover(back, confirmed)
    result = ExperimentResult(
        name=story.name,
        title=story.started.title,
        fault=story.started.fault,
        outcome=worst([check.outcome for check in checks]),
        expected_severity=story.started.expectation.severity,
        observed_severity=observed.severity,
        severity_reason=observed.reason,
        time_to_detect_s=detect,
        time_to_recover_s=recover,
        checks=tuple(checks),
        phases=tuple(story.phases),
    )
    at = back.recovered_at if back is not None and back.bad + back.empty else None
    moment = datetime.fromtimestamp(at, UTC) if at is not None and recover is not None else None
    return result, moment


def _observe(
    story: Story, results: Sequence[ObjectiveResult], found: Requests | None
) -> Observation:
    when = story.incident()
    if when is None:
        return Observation(Severity.NONE, "nothing was injected", Severity.NONE, "")
    start, end = when[0].timestamp(), when[1].timestamp()
    due = found.between(start, end) if found is not None else None
    return severity.observe(due, start, end, [r for r in results if _in_incident(r)])


def _in_incident(result: ObjectiveResult) -> bool:
    """In the fault or recovery phase, by the view that is judged outside of faults."""
    sli = by_name(result.objective.name)
    wanted = View.CLIENT if sli is not None and sli.client else View.SERVER
    return result.phase is not PhaseKind.BASELINE and result.view is wanted


def _recovery(
    story: Story, objectives: Sequence[Objective], found: Requests | None
) -> Recovery | None:
    when = story.incident()
    if when is None or found is None:
        return None
    expectation = story.started.expectation
    return recovery(
        found,
        objectives,
        start=when[0].timestamp(),
        end=when[1].timestamp(),
        window_s=expectation.window_s,
        good_windows=expectation.good_windows,
    )


def _since(start: float, window: float | None, window_s: float) -> float | None:
    """Seconds until the end of the first bad window: no earlier could anyone have seen it."""
    return None if window is None else max(0.0, round(window + window_s - start, 3))


def _time_to_recover(back: Recovery, confirmed: float) -> float | None:
    if back.recovered_at is None:
        return None
    if not back.bad + back.empty:
        return 0.0
    # Where the effect was confirmed only after users were well again, nothing was left to wait for.
    return max(0.0, round(back.recovered_at - confirmed, 3))


def _effect(story: Story) -> Check:
    outcome = Outcome.INCONCLUSIVE
    if story.unsteady is not None:
        observed, evidence = "nothing was injected", f"not steady before: {story.unsteady.reason}"
    elif story.confirmed is not None:
        outcome, observed, evidence = Outcome.PASS, "confirmed", story.confirmed.evidence
    elif story.refused is not None:
        observed, evidence = "refused", story.refused.reason
    elif story.unconfirmed is not None:
        observed, evidence = "not seen", story.unconfirmed.reason
    elif story.injected is not None:
        observed, evidence = "not seen", "the run ended before the effect was seen"
    else:
        observed, evidence = "nothing was injected", "the run ended before the fault"
    return Check(
        name="effect",
        outcome=outcome,
        expected=story.started.fault,
        observed=observed,
        evidence=evidence,
    )


def _undone(story: Story) -> Check:
    match story.undone:
        case journal.FaultReverted(evidence=evidence):
            outcome, observed = Outcome.PASS, "gone"
        case journal.FaultStuck(reason=evidence):
            outcome, observed = Outcome.FAIL, "stuck"
        case _:
            outcome, observed = Outcome.INCONCLUSIVE, "not known"
            evidence = "the journal does not say that the fault was undone"
    return Check(
        name="undone",
        outcome=outcome,
        expected="nothing of the fault is left",
        observed=observed,
        evidence=evidence,
    )


def _severity(story: Story, observed: Observation) -> Check:
    expected = story.started.expectation.severity
    outcome, evidence = Outcome.PASS, observed.reason
    if observed.severity.rank < expected.rank:
        outcome = Outcome.FAIL
    elif observed.hidden.rank < expected.rank:
        outcome = Outcome.INCONCLUSIVE
        evidence = f"could have been {observed.hidden.value}: {observed.why_hidden}"
    return Check(
        name="severity",
        outcome=outcome,
        expected="no incident" if expected is Severity.NONE else f"{expected.value} at worst",
        observed="no incident" if observed.severity is Severity.NONE else observed.severity.value,
        evidence=evidence,
    )


def _recovered(story: Story, back: Recovery | None) -> Check:
    outcome, observed, evidence = _recovery_answer(story, back)
    return Check(
        name="recovery",
        outcome=outcome,
        expected=f"within {story.started.expectation.recover_within_s:g} s",
        observed=observed,
        evidence=evidence,
    )


def _doubted(check: Check, load: LoadHealth) -> Check:
    evidence = f"{check.evidence}; but {load.result.reason}"
    return replace(check, outcome=Outcome.INCONCLUSIVE, evidence=evidence)


def _recovery_answer(story: Story, back: Recovery | None) -> tuple[Outcome, str, str]:
    expectation = story.started.expectation
    if story.confirmed is None:
        return (
            Outcome.INCONCLUSIVE,
            "not judged",
            "no effect was seen, so there was nothing to cure",
        )
    if back is None:
        return Outcome.INCONCLUSIVE, "not known", "no requests were kept"
    if back.unknown:
        return Outcome.INCONCLUSIVE, "not known", back.unknown
    windows = f"{back.windows} windows of {expectation.window_s:g} s, {back.bad} of them bad"
    windows += f" and {back.empty} without requests" if back.empty else ""
    took = _time_to_recover(back, story.confirmed.time.timestamp())
    if took is None:
        missed = f"never {expectation.good_windows} good windows in a row: {windows}"
        return Outcome.FAIL, "not back by the end of the recovery phase", missed
    if not back.bad + back.empty:
        return Outcome.PASS, "never past a critical threshold", windows
    assert story.injected is not None
    assert back.recovered_at is not None
    from_injection = back.recovered_at - story.injected.time.timestamp()
    evidence = f"{from_injection:.1f} s after the injection; {windows}"
    if back.relapses:
        evidence += f", {back.relapses} of them after the recovery"
    outcome = Outcome.PASS if took <= expectation.recover_within_s else Outcome.FAIL
    return outcome, f"after {took:.1f} s", evidence
