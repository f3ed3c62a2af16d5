"""Student's t distribution, which the standard library lacks. Pure arithmetic."""

import math
from functools import cache

import numpy as np

_STEPS = 400  # of Simpson's rule: right to nine digits from one degree of freedom to a million
_HALVINGS = 60


def t_tail(t: float, freedom: int) -> float:
    """P(T > t) for t >= 0, with that many degrees of freedom, at least 1."""
    # With T = sqrt(freedom) tan(x), the density becomes cos(x) ^ (freedom - 1), times a constant.
    start = math.atan2(t, math.sqrt(freedom))
    return _integral(start, freedom) / (2 * _integral(0.0, freedom))


def _integral(start: float, freedom: int) -> float:
    """Of cos(x) ^ (freedom - 1), from start to pi / 2."""
    # Beyond this the integrand is below 1e-20 of what it is at the start.
    reach = min(math.pi / 2, start + 12 / math.sqrt(freedom) + 46 / freedom)
    heights = np.cos(np.linspace(start, reach, _STEPS + 1)) ** (freedom - 1)
    weights = np.ones(_STEPS + 1)
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    return float(weights @ heights) * (reach - start) / _STEPS / 3


@cache
def t_quantile(p: float, freedom: int) -> float:
    """The value that T exceeds with probability 1 - p, for p >= 1/2; infinite without freedom."""
    if freedom < 1:
        return math.inf
    low, high = 0.0, 1.0
    while t_tail(high, freedom) > 1 - p:
        low, high = high, high * 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if t_tail(middle, freedom) > 1 - p else (low, middle)
    return high
