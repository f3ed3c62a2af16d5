"""How long a container waits before it is started again: pure, times are handed in.

Source: kubernetes.io, "Pod Lifecycle", container restart policy: the first restart is immediate,
then 10 s, doubling to 300 s, forgotten after ten minutes of running. Times are in seconds.
"""

from dataclasses import dataclass

FIRST_S, LONGEST_S = 10.0, 300.0
FORGET_AFTER_S = 600.0
NEVER = float("inf")


@dataclass(slots=True)
class Plan:
    """When to start a container again."""

    start_at: float = 0.0
    delay: float = 0.0  # before the next start but one; 0: it has not failed yet

    def ended(self, now: float, ran_for: float) -> float:
        """The container ended: how long until it starts again; 0 is at once."""
        if ran_for > FORGET_AFTER_S:
            self.delay = 0.0
        if self.delay == 0.0:
            self.delay = FIRST_S
            self.start_at = 0.0
            return 0.0
        return self.wait(now)

    def wait(self, now: float) -> float:
        """It could not be started: how long until the next try."""
        delay = self.delay or FIRST_S
        self.start_at = now + delay
        self.delay = min(delay * 2, LONGEST_S)
        return delay


def duration(seconds: float) -> str:
    """As Go prints it: 10s, 1m20s, 5m0s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
