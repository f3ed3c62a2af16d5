"""One rule says which requests have a latency that counts, in the live view and in the verdict."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos.cli.load_report import as_json
from chaos.plan.model import StopCondition
from chaos.run.stop_conditions import StopConditions
from loadtests.runner import LoadSummary
from loadtests.tail import Tail
from slo.evidence.journal import LoadEnded
from slo.evidence.samples import read_raw
from slo.indicators.client import error_rate, latency, requests
from slo.latency_rule import latencies_count, latency_counts, quantile_at
from slo.model import ErrorKind
from slo.policy import Policy
from slo.stats.estimates import Quantiles, Share
from slo.stats.intervals import quantile
from slo.verdict.load_alone import judge_load

if TYPE_CHECKING:
    from slo.observe.prometheus import Prometheus

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
    (0, ErrorKind.GENERATOR, False),
    (0, ErrorKind.NOT_SENT, False),
]


@pytest.mark.parametrize(("status", "error", "counts"), CASES)
def test_what_counts(status: int, error: ErrorKind, counts: bool) -> None:  # noqa: FBT001
    assert latency_counts(status, error) is counts


def test_columns_count_as_single_requests_do() -> None:
    status = np.array([s for s, *_ in CASES], dtype=np.int16)
    succeeded = np.array([e is ErrorKind.NONE for _, e, _ in CASES])
    timed_out = np.array([e is ErrorKind.TIMEOUT for _, e, _ in CASES])
    assert latencies_count(status, succeeded, timed_out).tolist() == [c for *_, c in CASES]


def test_every_view_has_the_same_p95_and_errors_with_timeouts_in_them(tmp_path: Path) -> None:
    """95 of 100 requests wait 5 s for nothing, 5 are answered in 10 ms: the p95 is not 10 ms.

    The live line, the guardrails, the closing screen of `gameday load`, and the verdict; beside
    them stand ten requests that the generator did not make, which change none of it.
    """
    now = time.time()
    rows = [f"{now - 5},{now - 5},5.0,GET /,0,timeout" for _ in range(95)]
    rows += [f"{now - 0.1},{now - 0.1},0.01,GET /,200,none" for _ in range(5)]
    rows += [f"{now - 1},{now - 1},0,(not sent),0,not sent" for _ in range(5)]
    rows += [f"{now - 1},{now - 1},0.001,GET /,0,generator" for _ in range(5)]
    path = tmp_path / "samples-0.csv"
    path.write_text("".join(f"{row}\n" for row in rows))
    live, samples = Tail(path).read(), read_raw(tmp_path)

    found = requests(samples)
    verdict, errors = latency(found, 0.95), error_rate(found)
    assert isinstance(verdict, Quantiles)
    assert isinstance(errors, Share)
    ended = LoadEnded(time=datetime.now(UTC), scheduled=110, sent=100, reason="")
    summary = LoadSummary(scheduled=110, sent=100, reason="", waiting=5)
    judged = judge_load("test", ended, samples, (), Policy())
    closing = as_json(summary, samples, judged)
    (row,) = closing["endpoints"]

    assert live.p95_s == pytest.approx(verdict.value) == pytest.approx(row["p95_s"])
    assert live.p95_s == pytest.approx(5.0)
    assert live.error_rate == errors.value == closing["errors"] / live.requests == 0.95
    assert (live.requests, live.due) == (row["requests"], closing["scheduled"]) == (100, 110)

    slow = StopCondition.model_validate({"sli": "response_time_p95", "above": "1s"})
    guard = StopConditions((slow,), lambda: live, cast("Prometheus", None))
    assert guard.value(slow) == live.p95_s
    assert slow.crossed(live.p95_s)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=300), st.sampled_from([0.5, 0.95, 0.99]))
@settings(deadline=None)
def test_live_and_verdict_have_one_definition_of_a_quantile(values: list[float], q: float) -> None:
    ascending = sorted(values)
    assert quantile_at(ascending, q) == quantile(np.array(ascending), q)
