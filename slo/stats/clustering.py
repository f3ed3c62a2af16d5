"""Windows of time as units: how many independent requests a number of requests is worth.

Neighbouring requests share a queue, a garbage collection, a busy neighbour: they are not
independent, and an interval that takes them so is too narrow. How much the windows of one run
differ among each other says how much it is too narrow (the design effect: Kish, "Survey Sampling",
1965). Windows that follow each other and are alike count less still: of n windows with the first
autocorrelation r, n (1 - r) / (1 + r) are left (Bayley and Hammersley, "The Effective Number of
Independent Observations in an Autocorrelated Time Series", 1946), with r freed of its bias
(Marriott and Pope, 1954). In 1000 pairs of equal runs of 30 windows, "worse" at 1 % was false 6 to
9 times without memory, 10 to 18 times with r = 0.5 and 27 to 58 times with r = 0.8.
"""

import numpy as np
from numpy.typing import NDArray

_TOO_FEW = 5  # for an autocorrelation to say anything
_MOST_MEMORY = 0.8

Windows = NDArray[np.int64]  # of each request the number of its window, consecutive in time


def count(windows: Windows) -> int:
    """Those with at least one request."""
    return int(np.unique(windows).size)


def effective(deviations: NDArray[np.floating], windows: Windows, variance: float) -> float:
    """The effective number of requests; never more than there are.

    `deviations` are from the mean, one for each request, whose `variance` is known.
    """
    if variance == 0 or count(windows) < 2:  # noqa: PLR2004 - one window has no spread
        return float(deviations.size)
    independent = variance * deviations.size
    return deviations.size / max(1.0, spread(deviations, windows) / independent)


def spread(deviations: NDArray[np.floating], windows: Windows) -> float:
    """The variance of the sum of deviations, 0 for fewer than two windows."""
    first, number = int(windows.min()), count(windows)
    if number < 2:  # noqa: PLR2004
        return 0.0
    # A window without requests has the sum 0, and keeps neighbours neighbours.
    sums = np.bincount(windows - first, weights=deviations)
    own = float(sums @ sums)
    if own == 0:
        return 0.0
    memory = _memory(float(sums[1:] @ sums[:-1]) / own, number)
    return own * number / (number - 1) * (1 + memory) / (1 - memory)


def _memory(autocorrelation: float, number: int) -> float:
    """How much of a window is still there in the next: what was found is too low by (1 + 3 r) / n.

    At least 0, because few windows seem to alternate by chance.
    """
    if number <= _TOO_FEW:
        return 0.0
    corrected = (number * autocorrelation + 1) / (number - 3)
    return min(_MOST_MEMORY, max(0.0, corrected))
