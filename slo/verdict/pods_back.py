"""Recovery where there is no load: when were as many pods ready again as the workload wants?

Nobody asked anything of the service, so its users' view of the recovery is not known. Kubernetes'
own account of the workload is the next best one: it was looked at twice a second, and each change
is an entry of the journal.
"""

from collections.abc import Sequence
from typing import NamedTuple

from slo.evidence.experiment_log import ExperimentLog
from slo.evidence.journal import PodsSeen
from slo.model import Check, Outcome


class PodsBack(NamedTuple):
    """`took_s` counts from the confirmed effect; None where they were not back, or nobody knows."""

    check: Check
    took_s: float | None


def pods_back(story: ExperimentLog, seen: Sequence[PodsSeen]) -> PodsBack:
    """Judged against `recover_within` of the experiment's expectation."""
    outcome, observed, evidence, took = _answer(story, seen)
    limit = story.started.expectation.recover_within_s
    check = Check(
        name="recovery",
        outcome=outcome,
        expected=f"all pods ready within {limit:g} s",
        observed=observed,
        evidence=evidence,
    )
    return PodsBack(check, took)


def _answer(
    story: ExperimentLog, seen: Sequence[PodsSeen]
) -> tuple[Outcome, str, str, float | None]:
    when, confirmed = story.incident(), story.confirmed
    if when is None or confirmed is None:
        why = "no effect was seen, so there was nothing to cure"
        return Outcome.INCONCLUSIVE, "not judged", why, None
    start, end = when
    before = [e for e in seen if e.time <= start]
    during = [e for e in seen if start < e.time <= end]
    if not before:
        return Outcome.INCONCLUSIVE, "not known", "the journal does not tell of the pods", None
    least = min((e.ready for e in during), default=before[-1].ready)
    if before[-1].whole and all(e.whole for e in during):
        return Outcome.PASS, "never fewer pods ready than wanted", f"at least {least} ready", 0.0
    last = (during or before)[-1]
    told = f"at worst {least} pods were ready, at the end {last.ready} of {last.wanted}"
    if not last.whole:
        return Outcome.FAIL, "not back by the end of the recovery phase", told, None
    # The first of the whole entries that no other kind follows.
    back = last
    for entry in reversed(during):
        if not entry.whole:
            break
        back = entry
    took = round(max(0.0, (back.time - confirmed.time).total_seconds()), 3)
    limit = story.started.expectation.recover_within_s
    outcome = Outcome.PASS if took <= limit else Outcome.FAIL
    return outcome, f"after {took:.1f} s", told, took
