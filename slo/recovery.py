"""When an incident was noticed and when it was over, from the clients' own requests.

The time from the injection to the end of the recovery phase is cut into windows of `window_s`. A
window is *good* when it has requests, its error rate is not past the critical threshold, and
neither are its latency quantiles. Recovered is the start of the first of N good windows in a row
after the first that is not good. What never leaves its objectives recovers in no time; what has
not recovered by the end of the recovery phase has no recovery time.

Times are seconds since the epoch; durations count from the confirmed effect of the fault.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from slo.client import Requests
from slo.model import Objective
from slo.objectives import past_critical
from slo.slis import by_name
from slo.stats import quantile


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """`recovered_at` is None where it did not, or where nothing tells; then `unknown` says why.

    `first_bad` is the start of the first window that was bad, None if none was.
    """

    windows: int
    bad: int
    empty: int
    first_bad: float | None
    recovered_at: float | None
    relapses: int  # windows that were bad again after the recovery
    unknown: str = ""


def recovery(
    found: Requests,
    objectives: Sequence[Objective],
    *,
    start: float,
    end: float,
    window_s: float,
    good_windows: int,
) -> Recovery:
    """Look for the first bad window and for the first of `good_windows` good ones after it."""
    judged = [o for o in objectives if (sli := by_name(o.name)) and sli.client]
    count = int((end - start) / window_s + 1e-9)  # whole windows alone
    states = [
        _state(found.between(start + i * window_s, start + (i + 1) * window_s), judged)
        for i in range(count)
    ]
    bad = [i for i, state in enumerate(states) if state is False]
    trouble = next((i for i, state in enumerate(states) if state is not True), None)
    first = 0 if trouble is None else trouble
    back = _first_run(states, first, good_windows)
    unknown = _unknown(states, judged, back)
    return Recovery(
        windows=count,
        bad=len(bad),
        empty=states.count(None),
        first_bad=start + bad[0] * window_s if bad else None,
        recovered_at=None if back is None or unknown else start + back * window_s,
        relapses=0 if back is None else sum(i > back for i in bad),
        unknown=unknown,
    )


def _state(window: Requests, objectives: Sequence[Objective]) -> bool | None:
    """Good, not good, or None without any request."""
    if len(window) == 0:
        return None
    for objective in objectives:
        sli = by_name(objective.name)
        assert sli is not None
        if sli.quantile is None:
            value = window.error_rate()
        else:
            times = window.latencies()
            value = quantile(times, sli.quantile) if times.size else None
        if value is not None and past_critical(objective, value):
            return False
    # Without a single answer that has a latency, nothing shows that it is good.
    return bool(window.timed.any())


def _first_run(states: Sequence[bool | None], first: int, length: int) -> int | None:
    run = 0
    for i in range(first, len(states)):
        run = run + 1 if states[i] else 0
        if run == length:
            return i - length + 1
    return None


def _unknown(states: Sequence[bool | None], judged: Sequence[Objective], back: int | None) -> str:
    if not judged:
        return "the runbook has no objective that clients could see"
    if back is None and False not in states:
        empty = states.count(None)
        if empty:
            return f"{empty} of {len(states)} windows have no requests"
        return f"{len(states)} windows are too few to tell"
    return ""
