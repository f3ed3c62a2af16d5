"""How bad it was, SEV1 to SEV4, from data and by stated rules.

Judged from the injection of the fault to the end of the recovery phase; the worst rule that holds
decides. User-facing objectives are response time and error rate, as clients saw them; the others
(CPU, memory, pod availability, FAISS) are what stands between a fault and its users.

- SEV1: nothing is served. In 5 seconds on end at least half of the requests fail, in each of them;
  or not a single request succeeds.
- SEV2: users are hurt. A user-facing objective is past its critical threshold over the fault phase
  or over the recovery phase.
- SEV3: users notice, or the reserve is gone. A user-facing target is missed, or another objective
  is past its critical threshold, over either phase.
- SEV4: the target of another objective is missed over either phase.
- none: none of these.

Where evidence is missing, the worst that it could hide is said beside: SEV1 without requests, SEV2
for a user-facing objective, SEV3 for another one.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from slo.client import Requests
from slo.model import ObjectiveResult, Outcome, Severity
from slo.slis import by_name

STRETCH_S = 5
FAILING = 0.5


class Observation(NamedTuple):
    """`hidden` is the worst that missing evidence could still hide; `why_hidden` names it."""

    severity: Severity
    reason: str
    hidden: Severity
    why_hidden: str


def observe(
    incident: Requests | None, start: float, end: float, results: Sequence[ObjectiveResult]
) -> Observation:
    """The severity of one incident.

    `incident` are the requests due in start <= t < end (seconds since the epoch), None if none
    were kept; `results` are the objectives in the fault and the recovery phase, in the view that
    is judged outside of faults.
    """
    found = [*map(_of_result, results)]
    hidden = [_hidden(r) for r in results if r.outcome is Outcome.INCONCLUSIVE]
    if incident is None or len(incident) == 0:
        hidden.append((Severity.SEV1, "there are no requests, so nothing is known of users"))
    else:
        found.append(_outage(incident, start, end))
    none = (Severity.NONE, "every objective kept its target")
    severity, reason = min((f for f in found if f), key=lambda f: f[0].rank, default=none)
    worst_hidden, why = min(hidden, key=lambda h: h[0].rank, default=(Severity.NONE, ""))
    return Observation(severity, reason, worst_hidden, why)


def _of_result(result: ObjectiveResult) -> tuple[Severity, str] | None:
    where = f"{result.objective.title} in the {result.phase.value} phase: {result.reason}"
    users = _user_facing(result)
    if result.outcome is Outcome.FAIL:
        return (Severity.SEV2 if users else Severity.SEV3), where
    if result.outcome is Outcome.WARN:
        return (Severity.SEV3 if users else Severity.SEV4), where
    return None


def _hidden(result: ObjectiveResult) -> tuple[Severity, str]:
    severity = Severity.SEV2 if _user_facing(result) else Severity.SEV3
    return severity, f"{result.objective.title} in the {result.phase.value} phase: {result.reason}"


def _user_facing(result: ObjectiveResult) -> bool:
    sli = by_name(result.objective.name)
    return sli is not None and sli.user_facing


def _outage(incident: Requests, start: float, end: float) -> tuple[Severity, str] | None:
    if incident.failed.all():
        return Severity.SEV1, f"none of {len(incident)} requests succeeded"
    seconds = max(1, int(np.ceil(end - start)))
    second = np.minimum((incident.due - start).astype(np.int64), seconds - 1)
    due = np.bincount(second, minlength=seconds)
    failed = np.bincount(second, weights=incident.failed, minlength=seconds)
    # A second without requests shows nothing, so it ends a stretch.
    down = (due > 0) & (failed >= FAILING * due)
    longest, last = _longest_run(down)
    if longest < STRETCH_S:
        return None
    stretch = slice(last - longest + 1, last + 1)
    share = failed[stretch].sum() / due[stretch].sum()
    return Severity.SEV1, f"{share:.0%} of the requests failed for {longest} s on end"


def _longest_run(flags: np.ndarray) -> tuple[int, int]:
    """Length and last index of the longest run of true."""
    best, last, run = 0, -1, 0
    for i, flag in enumerate(flags.tolist()):
        run = run + 1 if flag else 0
        if run > best:
            best, last = run, i
    return best, last
