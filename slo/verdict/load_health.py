"""The load generator's own health: a verdict is worth no more than the load it rests on.

- Fewer than 95 % of the requests that were due were made, over the whole run or within a phase:
  what was not sent would have queued, so the client's view of that time shows too little, and
  nothing good of it is believed. A request that the generator spoiled itself (no files, ports or
  address left on its machine) was not made.
- Starts were late outside of the fault phases (99th percentile above 250 ms, half of the reference
  runbook's critical response time): lateness counts into response time, so a breach may be the
  generator's. It is believed only where it also stands measured from the actual start. A pass
  stays a pass. Within fault phases lateness says nothing of the generator: a service that stalls
  fills the bounded number of requests in flight, and the next ones have to wait.
- It used up its CPU: its own queue is in everything that it measured, from the actual start as
  well. No breach of a latency is believed; a pass, which it can only have made harder, stays one.

The limits are the policy's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from slo.evidence.journal import Entry, LoadEnded, LoadStarted
from slo.evidence.samples import Samples
from slo.model import LoadResult, Outcome, Phase, Unit
from slo.policy import GeneratorPolicy
from slo.show import show
from slo.stats.intervals import Floats, quantile_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadHealth:
    """`complete`, `punctual` and `capable` say what the client's view can be used for.

    `made` and `not_made` say when requests were due, in seconds since the epoch, ascending;
    `enough` is the share of them that has to be made. `wanted` is false for a plan without load,
    of which there is nothing to be unwell.
    """

    result: LoadResult
    complete: bool
    punctual: bool
    capable: bool
    made: Floats
    not_made: Floats
    enough: float
    wanted: bool = True

    def within(self, windows: Sequence[tuple[float, float]]) -> "LoadHealth":
        """What it was in these windows, each start <= due < end: incomplete if too much is missing.

        A phase may miss a good part of its requests where the run as a whole has nearly all.
        """
        missing = _count(self.not_made, windows)
        due = missing + _count(self.made, windows)
        if not self.complete or due - missing >= self.enough * due:
            return self
        reason = f"{missing} of {due} requests that were due in this time were never sent"
        return replace(self, complete=False, result=replace(self.result, reason=reason))


def load_health(
    scenario: str,
    journal: Sequence[Entry],
    samples: Samples | None,
    fault_phases: Sequence[Phase],
    policy: GeneratorPolicy,
) -> LoadHealth:
    """What the samples and the generator's last words say about it.

    `scenario` is "" for a run without load.
    """
    if not scenario:
        return _no_load()
    ended = _together(journal)
    made = None if samples is None else samples.of_the_service()
    kept = 0 if made is None else len(made)
    not_made = np.zeros(0) if samples is None else samples.not_made()
    scheduled, sent = (ended.scheduled, ended.sent) if ended else (kept + not_made.size, kept)
    late = _late_p99(made, fault_phases)
    reasons = []
    if ended is None:
        reasons.append("the load generator never said how it ended")
    elif ended.reason:
        reasons.append(ended.reason)
    elif scheduled == 0 or kept == 0:
        reasons.append("no request was sent")
    elif min(sent, kept) < policy.sent * scheduled:
        lost = f"{sent} of {scheduled} requests that were due were sent"
        reasons.append(lost + (f", and {kept} are recorded" if kept < sent else ""))
    complete = not reasons
    most = policy.late.total_seconds()
    punctual = late is not None and late <= most
    if late is not None and not punctual:
        limit = show(most, Unit.SECONDS)
        reasons.append(
            f"1 % of the requests started over {show(late, Unit.SECONDS)} late, more than {limit}"
        )
    cpu = ended.cpu_share if ended else None
    capable = cpu is None or cpu <= policy.cpu
    if cpu is not None and not capable:
        used, limit = show(cpu, Unit.RATIO), show(policy.cpu, Unit.RATIO)
        reasons.append(f"the load generator used {used} of its core, more than {limit}")
    span = _span(samples)
    return LoadHealth(
        complete=complete,
        punctual=punctual,
        capable=capable,
        made=np.zeros(0) if made is None else np.sort(made.intended_start),
        not_made=not_made,
        enough=policy.sent,
        result=LoadResult(
            scenario=scenario,
            scheduled=scheduled,
            sent=sent,
            scheduled_rate=scheduled / span if span else 0.0,
            achieved_rate=sent / span if span else 0.0,
            late_p99_s=late,
            cpu_share=cpu,
            outcome=Outcome.PASS if not reasons else Outcome.INCONCLUSIVE,
            reason="; ".join(reasons) or _good(scheduled, sent, late),
        ),
    )


def _together(journal: Sequence[Entry]) -> LoadEnded | None:
    """The last words of all generators as one; None where one of them never said any."""
    begun = [e.service for e in journal if isinstance(e, LoadStarted)]
    found = {e.service: e for e in journal if isinstance(e, LoadEnded)}
    if not found or any(service not in found for service in begun):
        return None
    said = list(found.values())
    shares = [e.cpu_share for e in said if e.cpu_share is not None]
    return said[0].model_copy(
        update={
            "scheduled": sum(e.scheduled for e in said),
            "sent": sum(e.sent for e in said),
            "reason": "; ".join(
                f"{e.service}: {e.reason}" if e.service else e.reason for e in said if e.reason
            ),
            "cpu_share": max(shares, default=None),
        }
    )


def _no_load() -> LoadHealth:
    return LoadHealth(
        complete=True,
        punctual=True,
        capable=True,
        made=np.zeros(0),
        not_made=np.zeros(0),
        enough=0.0,
        wanted=False,
        result=LoadResult(
            scenario="",
            scheduled=0,
            sent=0,
            scheduled_rate=0.0,
            achieved_rate=0.0,
            late_p99_s=None,
            outcome=Outcome.PASS,
            reason="the plan has no load: Prometheus and Kubernetes alone are judged",
        ),
    )


def _good(scheduled: int, sent: int, late: float | None) -> str:
    on_time = f", 99 % of them at most {show(late or 0.0, Unit.SECONDS)} late"
    return f"{sent} of {scheduled} requests that were due were sent{on_time}"


def _count(due: Floats, windows: Sequence[tuple[float, float]]) -> int:
    """How many were due in any of the windows, which do not overlap."""
    return sum(
        int(np.searchsorted(due, end) - np.searchsorted(due, start)) for start, end in windows
    )


def _late_p99(samples: Samples | None, fault_phases: Sequence[Phase]) -> float | None:
    """Seconds, of the requests that were due outside of the fault phases."""
    if samples is None:
        return None
    due = samples.intended_start
    quiet = np.ones(due.size, dtype=np.bool_)
    for phase in fault_phases:
        quiet &= (due < phase.start.timestamp()) | (due >= phase.end.timestamp())
    late = np.maximum(samples.start - due, 0.0)[quiet]
    return quantile_of(late, 0.99) if late.size else None


def _span(samples: Samples | None) -> float:
    """Seconds from the first to the last request that was due."""
    if samples is None or len(samples) == 0:
        return 0.0
    return float(samples.intended_start.max() - samples.intended_start.min())
