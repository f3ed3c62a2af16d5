"""How much two runs differ: shifts of quantiles and of rates, with intervals.

Requests are not independent, so they count for as many as their windows show them to be worth
(slo.stats.clustering). The limits of

- a quantile are order statistics at the Wilson limits of the share below it (Woodruff,
  "Confidence Intervals for Medians and Other Position Measures", 1952);
- a rate are Wilson's, with the effective number of requests (Korn and Graubard, "Confidence
  Intervals for Proportions with Small Expected Number of Positive Counts", 1998);
- a difference b - a are combined from those of its sides: low = b - a - sqrt((b - low(b))^2 +
  (high(a) - a)^2), and high likewise (Newcombe, "Interval Estimation for the Difference Between
  Independent Proportions", 1998, method 10; Zou and Donner, 2008, for any two estimates).

No distribution of latencies is assumed, nothing is drawn at random, and the order of the samples
does not matter.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from slo.latency_rule import rank
from slo.stats import clustering
from slo.stats.clustering import Windows
from slo.stats.intervals import Floats
from slo.stats.student import t_quantile, t_tail

_MOST_CRITICAL = 40.0
_HALVINGS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value from `count` requests, which are worth `effective` independent ones.

    `windows` is the number of units; `limits` gives both limits at a critical value of the t
    statistic, infinite where the data does not have them.
    """

    value: float
    count: int
    effective: float
    windows: int
    limits: Callable[[float], tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """b - a: above 0 where b is slower, or fails more often."""

    a: Estimate
    b: Estimate

    @property
    def value(self) -> float:
        return self.b.value - self.a.value

    @property
    def windows(self) -> int:
        """Of the side that has fewer, which is on the safe side."""
        return min(self.a.windows, self.b.windows)

    def low(self, alpha: float) -> float:
        """The true difference lies below it with a probability of at most alpha."""
        return self._low(t_quantile(1 - alpha, self.windows - 1))

    def high(self, alpha: float) -> float:
        """The true difference lies above it with a probability of at most alpha."""
        return -Shift(a=self.b, b=self.a).low(alpha)

    def p_above(self, bound: float) -> float:
        """The smallest alpha at which low(alpha) is above the bound; 1/2 where it never is."""
        freedom = self.windows - 1
        if freedom < 1 or self._low(0.0) <= bound:
            return 0.5
        low, high = 0.0, _MOST_CRITICAL
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if self._low(middle) > bound else (low, middle)
        return t_tail(low, freedom)

    def _low(self, critical: float) -> float:
        lowest, highest = self.b.limits(critical)[0], self.a.limits(critical)[1]
        return self.value - math.hypot(self.b.value - lowest, highest - self.a.value)


def quantile_estimate(values: Floats, of: Windows, q: float) -> Estimate:
    """The q-quantile of values, each from a window. Raises ValueError for no values."""
    ascending, n = np.sort(values), values.size
    if n == 0:
        raise ValueError("no values have no quantile")
    value = float(ascending[rank(n, q) - 1])
    below, tied = values < value, values == value
    # Of values that tie with the quantile as many count as below it as make the sum right.
    split = (q * n - below.sum()) / tied.sum()
    worth = clustering.effective(below + split * tied - q, of, q * (1 - q))

    def limits(critical: float) -> tuple[float, float]:
        tail = NormalDist().cdf(-critical)
        low, high = wilson(q, worth, critical)
        # One rank further out on either side, for the steps of the distribution.
        first, last = math.floor(round(n * low, 9)) - 1, math.ceil(round(n * high, 9))
        # All values lie on one side of the quantile with this probability, as far as they are
        # independent: then the farthest has to do, and is none if they were few to begin with.
        if (1 - q) ** worth > tail:
            first = 0 if (1 - q) ** n <= tail else -1
        if q**worth > tail:
            last = n - 1 if q**n <= tail else n
        return (
            float(ascending[first]) if first >= 0 else -math.inf,
            float(ascending[last]) if last < n else math.inf,
        )

    return Estimate(
        value=value, count=n, effective=worth, windows=clustering.count(of), limits=limits
    )


def rate_estimate(hits: NDArray[np.bool_], of: Windows) -> Estimate:
    """The share of hits, each from a window. Raises ValueError for no requests."""
    if hits.size == 0:
        raise ValueError("no requests have no rate")
    rate = float(hits.mean())
    worth = clustering.effective(hits - rate, of, rate * (1 - rate))
    return Estimate(
        value=rate,
        count=hits.size,
        effective=worth,
        windows=clustering.count(of),
        limits=lambda critical: wilson(rate, worth, critical),
    )


def wilson(share: float, number: float, critical: float) -> tuple[float, float]:
    """Wilson's score limits (1927) of a share of `number`, which need not be whole."""
    if math.isinf(critical):
        return 0.0, 1.0
    squared = critical * critical / number
    centre = (share + squared / 2) / (1 + squared)
    half = math.sqrt(squared * (share * (1 - share) + squared / 4)) / (1 + squared)
    # Rounding must not take a limit past the share itself.
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))
