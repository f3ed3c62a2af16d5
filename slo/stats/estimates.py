"""What stands behind a value: enough of it to say on which side of a threshold the truth lies.

Three questions are put to evidence: the interval that is shown, whether the truth is surely past a
threshold (with a stated chance of error), and how many observations would settle it. Which method
answers:

- `Quantiles`: order statistics of every single value (slo.stats.intervals.quantile_interval).
- `Share`: Wilson's interval; surely past is the exact binomial test.
- `Buckets`: order statistics again, but a rank is only known to lie in a bucket of the histogram:
  the interval reaches from the lower edge of one to the upper edge of another.
- `Reading`: a value that is measured, not sampled; its `slack` is what the time between two scrapes
  leaves open.

Every request counts as one, though neighbours share a queue: evidence is about its own phase. The
conditions of a phase were what they were, and given them requests are as good as independent (of
2,000 phases of 30 s whose seconds differed, in bursts or with a memory of 0.8, the 95 % intervals
held the phase's own value in 95.5 to 96.5 %). What the same service would do at another time is a
comparison's question, and there they count for as many as they are worth (slo.stats.clustering):
intervals of a phase hold such a long-run value in 10 to 54 % only. To decide by that number here
would also reward harm: failures that spread make requests look more independent, so that 10 of
2,000 could rule out what 5 of them in one second do not, and an outage, which is one event, would
be no breach.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np

from slo.model import Indicator, Interval
from slo.stats.intervals import (
    CONFIDENCE,
    Floats,
    at_least,
    needed,
    open_ranks,
    quantile,
    wilson_interval,
)


class Span(NamedTuple):
    """An interval that may be open: None on a side where nothing bounds the truth."""

    low: float | None
    high: float | None


class Evidence(Protocol):
    """`method` names in words how the interval is made."""

    @property
    def value(self) -> float: ...
    @property
    def count(self) -> int: ...
    @property
    def method(self) -> str: ...
    def span(self, confidence: float) -> Span: ...
    def surely_above(self, threshold: float, error: float) -> bool: ...
    def surely_below(self, threshold: float, error: float) -> bool: ...
    def needed(self, threshold: float, confidence: float) -> int | None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Quantiles:
    """The q-quantile of `values`, which are ascending and at least one."""

    values: Floats
    q: float

    @property
    def value(self) -> float:
        return quantile(self.values, self.q)

    @property
    def count(self) -> int:
        return int(self.values.size)

    @property
    def method(self) -> str:
        return "order statistics"

    def span(self, confidence: float) -> Span:
        low, high = open_ranks(self.count, self.q, (1 - confidence) / 2)
        return Span(self._at(low), self._at(high))

    def _at(self, rank: int | None) -> float | None:
        return None if rank is None else float(self.values[rank - 1])

    def _above(self, threshold: float) -> int:
        return self.count - int(np.searchsorted(self.values, threshold, side="right"))

    def surely_above(self, threshold: float, error: float) -> bool:
        """So many values lie above the threshold that the quantile cannot well be below it."""
        return at_least(self._above(threshold), self.count, 1 - self.q) <= error

    def surely_below(self, threshold: float, error: float) -> bool:
        under = int(np.searchsorted(self.values, threshold, side="left"))
        return at_least(under, self.count, self.q) <= error

    def needed(self, threshold: float, confidence: float) -> int | None:
        found = needed(self._above(threshold) / self.count, round(1 - self.q, 12), confidence)
        return found if found is None else max(found, self._fewest(confidence))

    def _fewest(self, confidence: float) -> int:
        return math.ceil(math.log((1 - confidence) / 2) / math.log(self.q))


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `count` observations, at least one."""

    hits: int
    count: int

    @property
    def value(self) -> float:
        return self.hits / self.count

    @property
    def method(self) -> str:
        return "Wilson"

    def span(self, confidence: float) -> Span:
        found = wilson_interval(self.hits, self.count, confidence)
        return Span(found.low, found.high)

    def surely_above(self, threshold: float, error: float) -> bool:
        return at_least(self.hits, self.count, threshold) <= error

    def surely_below(self, threshold: float, error: float) -> bool:
        return at_least(self.count - self.hits, self.count, 1 - threshold) <= error

    def needed(self, threshold: float, confidence: float) -> int | None:
        return needed(self.value, threshold, confidence)


@dataclass(frozen=True, slots=True)
class Buckets:
    """The q-quantile of a histogram: (upper edge, cumulative count), ascending, the last infinite.

    Counts are increases over a window, so no whole numbers; `value` is Prometheus' interpolation.
    """

    edges: tuple[tuple[float, float], ...]
    q: float
    value: float

    @property
    def count(self) -> int:
        return round(self.edges[-1][1])

    @property
    def method(self) -> str:
        return "order statistics within the histogram's buckets"

    def span(self, confidence: float) -> Span:
        low, high = open_ranks(self.count, self.q, (1 - confidence) / 2)
        return Span(
            0.0 if low is None else self._bucket(low)[0],
            None if high is None else self._bucket(high)[1],
        )

    def _bucket(self, rank: int) -> tuple[float, float | None]:
        """Lower and upper edge of the bucket in which the value of this rank lies."""
        lower = 0.0
        for upper, cumulative in self.edges:
            if cumulative >= rank - 0.5:
                return lower, (upper if math.isfinite(upper) else None)
            lower = upper
        return lower, None

    def _up_to(self, threshold: float, *, edge: bool) -> float:
        """How many surely lie at or below the threshold; with `edge`, how many at most."""
        below = 0.0
        for (_, _), (upper, cumulative) in pairwise(((0.0, 0.0), *self.edges)):
            if upper <= threshold:
                below = cumulative
            elif edge:
                return cumulative
        return below

    def surely_above(self, threshold: float, error: float) -> bool:
        above = math.floor(self.count - self._up_to(threshold, edge=True) + 0.5)
        return at_least(above, self.count, 1 - self.q) <= error

    def surely_below(self, threshold: float, error: float) -> bool:
        under = math.floor(self._up_to(threshold, edge=False) + 0.5)
        return at_least(under, self.count, self.q) <= error

    def needed(self, threshold: float, confidence: float) -> int | None:
        """None where the bucket itself holds the threshold: no count makes buckets finer."""
        least = self.count - self._up_to(threshold, edge=True)
        most = self.count - self._up_to(threshold, edge=False)
        if round(least) != round(most):
            return None
        return needed(least / self.count, round(1 - self.q, 12), confidence)


@dataclass(frozen=True, slots=True)
class Reading:
    """A value known to within `slack`, 0 where nothing is known to be left open.

    `highest` is what it cannot exceed. Its span is sure, and no matter of confidence.
    """

    value: float
    count: int
    slack: float = 0.0
    highest: float = math.inf

    @property
    def method(self) -> str:
        return "what one scrape leaves open" if self.slack else ""

    def span(self, _confidence: float) -> Span:
        return Span(self.value - self.slack, min(self.highest, self.value + self.slack))

    def surely_above(self, threshold: float, _error: float) -> bool:
        return self.value - self.slack > threshold

    def surely_below(self, threshold: float, _error: float) -> bool:
        return self.value + self.slack < threshold

    def needed(self, _threshold: float, _confidence: float) -> int | None:
        return None


def buckets(edges: Sequence[tuple[float, float]], q: float, value: float) -> Buckets | None:
    """None for a histogram that is none, or that has counted nothing."""
    ascending = tuple(sorted(edges))
    whole = ascending and math.isinf(ascending[-1][0]) and round(ascending[-1][1]) > 0
    return Buckets(ascending, q, value) if whole else None


def indicator(evidence: Evidence | str, confidence: float = CONFIDENCE) -> Indicator:
    """As a verdict shows it. The interval is left out where one side of it is open."""
    if isinstance(evidence, str):
        return Indicator(value=None, count=0, missing=evidence)
    low, high = evidence.span(confidence)
    known = evidence.method and low is not None and high is not None
    return Indicator(
        value=evidence.value,
        count=evidence.count,
        interval=Interval(
            low=low or 0.0,
            high=high or 0.0,
            confidence=1.0 if isinstance(evidence, Reading) else confidence,
        )
        if known
        else None,
        method=evidence.method,
    )
