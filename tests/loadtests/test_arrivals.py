"""Pacing is arithmetic: tables and properties, no clock."""

from itertools import islice, pairwise
from math import inf, isclose

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from loadtests.arrivals import Stage, arrivals, rate_at

rates = st.floats(0, 1000)
lengths = st.floats(0.1, 60)
stages = st.lists(st.builds(Stage, rates, rates, lengths), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("stage", "t", "expected"),
    [
        (Stage(10, 10, 5), 2, 20),
        (Stage(0, 10, 10), 10, 50),
        (Stage(10, 0, 10), 10, 50),
        (Stage(10, 0, 10), 5, 37.5),
        (Stage(7, 7, inf), 3, 21),
    ],
)
def test_expected_arrivals_are_the_area_under_the_rate(
    stage: Stage, t: float, expected: float
) -> None:
    assert isclose(stage.expected(t), expected)


@given(st.builds(Stage, rates, rates, lengths), st.floats(0, 1))
def test_time_of_is_the_inverse_of_expected(stage: Stage, share: float) -> None:
    total = stage.expected(stage.length_s)
    assume(total > 0.01 and min(stage.from_rate, stage.to_rate) > 0.01)
    assert isclose(stage.expected(stage.time_of(total * share)), total * share, abs_tol=1e-6)


@given(stages, st.sampled_from(["constant", "poisson"]), st.integers())
def test_arrivals_ascend_within_the_schedule_and_repeat(
    plan: list[Stage], process: str, seed: int
) -> None:
    first = list(islice(arrivals(plan, process, seed), 2000))  # type: ignore[arg-type]
    assert first == list(islice(arrivals(plan, process, seed), 2000))  # type: ignore[arg-type]
    assert all(a <= b for a, b in pairwise(first))
    assert all(0 <= t <= sum(s.length_s for s in plan) for t in first)


@given(stages)
def test_a_constant_process_makes_as_many_arrivals_as_expected(plan: list[Stage]) -> None:
    total = sum(s.expected(s.length_s) for s in plan)
    assume(total < 20_000)
    count = sum(1 for _ in arrivals(plan, "constant", 0))
    assert abs(count - total) <= 1


def test_a_poisson_process_has_its_rate_and_its_spread() -> None:
    """Counts in windows of an average of 50: mean and variance agree, as Poisson's do."""
    counts = [0] * 400
    for t in arrivals([Stage(50, 50, 400)], "poisson", 1):
        counts[int(t)] += 1
    mean = sum(counts) / len(counts)
    variance = sum((c - mean) ** 2 for c in counts) / len(counts)
    assert abs(mean - 50) < 2
    assert 0.75 < variance / mean < 1.3


def test_the_rate_follows_the_stages() -> None:
    plan = [Stage(0, 100, 10), Stage(100, 100, 5), Stage(20, 20, inf)]
    assert [rate_at(plan, t) for t in (0, 5, 12, 15, 1e6)] == [0, 50, 100, 20, 20]
    assert rate_at(plan[:2], 15) == 0


def test_a_ramp_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match="without an end"):
        Stage(1, 2, inf)
