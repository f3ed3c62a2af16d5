"""Are users served? One request that happens to fail decides nothing; many of them do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.proofs import Finding
from slo.served import served

CRITICAL, P95_S = 0.01, 0.5


def found(failed: int, answered: int, time_s: float = 0.02) -> Finding:
    times = np.full(answered, time_s)
    return served(failed, times, error_rate=CRITICAL, p95_s=P95_S)[0]


@pytest.mark.parametrize(
    ("failed", "answered", "finding"),
    [
        (0, 600, Finding.PROVEN),
        (1, 599, Finding.PROVEN),
        (0, 50, Finding.INCONCLUSIVE),  # nothing fails, but a service at 5 % may look like that
        (1, 49, Finding.INCONCLUSIVE),  # 2 %, by one request
        (6, 594, Finding.INCONCLUSIVE),
        (13, 587, Finding.REFUTED),
        (5, 45, Finding.REFUTED),
        (30, 0, Finding.REFUTED),
        (0, 0, Finding.INCONCLUSIVE),
    ],
)
def test_enough_requests_decide(failed: int, answered: int, finding: Finding) -> None:
    assert found(failed, answered) is finding


def test_slow_answers_are_no_service() -> None:
    assert found(0, 600, time_s=0.6) is Finding.REFUTED
    times = np.sort(np.concatenate((np.full(570, 0.02), np.full(30, 0.6))))
    finding, seen = served(0, times, error_rate=CRITICAL, p95_s=P95_S)
    assert finding is Finding.INCONCLUSIVE  # 5 % of them: that may be chance
    assert seen == "errors 0.00% of 600 requests, p95 20 ms, too few to tell chance from harm"


@given(st.integers(0, 400), st.integers(0, 400))
def test_one_more_failure_never_makes_it_better(failed: int, answered: int) -> None:
    order = [Finding.PROVEN, Finding.INCONCLUSIVE, Finding.REFUTED]
    if answered:
        before, after = found(failed, answered), found(failed + 1, answered - 1)
        assert order.index(after) >= order.index(before)
