"""Are users served? One request that happens to fail decides nothing; many of them do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.verdict.proofs import ProofOutcome
from slo.verdict.users_served import users_served

CRITICAL, P95_S = 0.01, 0.5


def found(failed: int, answered: int, time_s: float = 0.02) -> ProofOutcome:
    times = np.full(answered, time_s)
    return users_served(failed + answered, failed, times, error_rate=CRITICAL, p95_s=P95_S)[0]


@pytest.mark.parametrize(
    ("failed", "answered", "finding"),
    [
        (0, 600, ProofOutcome.PROVEN),
        (1, 599, ProofOutcome.PROVEN),
        (
            0,
            50,
            ProofOutcome.INCONCLUSIVE,
        ),  # nothing fails, but a service at 5 % may look like that
        (1, 49, ProofOutcome.INCONCLUSIVE),  # 2 %, by one request
        (6, 594, ProofOutcome.INCONCLUSIVE),
        (13, 587, ProofOutcome.REFUTED),
        (5, 45, ProofOutcome.REFUTED),
        (30, 0, ProofOutcome.REFUTED),
        (0, 0, ProofOutcome.INCONCLUSIVE),
    ],
)
def test_enough_requests_decide(failed: int, answered: int, finding: ProofOutcome) -> None:
    assert found(failed, answered) is finding


def test_slow_answers_are_no_service() -> None:
    assert found(0, 600, time_s=0.6) is ProofOutcome.REFUTED
    times = np.sort(np.concatenate((np.full(570, 0.02), np.full(30, 0.6))))
    finding, seen = users_served(600, 0, times, error_rate=CRITICAL, p95_s=P95_S)
    assert finding is ProofOutcome.INCONCLUSIVE  # 5 % of them: that may be chance
    assert seen == "errors 0.00% of 600 requests, p95 20 ms, too few to tell chance from harm"


@given(st.integers(0, 400), st.integers(0, 400))
def test_one_more_failure_never_makes_it_better(failed: int, answered: int) -> None:
    order = [ProofOutcome.PROVEN, ProofOutcome.INCONCLUSIVE, ProofOutcome.REFUTED]
    if answered:
        before, after = found(failed, answered), found(failed + 1, answered - 1)
        assert order.index(after) >= order.index(before)
