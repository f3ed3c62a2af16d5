"""One rule says which requests have a latency that counts, in the live view and in the verdict."""

from pathlib import Path

import numpy as np
import pytest

from loadtests.tail import Tail
from slo.evidence.samples import read_raw
from slo.indicators.client import latency, requests
from slo.latency_rule import latencies_count, latency_counts
from slo.model import ErrorKind
from slo.stats.estimates import Quantiles

CASES = [
    (200, ErrorKind.NONE, True),
    (0, ErrorKind.NONE, True),  # no HTTP: a WebSocket
    (503, ErrorKind.NONE, True),  # the locustfile wants it so
    (404, ErrorKind.CLIENT_ERROR, True),
    (200, ErrorKind.OTHER, True),  # answered, with the wrong text
    (0, ErrorKind.TIMEOUT, True),
    (200, ErrorKind.TIMEOUT, True),
    (503, ErrorKind.SERVER_ERROR, False),
    (0, ErrorKind.REFUSED, False),
    (0, ErrorKind.RESET, False),
    (0, ErrorKind.OTHER, False),
]


@pytest.mark.parametrize(("status", "error", "counts"), CASES)
def test_what_counts(status: int, error: ErrorKind, counts: bool) -> None:  # noqa: FBT001
    assert latency_counts(status, error) is counts


def test_columns_count_as_single_requests_do() -> None:
    status = np.array([s for s, *_ in CASES], dtype=np.int16)
    succeeded = np.array([e is ErrorKind.NONE for _, e, _ in CASES])
    timed_out = np.array([e is ErrorKind.TIMEOUT for _, e, _ in CASES])
    assert latencies_count(status, succeeded, timed_out).tolist() == [c for *_, c in CASES]


def test_timeouts_are_in_the_live_p95_as_in_the_verdict(tmp_path: Path) -> None:
    """95 of 100 requests wait 5 s for nothing, 5 are answered in 10 ms: the p95 is not 10 ms."""
    import time

    now = time.time()
    rows = [f"{now - 5},{now - 5},5.0,GET /,0,timeout" for _ in range(95)]
    rows += [f"{now - 0.1},{now - 0.1},0.01,GET /,200,none" for _ in range(5)]
    path = tmp_path / "samples-0.csv"
    path.write_text("".join(f"{row}\n" for row in rows))
    live = Tail(path).read()
    verdict = latency(requests(read_raw(tmp_path)), 0.95)
    assert isinstance(verdict, Quantiles)
    assert live.p95_s == pytest.approx(verdict.value) == pytest.approx(5.0)
    assert live.error_rate == 0.95
