"""The stations of an incident, from the injection to stability, all of them.

A moment without a time has a reason: that it did not happen, or that nothing could have shown it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from slo.evidence import journal
from slo.evidence.experiment_log import ExperimentLog
from slo.model import AlertSpell, Milestone, Severity
from slo.verdict.recovery import Recovery
from slo.verdict.severity import Observation


def milestones(
    story: ExperimentLog,
    observed: Observation,
    back: Recovery | None,
    alerts: Sequence[AlertSpell],
    alerting: str,
) -> tuple[Milestone, ...]:
    """In the order in which one hopes for them."""
    if story.injected is None:
        return ()
    since = story.injected.time
    return (
        Milestone(name="injected", time=since, evidence="the journal"),
        _effect(story),
        _first_bad(story, back),
        _alert("alert pending", [a for a in alerts if a.pending], alerting, since),
        _alert("alert firing", [a for a in alerts if a.firing], alerting, since),
        _severity(observed),
        *_procedure(story),
        _undone(story),
        _back("recovered", back, back.recovered_at if back else None),
        _back("stable", back, back.stable_at if back else None),
    )


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _effect(story: ExperimentLog) -> Milestone:
    if story.confirmed is not None:
        return Milestone(
            name="effect seen", time=story.confirmed.time, evidence=story.confirmed.evidence
        )
    why = story.unconfirmed.reason if story.unconfirmed else "no effect was seen"
    return Milestone(name="effect seen", time=None, evidence="", missing=why)


def _first_bad(story: ExperimentLog, back: Recovery | None) -> Milestone:
    name = "first bad window"
    if back is None:
        return Milestone(name=name, time=None, evidence="", missing="no requests were kept")
    if back.first_bad is None:
        why = f"none of {back.windows} windows was past a critical threshold"
        return Milestone(name=name, time=None, evidence="", missing=why)
    window = story.started.expectation.window_s
    end = _at(back.first_bad) + timedelta(seconds=window)
    return Milestone(name=name, time=end, evidence=f"the end of it: a window has {window:g} s")


def _alert(name: str, found: Sequence[AlertSpell], alerting: str, since: datetime) -> Milestone:
    firing = name == "alert firing"
    times = [(t, a) for a in found if (t := a.firing if firing else a.pending) and t >= since]
    if not times:
        early = ", ".join(dict.fromkeys(a.name for a in found))
        state = name.removeprefix("alert ")
        why = f"{early} was {state} before the injection already" if early else alerting
        return Milestone(name=name, time=None, evidence="", missing=why)
    time, first = min(times, key=lambda pair: pair[0])
    return Milestone(name=name, time=time, evidence=f"{first.name}, as Prometheus scraped it")


def _severity(observed: Observation) -> Milestone:
    name = f"{observed.severity.value} reached"
    if observed.severity is Severity.NONE:
        return Milestone(name="severity reached", time=None, evidence="", missing=observed.reason)
    reached = [s for s in observed.spans if s.severity is observed.severity]
    if not reached:
        why = f"only over the whole phase: {observed.reason}"
        return Milestone(name=name, time=None, evidence="", missing=why)
    return Milestone(name=name, time=reached[0].start, evidence=reached[0].reason)


def _procedure(story: ExperimentLog) -> tuple[Milestone, ...]:
    """Its beginning; where there was one, its end as well."""
    name, begun, ended = "procedure started", story.procedure, story.procedure_ended
    if begun is None:
        wanted = story.started.procedure
        why = "none was: the service was left to itself"
        if wanted:
            why = f"{wanted} was to be carried out, and was not begun"
        return (Milestone(name=name, time=None, evidence="", missing=why),)
    started = Milestone(name=name, time=begun.time, evidence=begun.procedure)
    name = "procedure ended"
    if ended is None:
        why = "it did not come to its end"
        return started, Milestone(name=name, time=None, evidence="", missing=why)
    took = (ended.time - begun.time).total_seconds()
    evidence = f"{len(story.steps)} steps in {took:.1f} s"
    return started, Milestone(name=name, time=ended.time, evidence=evidence)


def _undone(story: ExperimentLog) -> Milestone:
    undone = story.undone
    if undone is None or undone.event != "fault.reverted":
        why = "the journal does not say that the fault was undone"
        if isinstance(undone, journal.FaultNotWhole):
            why = undone.reason
        return Milestone(name="fault undone", time=None, evidence="", missing=why)
    return Milestone(name="fault undone", time=undone.time, evidence=undone.evidence)


def _back(name: str, back: Recovery | None, at: float | None) -> Milestone:
    if back is None:
        return Milestone(name=name, time=None, evidence="", missing="no requests were kept")
    if at is None:
        why = back.unknown or "not by the end of the recovery phase"
        return Milestone(name=name, time=None, evidence="", missing=why)
    if not back.troubled:
        why = "never needed: users were never past a critical threshold"
        return Milestone(name=name, time=None, evidence="", missing=why)
    which = "the first bad one" if name == "recovered" else "the last bad one"
    return Milestone(
        name=name, time=_at(at), evidence=f"the first good windows in a row after {which}"
    )
