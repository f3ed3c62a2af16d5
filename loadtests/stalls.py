"""When the load generator itself stood still: stopped, or without its share of the processor.

An answer that comes meanwhile waits for somebody to read it, and a time limit passes that the
service has kept. So what was in flight cannot be timed.
"""

from collections.abc import Callable

import gevent

STALL_S = 1.0  # shorter ones are in the lateness of the requests, which has a limit of its own
BEAT_EVERY_S = 0.1


class Stalls:
    """`spans` are the times in which nothing ran, in seconds since the epoch, ascending."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._last = clock, clock()
        self.spans: list[tuple[float, float]] = []

    def beat(self) -> None:
        """Something runs."""
        now = self._clock()
        if now - self._last > STALL_S:
            self.spans.append((self._last, now))
        self._last = now

    def restart(self) -> None:
        """What was until now does not matter."""
        self._last = self._clock()
        self.spans.clear()

    def touched(self, start: float, end: float) -> bool:
        """Did it stand still at some time between these two?"""
        self.beat()  # who asks may be the first to run again
        return any(begun < end and start < over for begun, over in reversed(self.spans))

    def keep_beating(self) -> None:
        while True:
            self.beat()
            gevent.sleep(BEAT_EVERY_S)
