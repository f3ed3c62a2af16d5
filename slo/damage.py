"""What an incident cost: requests lost, requests slow, data lost."""

import numpy as np

from slo.client import KINDS, Requests
from slo.model import Check, Damage, ErrorKind, Objective, Outcome
from slo.slis import by_name

_BY_ID = "{"
"""Endpoints with a name in braces read one object by its id: one that a write acknowledged."""


def damage(
    found: Requests | None, objectives: tuple[Objective, ...], start: float, end: float
) -> Damage:
    """Of the requests due in start <= t < end (seconds since the epoch)."""
    if found is None:
        return Damage(
            requests=0, failed=0, slow=0, lost_data=None, data_evidence="no requests were kept"
        )
    due = found.between(start, end)
    limits = [o.critical for o in objectives if (s := by_name(o.name)) and s.client and s.quantile]
    slow = due.timed & ~due.failed & (due.response_time > min(limits, default=float("inf")))
    lost, evidence = _data(found, start, due)
    return Damage(
        requests=len(due),
        failed=int(due.failed.sum()),
        slow=int(slow.sum()),
        lost_data=lost,
        data_evidence=evidence,
    )


def _data(found: Requests, start: float, due: Requests) -> tuple[int | None, str]:
    """Reads of what was acknowledged, answered with "not found".

    The load asks by id only for what a write acknowledged before, so a 4xx means that it is gone.
    """
    reads = [i for i, name in enumerate(found.names) if name.startswith("GET ") and _BY_ID in name]
    if not reads:
        return None, "not measured: the load read nothing back that it had written"
    before, after = found.between(-float("inf"), start).of(reads), due.of(reads)
    gone = KINDS.index(ErrorKind.CLIENT_ERROR.value)
    if np.any(before.kind == gone):
        return None, "not measured: reads were refused before the injection already"
    answered = int(np.count_nonzero(after.timed & ~after.failed | (after.kind == gone)))
    if answered == 0:
        return None, "not measured: no read of written data was answered after the injection"
    lost = int(np.count_nonzero(after.kind == gone))
    return lost, f"{lost} of {answered} answered reads of acknowledged data did not find it"


def data_check(cost: Damage) -> Check | None:
    """Only where it was measured: what nobody looked for is not called safe."""
    if cost.lost_data is None:
        return None
    return Check(
        name="data",
        outcome=Outcome.FAIL if cost.lost_data else Outcome.PASS,
        expected="nothing that was acknowledged is lost",
        observed=f"{cost.lost_data} lost" if cost.lost_data else "nothing seen to be lost",
        evidence=cost.data_evidence,
    )
