"""Which requests count, for errors and for latency: the one rule, live and for the verdict.

What the load generator did not send, or spoiled itself, says nothing about the service: it is in
neither the errors nor the latency, and is counted by itself.

A request's latency counts if it succeeded, if it was answered below 500, or if it timed out, with
the time that it waited: a service does not become faster by not answering, nor by failing fast.

A quantile is the value at one rank, and not between two of them: `rank`.
"""

import math
from typing import TYPE_CHECKING, Any

from slo.model import ErrorKind

if TYPE_CHECKING:  # the command line needs the rule, and not NumPy
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

SERVER_ERROR = 500
OWN_FAULTS = frozenset((ErrorKind.GENERATOR, ErrorKind.NOT_SENT))


def latency_counts(status: int, error: str) -> bool:
    """Of one request: its status (0: no answer, or no HTTP) and the value of its ErrorKind."""
    return error not in OWN_FAULTS and bool(
        _rule(status, error == ErrorKind.NONE, error == ErrorKind.TIMEOUT)
    )


def latencies_count(
    status: "NDArray[np.int16]", succeeded: "NDArray[np.bool_]", timed_out: "NDArray[np.bool_]"
) -> "NDArray[np.bool_]":
    """Of many, as columns of one length, none of which is the generator's own fault."""
    counts: NDArray[np.bool_] = _rule(status, succeeded, timed_out)
    return counts


def _rule(status: Any, succeeded: Any, timed_out: Any) -> Any:
    """For numbers and for columns alike."""
    return succeeded | timed_out | ((status > 0) & (status < SERVER_ERROR))


def rank(count: int, q: float) -> int:
    """The rank, from 1, of the q-quantile among `count` values."""
    # q * count in binary may come out a hair above a whole number (0.07 * 100).
    return max(1, math.ceil(round(q * count, 9)))


def quantile_at(ascending: "Sequence[float]", q: float) -> float | None:
    """The q-quantile of ascending values; None of none."""
    return ascending[rank(len(ascending), q) - 1] if ascending else None
