"""When an incident was felt and when it was over, from the clients' own requests.

The time from the injection to the end of the recovery phase is cut into windows of `window_s`. A
window is *good* when it has answers and neither its error rate nor its latency quantiles are past
the critical threshold; *bad* when one of them surely is; *unclear* when it is past by so few
requests that chance may have done it; *empty* without requests. Trouble is a bad or an empty
window.

*Recovered* is the start of the first of N good windows in a row after the first trouble; *stable*
of the first of N good windows after the last. What never leaves its objectives recovers in no time;
what is not stable by the end of the recovery phase has not recovered, whatever it was in between.

Times are seconds since the epoch; durations count from the confirmed effect of the fault.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from slo.indicators.client import ClientView, Requests, client_view
from slo.model import Objective
from slo.verdict.objectives import past_critical


class Window(Enum):
    GOOD = auto()
    UNCLEAR = auto()
    BAD = auto()
    EMPTY = auto()


TROUBLE = {Window.BAD, Window.EMPTY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """`stable_at` is None where it was not, or where nothing tells; then `unknown` says why.

    `first_bad` is the start of the first window that was bad, None if none was; `recovered_at` is
    None as long as there were never enough good windows after it. `hopeful_at` is when it was
    stable if every window that nothing can be said of was a good one: what is too late even then
    is surely too late.
    """

    windows: int
    bad: int
    empty: int
    first_bad: float | None
    recovered_at: float | None
    stable_at: float | None
    hopeful_at: float | None
    relapses: int  # windows that were bad again after the recovery
    unknown: str = ""

    @property
    def troubled(self) -> bool:
        return bool(self.bad + self.empty)


def recovery(
    found: Requests,
    objectives: Sequence[Objective],
    *,
    start: float,
    end: float,
    window_s: float,
    good_windows: int,
    error: float,
) -> Recovery:
    """Look for trouble, and for `good_windows` good windows after it.

    `error` is the chance that a window called bad was not.
    """
    judged = [(o, view) for o in objectives if (view := client_view(o.name))]
    count = int((end - start) / window_s + 1e-9)  # whole windows alone
    states = [
        _state(found.between(start + i * window_s, start + (i + 1) * window_s), judged, error)
        for i in range(count)
    ]
    bad = [i for i, state in enumerate(states) if state is Window.BAD]
    trouble = [i for i, state in enumerate(states) if state in TROUBLE]
    back = _first_run(states, trouble[0] if trouble else 0, good_windows)
    stable = _first_run(states, trouble[-1] + 1 if trouble else 0, good_windows)
    hopeful = [Window.BAD if s is Window.BAD else Window.GOOD for s in states]
    hope = _first_run(hopeful, bad[-1] + 1 if bad else 0, good_windows)
    unknown = "" if stable is not None else _unknown(states, hope, judged=bool(judged))

    def at(i: int | None) -> float | None:
        return None if i is None or unknown else start + i * window_s

    return Recovery(
        windows=count,
        bad=len(bad),
        empty=states.count(Window.EMPTY),
        first_bad=start + bad[0] * window_s if bad else None,
        recovered_at=at(back),
        stable_at=at(stable),
        hopeful_at=at(hope),
        relapses=0 if back is None else sum(i > back for i in bad),
        unknown=unknown,
    )


def _state(
    window: Requests, objectives: Sequence[tuple[Objective, ClientView]], error: float
) -> Window:
    if len(window) == 0:
        return Window.EMPTY
    # Without a single answer that has a latency, nothing shows that it is good.
    state = Window.GOOD if window.timed.any() else Window.BAD
    for objective, view in objectives:
        seen = view.evidence(window)
        if isinstance(seen, str) or not past_critical(objective, seen.value):
            continue
        if seen.surely_above(objective.critical, error):
            return Window.BAD
        state = Window.UNCLEAR if state is Window.GOOD else state
    return state


def _first_run(states: Sequence[Window], first: int, length: int) -> int | None:
    run = 0
    for i in range(first, len(states)):
        run = run + 1 if states[i] is Window.GOOD else 0
        if run == length:
            return i - length + 1
    return None


def _unknown(states: Sequence[Window], hope: int | None, *, judged: bool) -> str:
    """Why nothing is known of a recovery that was not seen; "" where it surely was none."""
    if not judged:
        return "the runbook has no objective that clients could see"
    if hope is None and Window.BAD in states:
        return ""
    empty, unclear = states.count(Window.EMPTY), states.count(Window.UNCLEAR)
    if empty:
        return f"{empty} of {len(states)} windows have no requests"
    if unclear:
        return f"{unclear} of {len(states)} windows have too few requests to tell chance from harm"
    return f"{len(states)} windows are too few to tell"
