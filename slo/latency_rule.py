"""Which requests have a latency that counts: the one rule, for the live view and for the verdict.

A request counts if it succeeded, if it was answered below 500, or if it timed out, with the time
that it waited: a service does not become faster by not answering, nor by failing fast.
"""

from typing import TYPE_CHECKING, Any

from slo.model import ErrorKind

if TYPE_CHECKING:  # the command line needs the rule, and not NumPy
    import numpy as np
    from numpy.typing import NDArray

SERVER_ERROR = 500


def latency_counts(status: int, error: str) -> bool:
    """Of one request: its status (0: no answer, or no HTTP) and the value of its ErrorKind."""
    return bool(_rule(status, error == ErrorKind.NONE, error == ErrorKind.TIMEOUT))


def latencies_count(
    status: "NDArray[np.int16]", succeeded: "NDArray[np.bool_]", timed_out: "NDArray[np.bool_]"
) -> "NDArray[np.bool_]":
    """Of many, as columns of one length."""
    counts: NDArray[np.bool_] = _rule(status, succeeded, timed_out)
    return counts


def _rule(status: Any, succeeded: Any, timed_out: Any) -> Any:
    """For numbers and for columns alike."""
    return succeeded | timed_out | ((status > 0) & (status < SERVER_ERROR))
