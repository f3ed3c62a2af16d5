"""A queue of keys to look at: each at most once in it, with delays and back-off.

One worker takes from a queue, so a key that is added while it is being worked on waits its turn.
"""

import heapq
import math
import threading
import time
from collections.abc import Callable

from service.cluster.informer import Key

FIRST_RETRY_S = 0.005
LONGEST_RETRY_S = 30.0


class WorkQueue:
    """Safe to share between threads. Times in seconds by `clock` (monotonic)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ready: dict[Key, None] = {}  # ordered, without duplicates
        self._due: list[tuple[float, Key]] = []
        self._when: dict[Key, float] = {}  # each key waits for one time, its earliest
        self._failures: dict[Key, int] = {}
        self._changed = threading.Condition()
        self._closed = False

    def add(self, key: Key) -> None:
        with self._changed:
            self._ready[key] = None
            self._changed.notify()

    def add_after(self, key: Key, delay_s: float) -> None:
        with self._changed:
            when = self._clock() + delay_s
            if when < self._when.get(key, math.inf):
                self._when[key] = when
                heapq.heappush(self._due, (when, key))
                self._changed.notify()

    def retry(self, key: Key) -> None:
        """Look again after a back-off that doubles with every failure in a row."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.add_after(key, min(FIRST_RETRY_S * 2 ** min(failures, 30), LONGEST_RETRY_S))

    def forget(self, key: Key) -> None:
        """The key was worked on successfully."""
        self._failures.pop(key, None)

    def get(self) -> Key | None:
        """The next key, waiting for one; None once the queue is closed."""
        with self._changed:
            while not self._closed:
                now = self._clock()
                while self._due and self._due[0][0] <= now:
                    when, key = heapq.heappop(self._due)
                    if self._when.get(key) == when:
                        del self._when[key]
                        self._ready[key] = None
                if self._ready:
                    key = next(iter(self._ready))
                    del self._ready[key]
                    return key
                self._changed.wait(self._due[0][0] - now if self._due else None)
            return None

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
