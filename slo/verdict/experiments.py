"""An experiment judged: did the fault bite, is it gone, how bad was it, and when was it over?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from slo.evidence import journal
from slo.evidence.experiment_log import ExperimentLog
from slo.evidence.journal import PodsSeen
from slo.evidence.metrics import Series
from slo.indicators.client import Requests, client_view
from slo.model import (
    AlertSpell,
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
from slo.policy import Policy
from slo.runbook.reader import SeverityLevel
from slo.verdict import severity
from slo.verdict.alerts import Watch, judge_alerts, spells
from slo.verdict.breakdown import breakdown
from slo.verdict.degraded import degraded
from slo.verdict.impact import data_check, impact
from slo.verdict.load_health import LoadHealth
from slo.verdict.milestones import milestones
from slo.verdict.pods_back import PodsBack, pods_back
from slo.verdict.proofs import StepState
from slo.verdict.recovery import Recovery, recovery
from slo.verdict.results import AllEvidence
from slo.verdict.severity import Incident, Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One experiment with everything that speaks about it. `results` are its own.

    `pods` tells of the workload's pods in a run without load.
    """

    story: ExperimentLog
    objectives: tuple[Objective, ...]
    results: Sequence[ObjectiveResult]
    seen: AllEvidence
    series: Sequence[Series]
    pods: Sequence[PodsSeen]
    scrape_interval_s: float
    time_scale: float
    levels: Sequence[SeverityLevel]
    policy: Policy

    @property
    def error(self) -> float:
        """The chance that a window called bad was not."""
        return 1 - self.policy.decision.window_confidence


def judge_experiment(case: Case) -> tuple[ExperimentResult, datetime | None]:
    """The result, and the moment of recovery."""
    story, found, load = case.story, case.seen.found, _load_meanwhile(case)
    observed = _observe(case)
    back = _recovery(case, found)
    expectation = story.started.expectation
    checks = [_effect(story)]
    alerts: tuple[AlertSpell, ...] = ()
    alerting, cost = "", None
    by_pods: PodsBack | None = None
    when = story.incident()
    if story.injected is not None:
        by_pods = None if load.wanted else pods_back(story, case.pods)
        recovered = by_pods.check if by_pods is not None else _recovered(story, back)
        if not load.punctual and found is not None:
            calm = _recovered(story, _recovery(case, found.from_start()))
            recovered = (
                recovered if calm.outcome is recovered.outcome else _doubted(recovered, load)
            )
        if not load.capable and recovered.outcome is Outcome.FAIL:
            recovered = _doubted(recovered, load)
        harm = _severity(story, observed)
        if not load.complete:  # who was not sent cannot have been harmed, nor been well
            recovered, harm = (
                _doubted(c, load) if c.outcome is Outcome.PASS else c for c in (recovered, harm)
            )
        checks += [_undone(story), *_whole(story), harm, recovered]
        checks += [c for c in (_degraded(case),) if c is not None]
    elif story.undone is not None:
        checks.append(_undone(story))
    if story.injected is not None and when is not None:
        cost = impact(found, case.objectives, when[0].timestamp(), when[1].timestamp())
        alerts, check, alerting = _alerts(case, observed, when)
        extra = (check, data_check(cost), _response(case, observed, back, alerts))
        checks += [c for c in extra if c is not None]
    wanted = story.procedure.procedure if story.procedure else story.started.procedure
    if wanted and story.injected is not None:
        checks.append(_carried_out(story, wanted))
    confirmed = story.confirmed.time.timestamp() if story.confirmed else None
    detect = recover = None
    if confirmed is not None and back is not None:
        detect = _since(confirmed, back.first_bad, expectation.window_s)
        recover = _time_to_recover(back, confirmed)
    elif by_pods is not None:
        recover = by_pods.took_s
    result = ExperimentResult(
        name=story.name,
        title=story.started.title,
        fault=story.started.fault,
        outcome=worst([check.outcome for check in checks]),
        expected_severity=expectation.severity,
        observed_severity=observed.severity,
        severity_reason=observed.reason,
        time_to_detect_s=detect,
        time_to_recover_s=recover,
        checks=tuple(checks),
        phases=tuple(story.phases),
        severities=observed.spans,
        moments=milestones(story, observed, back, alerts, alerting),
        alerts=alerts,
        alerting=alerting,
        damage=cost,
        endpoints=breakdown(story.phases, found),
    )
    at = back.stable_at if back is not None and back.troubled else None
    moment = datetime.fromtimestamp(at, UTC) if at is not None and recover is not None else None
    return result, moment


def _load_meanwhile(case: Case) -> LoadHealth:
    """How the load generator was during the incident."""
    when = case.story.incident()
    load = case.seen.load
    return load.within([(when[0].timestamp(), when[1].timestamp())]) if when else load


def _observe(case: Case) -> Observation:
    when = case.story.incident()
    if when is None:
        return Observation(Severity.NONE, "nothing was injected", Severity.NONE, "")
    start, end = when[0].timestamp(), when[1].timestamp()
    found, load = case.seen.found, case.seen.load
    if found is not None and not load.punctual:
        found = found.from_start()  # what a late generator added is no harm of the service's
    # Nor is what it measured when it was out of breath: then failures alone speak for users.
    spoken = [o for o in case.objectives if load.capable or not _timed(o)]
    incident = Incident(
        found=found.between(start, end) if found is not None else None,
        start=start,
        end=end,
        series=() if case.seen.clock.skewed else case.series,
        scrape_interval_s=case.scrape_interval_s,
        loaded=load.wanted,
    )
    own = [r for r in case.results if _in_incident(r, loaded=load.wanted)]
    return severity.observe(incident, spoken, own, case.policy.severity, case.error)


def _timed(objective: Objective) -> bool:
    view = client_view(objective.name)
    return view is not None and view.quantile is not None


def _degraded(case: Case) -> Check | None:
    story = case.story
    allowed, fault = story.started.expectation.degraded, story.phase(PhaseKind.FAULT)
    if allowed is None or fault is None or story.injected is None:
        return None
    check = degraded(
        allowed,
        case.objectives,
        case.seen.found,
        injected=story.injected.time.timestamp(),
        end=fault.end.timestamp(),
        decision=case.seen.decision,
    )
    load = _load_meanwhile(case)
    believed = load.complete and load.punctual and load.capable
    return check if believed else _doubted(check, load)


def _alerts(
    case: Case, observed: Observation, when: tuple[datetime, datetime]
) -> tuple[tuple[AlertSpell, ...], Check | None, str]:
    story, step = case.story, case.scrape_interval_s
    assert story.injected is not None
    start = min((p.start for p in story.phases), default=when[0])
    found = spells(case.series, case.policy.severity, step, start, when[1])
    watch = Watch(
        start=start,
        injected=story.injected.time,
        end=when[1],
        spans=observed.spans,
        severity=observed.severity,
        wanted=story.started.expectation.alerts,
    )
    check, words = judge_alerts(found, case.series, watch, step)
    return found, check, words


def _carried_out(story: ExperimentLog, procedure: str) -> Check:
    """Did every step run? Whether it cured is the recovery's to say, not the exit codes'."""
    bad = [s for s in story.steps if s.state in {StepState.FAILED, StepState.REFUSED}]
    undone = [s for s in story.steps if s.state not in {StepState.DONE, *(b.state for b in bad)}]
    done = sum(s.state == StepState.DONE for s in story.steps)
    evidence = "; ".join(f"line {s.line}: {s.state}: {s.reason}" for s in (*bad, *undone))
    outcome = Outcome.PASS
    if story.procedure_ended is None or not done:
        outcome = Outcome.INCONCLUSIVE
        begun = "it did not come to its end" if story.procedure else "it was not begun"
        evidence = evidence or begun
    elif bad:
        outcome = Outcome.WARN
    elif undone:
        outcome = Outcome.INCONCLUSIVE
    return Check(
        name="procedure",
        outcome=outcome,
        expected=f"{procedure}: every step runs",
        observed=f"{done} of {len(story.steps)} steps done",
        evidence=evidence,
    )


def _response(
    case: Case, observed: Observation, back: Recovery | None, alerts: Sequence[AlertSpell]
) -> Check | None:
    """Was it over, or a procedure begun, within the time that the runbook gives its severity?"""
    story = case.story
    limit = _respond_within(case, observed.severity)
    if limit is None or story.confirmed is None:
        return None
    begin = story.confirmed.time
    answers = [
        (story.procedure.time, f"procedure {story.procedure.procedure} was begun")
        if story.procedure is not None
        else None,
        (datetime.fromtimestamp(back.stable_at, UTC), "the service was stable again")
        if back is not None and back.stable_at is not None
        else None,
    ]
    first = min((a for a in answers if a is not None), default=None, key=lambda a: a[0])
    fired = [a.firing for a in alerts if a.firing is not None and a.firing >= begin]
    noticed = (
        f"an alert fired after {(min(fired) - begin).total_seconds():.1f} s"
        if fired
        else "no alert fired"
    )
    expected = f"{observed.severity.value}: within {limit:g} s"
    if first is not None:
        took = max(0.0, (first[0] - begin).total_seconds())
        return Check(
            name="response",
            outcome=Outcome.PASS if took <= limit else Outcome.FAIL,
            expected=expected,
            observed=f"after {took:.1f} s",
            evidence=f"{first[1]}; {noticed}",
        )
    when = story.incident()
    watched = (when[1] - begin).total_seconds() if when is not None else 0.0
    return Check(
        name="response",
        outcome=Outcome.FAIL if watched > limit else Outcome.INCONCLUSIVE,
        expected=expected,
        observed="not answered",
        evidence=f"nothing happened in the {watched:.1f} s that were watched; {noticed}",
    )


def _respond_within(case: Case, level: Severity) -> float | None:
    """Seconds: the runbook's where it has the level, else the policy's; by the run's time scale."""
    stated = [s for s in case.levels if s.severity is level]
    if stated:
        seconds = stated[0].response_time_s
    else:
        usual = case.policy.severity.respond_within.get(level)
        seconds = usual.total_seconds() if usual is not None else None
    return None if seconds is None else seconds / case.time_scale


def _in_incident(result: ObjectiveResult, *, loaded: bool) -> bool:
    """In the fault or recovery phase, by the view that is judged outside of faults."""
    wanted = View.CLIENT if loaded and client_view(result.objective.name) else View.SERVER
    return result.phase is not PhaseKind.BASELINE and result.view is wanted


def _recovery(case: Case, found: Requests | None) -> Recovery | None:
    when = case.story.incident()
    if when is None or found is None:
        return None
    expectation = case.story.started.expectation
    return recovery(
        found,
        case.objectives,
        start=when[0].timestamp(),
        end=when[1].timestamp(),
        window_s=expectation.window_s,
        good_windows=expectation.good_windows,
        error=case.error,
    )


def _since(start: float, window: float | None, window_s: float) -> float | None:
    """Seconds until the end of the first bad window: no earlier could anyone have seen it."""
    return None if window is None else max(0.0, round(window + window_s - start, 3))


def _time_to_recover(back: Recovery, confirmed: float) -> float | None:
    if back.stable_at is None:
        return None
    if not back.troubled:
        return 0.0
    # Where the effect was confirmed only after users were well again, nothing was left to wait for.
    return max(0.0, round(back.stable_at - confirmed, 3))


def _effect(story: ExperimentLog) -> Check:
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


def _undone(story: ExperimentLog) -> Check:
    match story.undone:
        case journal.FaultReverted(evidence=evidence):
            outcome, observed = Outcome.PASS, "gone"
        case journal.FaultNotWhole():
            outcome, observed, evidence = Outcome.PASS, "gone", "all that it changed was put back"
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


def _whole(story: ExperimentLog) -> list[Check]:
    """Told where it is wrong: nothing of the fault is left, and yet not all pods came back."""
    if not isinstance(story.undone, journal.FaultNotWhole):
        return []
    check = Check(
        name="whole",
        outcome=Outcome.FAIL,
        expected="what the fault hit is whole again by the end of the recovery phase",
        observed="not whole",
        evidence=story.undone.reason,
    )
    return [check]


def _severity(story: ExperimentLog, observed: Observation) -> Check:
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


def _recovered(story: ExperimentLog, back: Recovery | None) -> Check:
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


def _recovery_answer(story: ExperimentLog, back: Recovery | None) -> tuple[Outcome, str, str]:
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
        never = "never" if back.recovered_at is None else "not for good"
        missed = f"{never} {expectation.good_windows} good windows in a row: {windows}"
        return Outcome.FAIL, "not back by the end of the recovery phase", missed
    if not back.troubled:
        return Outcome.PASS, "never past a critical threshold", windows
    assert story.injected is not None
    assert back.stable_at is not None
    from_injection = back.stable_at - story.injected.time.timestamp()
    evidence = f"{from_injection:.1f} s after the injection; {windows}"
    if back.relapses:
        evidence += f", {back.relapses} of them after it was first back"
    if took <= expectation.recover_within_s:
        return Outcome.PASS, f"after {took:.1f} s", evidence
    at_best = (back.hopeful_at or 0.0) - story.confirmed.time.timestamp() if back.bad else 0.0
    if at_best <= expectation.recover_within_s:
        evidence += "; windows without requests, or with too few to tell, may have been good ones"
        return Outcome.INCONCLUSIVE, f"after {took:.1f} s at the latest", evidence
    return Outcome.FAIL, f"after {took:.1f} s", evidence
