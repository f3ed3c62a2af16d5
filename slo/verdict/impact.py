"""What an incident cost: requests lost, requests slow, data lost."""

from typing import NamedTuple

import numpy as np

from slo.indicators.client import Requests, client_view
from slo.model import Check, Impact, Objective, Outcome
from slo.stats.intervals import at_least

_BY_ID = "{"
"""Endpoints with a name in braces read one object by its id: one that a write acknowledged."""

_CHANCE = 1e-6
"""Of calling lost what was not: so small that it takes nothing of what a run may err."""


def impact(
    found: Requests | None, objectives: tuple[Objective, ...], start: float, end: float
) -> Impact:
    """Of the requests due in start <= t < end (seconds since the epoch)."""
    if found is None:
        return Impact(
            requests=0, failed=0, slow=0, lost_data=None, data_evidence="no requests were kept"
        )
    due = found.between(start, end)
    limits = [o.critical for o in objectives if (v := client_view(o.name)) and v.quantile]
    slow = due.timed & ~due.failed & (due.response_time > min(limits, default=float("inf")))
    lost, evidence = _data(found, start, due)
    return Impact(
        requests=len(due),
        failed=int(due.failed.sum()),
        slow=int(slow.sum()),
        lost_data=lost,
        data_evidence=evidence,
    )


def _data(found: Requests, start: float, due: Requests) -> tuple[int | None, str]:
    """Reads of what was acknowledged, answered with "not found" (404, 410).

    The load asks by id only for what a write acknowledged before, so that such an answer means that
    it is gone. Other refusals (401, 429) say nothing of the data, and neither do writes that were
    refused: their ids are never asked for. Where reads did not find their data before the injection
    already, what came after counts only if it is surely more of them.
    """
    reads = [i for i, name in enumerate(found.names) if name.startswith("GET ") and _BY_ID in name]
    if not reads:
        return None, "not measured: the load read nothing back that it had written"
    before = _Reads.of(found.between(-float("inf"), start).of(reads))
    after = _Reads.of(due.of(reads))
    if after.answered == 0:
        return None, "not measured: no read of written data was answered after the injection"
    told = f"{after.absent} of {after.answered} answered reads of acknowledged data did not find it"
    if before.absent == 0:
        return after.absent, told
    already = f"{before.absent} of {before.answered} before the injection already"
    if not _surely_more(before, after):
        return None, f"not measured: {told}, and {already}"
    return after.absent, f"{told}, surely more than {already}"


class _Reads(NamedTuple):
    """Those whose answer tells whether the data is there, and those that did not find it."""

    answered: int
    absent: int

    @classmethod
    def of(cls, reads: Requests) -> "_Reads":
        absent = int(np.count_nonzero(reads.absent))
        return cls(int(np.count_nonzero(reads.timed & ~reads.failed)) + absent, absent)


def _surely_more(before: _Reads, after: _Reads) -> bool:
    """Were both as often in vain, each of all of these would be after with the share of reads after
    (the binomial test of two rates; Przyborowski and Wilenski, 1940)."""
    share = after.answered / (after.answered + before.answered)
    return at_least(after.absent, after.absent + before.absent, share) <= _CHANCE


def data_check(cost: Impact) -> Check | None:
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
