"""Ends what a locustfile waits for without a time limit.

HttpUser and FastHttpUser have a limit for each request (loadtests.clients). What other clients do
can be seen from the outside alone: a user who has waited longer than the limit since a request of
the iteration last began or ended, and is not in a pause that the locustfile makes, has timed out.
"""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import gevent

from loadtests.recorder import Seat

if TYPE_CHECKING:
    from types import FrameType

CHECK_EVERY_S = 0.1
SLACK_S = 0.25  # so that a client with the same limit says itself what it waited for


def end_overdue(working: Collection[Seat], patience_s: float, clock: Callable[[], float]) -> None:
    """For ever: ends the users among `working` who have waited too long, with gevent.Timeout."""
    while True:
        gevent.sleep(CHECK_EVERY_S)
        now = clock()
        for seat in list(working):
            iteration = seat.iteration
            if iteration is None or seat.limited or now - iteration.seen < patience_s + SLACK_S:
                continue
            if _pauses(seat.greenlet):
                iteration.seen = now
            else:
                late = gevent.Timeout(patience_s)
                gevent.kill(seat.greenlet, late, block=False)


def _pauses(greenlet: Any) -> bool:
    """Is it in a sleep that somebody called for?"""
    frame: FrameType | None = greenlet.gr_frame
    while frame is not None:
        if frame.f_code is gevent.sleep.__code__:
            return True
        frame = frame.f_back
    return False
