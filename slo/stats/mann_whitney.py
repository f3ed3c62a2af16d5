"""The Mann-Whitney test with windows as units: is a request of one run slower than of the other?"""

import math
from dataclasses import dataclass

import numpy as np

from slo.stats import clustering
from slo.stats.clustering import Windows
from slo.stats.intervals import Floats
from slo.stats.student import t_tail

EVEN = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Superiority:
    """P(b > a) + P(b = a) / 2 for a request of each run, and the p of its being 1/2, two-sided."""

    value: float
    p: float


def superiority(a: Floats, a_windows: Windows, b: Floats, b_windows: Windows) -> Superiority:
    """U / (n m). Raises ValueError for no values.

    Its variance is that of each side's placements among the other (DeLong, DeLong and
    Clarke-Pearson, 1988), summed by window (Obuchowski, "Nonparametric Analysis of Clustered ROC
    Curve Data", 1997). With fewer than two windows in either run p is 1.
    """
    if a.size == 0 or b.size == 0:
        raise ValueError("no values cannot be compared")
    above, below = 1 - _placements(a, b), _placements(b, a)
    value = float(below.mean())
    error = math.sqrt(_variance(above, a_windows) + _variance(below, b_windows))
    freedom = min(clustering.count(a_windows), clustering.count(b_windows)) - 1
    if freedom < 1 or math.isclose(value, EVEN, abs_tol=1e-12):
        return Superiority(value=value, p=1.0)
    if error == 0:
        return Superiority(value=value, p=0.0)
    return Superiority(value=value, p=min(1.0, 2 * t_tail(abs(value - EVEN) / error, freedom)))


def _placements(values: Floats, among: Floats) -> Floats:
    """For each value the share of `among` below it, ties counted half."""
    ascending = np.sort(among)
    left = np.searchsorted(ascending, values, side="left")
    right = np.searchsorted(ascending, values, side="right")
    placed: Floats = (left + right) / (2 * among.size)
    return placed


def _variance(placements: Floats, of: Windows) -> float:
    """Of their mean."""
    return clustering.spread(placements - placements.mean(), of) / placements.size**2
