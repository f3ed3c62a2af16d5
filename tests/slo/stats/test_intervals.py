import math
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.stats.intervals import (
    quantile,
    quantile_interval,
    quantile_minimum,
    rate_minimum,
    wilson_interval,
)

numbers = st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1, max_size=300)


@given(numbers, st.sampled_from([0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_quantile_is_the_smallest_value_that_covers_its_share(
    values: list[float], q: float
) -> None:
    found = quantile(np.sort(np.array(values)), q)
    assert found in values
    share = Fraction(str(q)) * len(values)
    assert sum(v <= found for v in values) >= share
    assert sum(v < found for v in values) < share


def test_quantiles_by_hand() -> None:
    hundred = np.arange(1.0, 101.0)
    assert [quantile(hundred, q) for q in (0.07, 0.5, 0.95, 1.0)] == [7, 50, 95, 100]


@pytest.mark.parametrize("q", [0.0, -0.1, 1.1])
def test_a_quantile_outside_of_its_range_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match="quantile"):
        quantile(np.array([1.0]), q)


def exact_cdf(n: int, q: float, k: int) -> float:
    return math.fsum(math.comb(n, i) * q**i * (1 - q) ** (n - i) for i in range(k + 1))


@given(st.integers(2, 900), st.sampled_from([0.5, 0.9, 0.95, 0.99]), st.sampled_from([0.9, 0.95]))
def test_the_ranks_of_a_quantile_interval_hold_their_confidence_and_are_the_narrowest(
    n: int, q: float, confidence: float
) -> None:
    """Against the binomial distribution summed term by term."""
    found = quantile_interval(np.arange(1.0, n + 1), q, confidence)
    tail = (1 - confidence) / 2
    slack = 1e-9
    if found is None:
        assert exact_cdf(n, q, n - 1) < 1 - tail + slack or exact_cdf(n, q, 0) > tail - slack
        return
    low, high = int(found.low), int(found.high)
    assert exact_cdf(n, q, high - 1) - exact_cdf(n, q, low - 1) >= confidence - slack
    assert exact_cdf(n, q, low) > tail - slack
    assert exact_cdf(n, q, high - 2) < 1 - tail + slack


@pytest.mark.parametrize(("q", "minimum"), [(0.5, 6), (0.95, 72), (0.99, 368)])
def test_the_minimum_is_where_the_interval_begins_to_exist(q: float, minimum: int) -> None:
    assert quantile_minimum(q) == minimum
    assert quantile_interval(np.arange(float(minimum)), q) is not None
    assert quantile_interval(np.arange(float(minimum - 1)), q) is None


def test_quantile_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """2,000 samples of a heavy tail; a tenth less confidence would be seen."""
    rng = np.random.default_rng(7)
    truth = math.exp(1.6448536269514722)  # p95 of the standard lognormal
    rounds, covered = 2000, 0
    for values in np.sort(rng.lognormal(size=(rounds, 200))):
        found = quantile_interval(values, 0.95)
        assert found is not None
        covered += found.low <= truth <= found.high
    # At least 95 % by construction; ranks are whole, so that it may be a little more.
    assert 0.94 <= covered / rounds <= 0.985


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.3])
def test_wilson_intervals_cover_the_truth_about_as_often_as_they_say(rate: float) -> None:
    rng = np.random.default_rng(7)
    rounds, n, covered = 4000, 1200, 0
    for failures in rng.binomial(n, rate, size=rounds).tolist():
        found = wilson_interval(failures, n)
        covered += found.low <= rate <= found.high
    assert 0.93 <= covered / rounds <= 0.985


@given(st.integers(1, 10**6), st.data())
def test_a_wilson_interval_lies_around_its_share(n: int, data: st.DataObject) -> None:
    failures = data.draw(st.integers(0, n))
    found = wilson_interval(failures, n)
    assert 0 <= found.low <= failures / n <= found.high <= 1
    assert found.low < found.high


def test_wilson_by_the_textbook() -> None:
    """15 of 148 at 95 %: Newcombe, Statistics in Medicine 17 (1998), table I, method 3."""
    found = wilson_interval(15, 148)
    assert (round(found.low, 4), round(found.high, 4)) == (0.0624, 0.1605)


def test_the_rule_of_three() -> None:
    assert (rate_minimum(0.01), rate_minimum(0.001)) == (299, 2995)


def test_ten_million_samples_need_no_more_than_a_moment() -> None:
    values = np.arange(1e7)
    found = quantile_interval(values, 0.95)
    assert found is not None
    sigma = math.sqrt(1e7 * 0.95 * 0.05)
    assert found.high - found.low == pytest.approx(2 * 1.96 * sigma, rel=0.01)


@given(numbers)
def test_order_does_not_matter(values: list[float]) -> None:
    shuffled = values.copy()
    Random(1).shuffle(shuffled)
    a, b = np.sort(np.array(values)), np.sort(np.array(shuffled))
    assert quantile(a, 0.95) == quantile(b, 0.95)
    assert quantile_interval(a, 0.95) == quantile_interval(b, 0.95)
