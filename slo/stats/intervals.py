"""Statistics of samples: quantiles and shares with confidence intervals, nothing assumed normal.

All functions are pure, exact in their definition and independent of the order of the samples.
"""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from slo.latency_rule import rank
from slo.model import Interval

Floats = NDArray[np.float64]

CONFIDENCE = 0.95


def quantile(sorted_values: Floats, q: float) -> float:
    """The smallest value that at least a share q of all values do not exceed.

    Definition 1 of Hyndman and Fan, "Sample Quantiles in Statistical Packages" (1996): always a
    value that was observed, nothing interpolated. Raises ValueError for no values, or q outside
    (0, 1].
    """
    if not 0 < q <= 1:
        raise ValueError(f"a quantile lies in (0, 1], not at {q}")
    if sorted_values.size == 0:
        raise ValueError("no values have no quantile")
    return float(sorted_values[rank(sorted_values.size, q) - 1])


def quantile_of(values: Floats, q: float) -> float:
    """As `quantile`, of values in any order: by selection, in linear time."""
    if values.size == 0 or not 0 < q <= 1:
        return quantile(values, q)
    place = rank(values.size, q) - 1
    return float(np.partition(values, place)[place])


def quantile_interval(
    sorted_values: Floats, q: float, confidence: float = CONFIDENCE
) -> Interval | None:
    """A distribution-free confidence interval of the q-quantile from order statistics.

    The number of values below the true quantile is binomial(n, q), so that the values at two ranks
    enclose it with at least the confidence asked for (David and Nagaraja, "Order Statistics",
    2003, section 7.1). None when there are too few values for such ranks: see quantile_minimum.
    Values are taken as independent, which requests of one phase are given its conditions: see
    slo.stats.estimates.
    """
    ranks = _ranks(sorted_values.size, q, confidence)
    if ranks is None:
        return None
    low, high = ranks
    return Interval(
        low=float(sorted_values[low - 1]),
        high=float(sorted_values[high - 1]),
        confidence=confidence,
    )


def _ranks(count: int, q: float, confidence: float) -> tuple[int, int] | None:
    """Ranks from 1, P(low <= B < high) >= confidence for B ~ binomial(count, q)."""
    low, high = open_ranks(count, q, (1 - confidence) / 2)
    return (low, high) if low is not None and high is not None else None


def open_ranks(count: int, q: float, tail: float) -> tuple[int | None, int | None]:
    """Ranks from 1 below and above the q-quantile, each wrong with a probability of `tail` at most.

    None on the side where even the smallest, or the largest, value is not sure enough.
    """
    if count == 0:
        return None, None
    first, cumulative = _binomial_cdf(count, q)
    # P(B < low) = P(B <= low - 1) <= tail, low as large as it may be.
    low = first + int(np.searchsorted(cumulative, tail, side="right"))
    # P(B < high) = P(B <= high - 1) >= 1 - tail, high as small as it may be.
    high = first + int(np.searchsorted(cumulative, 1 - tail, side="left")) + 1
    return (low if low >= 1 else None), (high if high <= count else None)


def at_least(hits: int, count: int, share: float) -> float:
    """P(B >= hits) for B ~ binomial(count, share): the exact one-sided test of a share.

    Wilson's interval is shown, but far out in its tail it promises more than it keeps for rare
    events (Brown, Cai and DasGupta, "Interval Estimation for a Binomial Proportion", 2001); what
    fails a run is therefore tested exactly.
    """
    if hits <= 0 or share >= 1:
        return 1.0
    if share <= 0 or hits > count:
        return 0.0
    first, cumulative = _binomial_cdf(count, share)
    if hits <= first:
        return 1.0
    below = hits - 1 - first
    return max(0.0, 1 - float(cumulative[below])) if below < cumulative.size else 0.0


def needed(share: float, threshold: float, confidence: float = CONFIDENCE) -> int | None:
    """About how many observations tell a share from a threshold, were it to stay as it is.

    Where Wilson's interval ends at the threshold: n = z^2 t (1 - t) / (share - t)^2. None where
    they are equal, so that no number does.
    """
    if share == threshold:
        return None
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    wanted = z * z * threshold * (1 - threshold) / (share - threshold) ** 2
    return math.ceil(wanted) if wanted < 1e12 else None  # noqa: PLR2004 - nobody sends as many


def _binomial_cdf(count: int, q: float) -> tuple[int, Floats]:
    """(first, P(B <= first), P(B <= first + 1), ...) where the mass is; the rest is below 1e-15.

    By the ratio of neighbours, from the mode outwards and normalised: no factorial overflows, and
    for ten million values it takes some ten thousand terms.
    """
    mode = min(count, int((count + 1) * q))
    reach = int(10 * math.sqrt(count * q * (1 - q))) + 40
    first, last = max(0, mode - reach), min(count, mode + reach)
    k = np.arange(first, last)
    steps = np.log(count - k) - np.log(k + 1) + math.log(q) - math.log1p(-q)
    logs = np.concatenate(([0.0], np.cumsum(steps)))
    weights = np.exp(logs - logs.max())
    cumulative = np.cumsum(weights)
    return first, cumulative / cumulative[-1]


def quantile_minimum(q: float, confidence: float = CONFIDENCE) -> int:
    """The fewest values with which quantile_interval has an upper end: 72 for p95 at 95 %.

    With fewer, not even the largest value is known to lie beyond the quantile.
    """
    return math.ceil(math.log((1 - confidence) / 2) / math.log(q))


def wilson_interval(failures: int, count: int, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's score interval of a share (1927); good near 0 and 1, where the normal one is not.

    Raises ValueError unless 0 <= failures <= count and count > 0.
    """
    if not 0 <= failures <= count or count == 0:
        raise ValueError(f"{failures} of {count} is no share")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = failures / count
    scale = 1 + z * z / count
    centre = (share + z * z / (2 * count)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return Interval(
        low=0.0 if failures == 0 else max(0.0, centre - half),
        high=1.0 if failures == count else min(1.0, centre + half),
        confidence=confidence,
    )


def rate_minimum(threshold: float, confidence: float = CONFIDENCE) -> int:
    """The fewest requests whose passing without one failure excludes a rate of `threshold`.

    (1 - threshold) ** n <= 1 - confidence, the exact form of the "rule of three" (Hanley and
    Lippman-Hand, 1983): 299 for 1 %, 2995 for 0.1 %.
    """
    if not 0 < threshold < 1:
        return 1
    return math.ceil(math.log(1 - confidence) / math.log1p(-threshold))
