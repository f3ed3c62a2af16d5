"""When requests are due: pure arithmetic on the time since the start, nothing waits here.

An open model (Schroeder, Wierman, Harchol-Balter, "Open Versus Closed", NSDI 2006): arrivals are
decided by the schedule alone, so a slow service does not slow the load.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, log, sqrt
from random import Random
from typing import Literal


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch in which the rate goes linearly from one value to another.

    Rates in requests per second, at least 0; `length_s` in seconds, infinite for a last stage
    without an end (its rates are then equal).
    """

    from_rate: float
    to_rate: float
    length_s: float

    def __post_init__(self) -> None:
        if self.length_s == inf and self.from_rate != self.to_rate:
            raise ValueError("a stage without an end has one rate")

    def expected(self, t: float) -> float:
        """Arrivals from the stage's start until t seconds into it."""
        if self.length_s == inf or self.from_rate == self.to_rate:
            return self.from_rate * t
        return self.from_rate * t + (self.to_rate - self.from_rate) * t * t / (2 * self.length_s)

    def time_of(self, arrivals: float) -> float:
        """The inverse: seconds into the stage when that many are expected. inf: never."""
        if arrivals <= 0:
            return 0.0
        slope = 0.0 if self.length_s == inf else (self.to_rate - self.from_rate) / self.length_s
        if slope == 0:
            return arrivals / self.from_rate if self.from_rate > 0 else inf
        square = self.from_rate**2 + 2 * slope * arrivals
        if square < 0:
            return inf
        # Stable where slope is small: 2c / (b + sqrt(b^2 + 2ac)).
        return 2 * arrivals / (self.from_rate + sqrt(square))


def rate_at(stages: Sequence[Stage], t: float) -> float:
    """Requests per second t seconds after the start; 0 after the end."""
    for stage in stages:
        if t < stage.length_s:
            if stage.length_s == inf:
                return stage.from_rate
            share = t / stage.length_s
            return stage.from_rate + (stage.to_rate - stage.from_rate) * share
        t -= stage.length_s
    return 0.0


def arrivals(
    stages: Sequence[Stage], process: Literal["constant", "poisson"], seed: int
) -> Iterator[float]:
    """Seconds from the start at which requests are due, ascending.

    `constant` spaces them evenly at the rate of the moment; `poisson` draws independent gaps
    (an inhomogeneous Poisson process by inversion). The same arguments give the same times.
    """
    draw = Random(seed)  # noqa: S311 - repeatable on purpose
    start, before, due = 0.0, 0.0, 0.0
    step = _steps(process, draw)
    due += next(step)
    for stage in stages:
        total = stage.expected(stage.length_s) if stage.length_s != inf else inf
        while due < before + total:
            at = stage.time_of(due - before)
            if at >= stage.length_s:
                break
            yield start + at
            due += next(step)
        start += stage.length_s
        before += total


def _steps(process: str, draw: Random) -> Iterator[float]:
    """Gaps in units of expected arrivals: 1 on average. The first of `constant` is half of one."""
    if process == "constant":
        yield 0.5
        while True:
            yield 1.0
    while True:
        yield -log(1.0 - draw.random())
