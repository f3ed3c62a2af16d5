"""How long a request is tried: back-off that doubles, up to a deadline.

Every request that we make may be made twice: reads change nothing, patches carry the version that
they were made for, deletions the UID, and an object is created under a name of its own.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from chaos.kube.errors import ClusterError

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Times in seconds. `attempt_s` bounds one try, `within_s` all of them together."""

    within_s: float = 30.0
    attempt_s: float = 5.0
    first_s: float = 0.1
    longest_s: float = 2.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def persist(
        self, attempt: Callable[[], T], again: Callable[[ClusterError], None] = lambda _: None
    ) -> T:
        """What `attempt` returns; its last error once the deadline is near, others at once.

        `again` is told why, whenever it is tried once more. A server that says how long to wait is
        given that time, where it ends before the deadline.
        """
        deadline = self.clock() + self.within_s
        pause = self.first_s
        while True:
            try:
                return attempt()
            except ClusterError as error:
                wait = max(pause, error.after_s)
                if not error.passing or self.clock() + wait > deadline:
                    raise
                again(error)
            self.sleep(wait)
            pause = min(2 * pause, self.longest_s)
