"""The interval decides: evidence against thresholds, by hand and for any evidence."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.model import Comparison, Objective, Outcome, Source, Unit
from slo.stats.estimates import Buckets, Evidence, Quantiles, Reading, Share, buckets
from slo.stats.intervals import at_least, needed, wilson_interval
from slo.stats.shift import rate_estimate
from slo.verdict.objectives import Decision, Judgement, judge

SURE = Decision(confidence=0.95, error=0.001)
HERE = Source("runbook.md", 1, "")


def objective(
    target: float, critical: float, unit: Unit = Unit.RATIO, *, above: bool = False
) -> Objective:
    return Objective(
        name="o",
        title="O",
        comparison=Comparison.ABOVE if above else Comparison.BELOW,
        target=target,
        critical=critical,
        unit=unit,
        source=HERE,
    )


ERRORS = objective(0.001, 0.01)
TIMES = objective(0.1, 0.5, Unit.SECONDS)


def said(found: Judgement) -> tuple[Outcome, Outcome]:
    return found.outcome, found.counts


@pytest.mark.parametrize(
    ("failed", "count", "outcome", "counts"),
    [
        (0, 3839, Outcome.PASS, Outcome.PASS),
        (0, 3837, Outcome.INCONCLUSIVE, Outcome.WARN),  # the target is open, critical is not
        (0, 382, Outcome.INCONCLUSIVE, Outcome.WARN),
        (0, 380, Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE),
        (40, 10_000, Outcome.WARN, Outcome.WARN),
        (1, 1, Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE),  # 1 in 100 has this with 1 % failing
        (2, 2, Outcome.FAIL, Outcome.FAIL),  # 1 in 10,000
        (12, 1000, Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE),  # past, but not surely
        (22, 1000, Outcome.FAIL, Outcome.FAIL),
    ],
)
def test_error_rates_by_hand(failed: int, count: int, outcome: Outcome, counts: Outcome) -> None:
    assert said(judge(ERRORS, Share(failed, count), SURE)) == (outcome, counts)


def test_what_is_open_says_how_much_more_would_settle_it() -> None:
    assert judge(ERRORS, Share(0, 100), SURE).reason.endswith(
        "too few to exclude > 1 %; about 381 would be enough"
    )
    assert judge(ERRORS, Share(1, 100), SURE).reason.endswith(
        "more of them would not help"  # exactly at the threshold
    )
    more = needed(0.0, 0.01)
    assert more is not None
    assert wilson_interval(0, more).high <= 0.01 < wilson_interval(0, more - 1).high


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        (np.full(73, 0.05), Outcome.PASS),
        (np.full(71, 0.05), Outcome.INCONCLUSIVE),  # not even the largest bounds the quantile
        (np.full(73, 0.3), Outcome.WARN),
        (np.full(3, 0.9), Outcome.FAIL),  # 0.05 ** 3 is less than one in a thousand
        (np.full(2, 0.9), Outcome.INCONCLUSIVE),
        (np.sort(np.r_[np.full(94, 0.05), np.full(6, 0.9)]), Outcome.INCONCLUSIVE),
    ],
)
def test_quantiles_by_hand(values: np.ndarray, outcome: Outcome) -> None:
    assert judge(TIMES, Quantiles(values, 0.95), SURE).outcome is outcome


def test_a_reading_is_as_good_as_its_slack() -> None:
    pods = objective(0.999, 0.99, above=True)
    assert judge(pods, Reading(1.0, 10), SURE).outcome is Outcome.PASS
    assert judge(pods, Reading(0.97, 10), SURE).outcome is Outcome.FAIL
    assert judge(pods, Reading(0.97, 10, slack=0.05), SURE).outcome is Outcome.INCONCLUSIVE
    assert judge(pods, Reading(0.999, 10), SURE).outcome is not Outcome.PASS  # "more than" it


def test_a_histogram_knows_no_more_than_its_buckets() -> None:
    edges = ((0.1, 900.0), (0.25, 960.0), (0.5, 1000.0), (math.inf, 1000.0))
    found = Buckets(edges, 0.95, 0.22)
    assert found.span(0.95) == (0.1, 0.5)
    assert judge(objective(0.05, 0.09, Unit.SECONDS), found, SURE).outcome is Outcome.FAIL
    open_ = judge(objective(0.1, 0.2, Unit.SECONDS), found, SURE)
    assert open_.outcome is Outcome.INCONCLUSIVE
    assert "more of them would not help" in open_.reason
    assert buckets([], 0.95, 0.1) is None
    assert buckets([(0.1, 0.0), (math.inf, 0.0)], 0.95, 0.1) is None


@given(st.integers(1, 400), st.floats(0.001, 0.999), st.data())
def test_the_exact_test_is_the_sum_of_its_terms(n: int, p: float, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    exact = math.fsum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))
    assert at_least(k, n, p) == pytest.approx(exact, abs=1e-9)


def evidence_of(kind: str, values: np.ndarray) -> Evidence:
    if kind == "quantiles":
        return Quantiles(np.sort(values), 0.9)
    if kind == "share":
        return Share(int((values > 0.5).sum()), values.size)
    edges = [(e, float((values <= e).sum())) for e in (0.1, 0.3, 0.5, 0.7, 0.9, math.inf)]
    found = buckets(edges, 0.9, float(np.quantile(values, 0.9)))
    assert found is not None
    return found


kinds = st.sampled_from(["quantiles", "share", "buckets"])
some = st.lists(st.floats(0, 1), min_size=1, max_size=300).map(np.array)


@given(kinds, some, st.floats(0.05, 0.95), st.floats(0, 1))
def test_nothing_is_surely_on_both_sides(
    kind: str, values: np.ndarray, threshold: float, by: float
) -> None:
    found = evidence_of(kind, values)
    higher = threshold + by * (1 - threshold)
    if found.surely_above(higher, 0.01):
        assert found.surely_above(threshold, 0.01)
        assert not found.surely_below(threshold, 0.01)
    low, high = found.span(0.95)
    assert low is None or high is None or low <= high


RANKS = {Outcome.PASS: 0, Outcome.WARN: 1, Outcome.INCONCLUSIVE: 2, Outcome.FAIL: 3}


@given(st.sampled_from(["quantiles", "share"]), some, st.integers(1, 200), st.floats(0.01, 0.3))
def test_bad_observations_never_improve_a_judgement(
    kind: str, values: np.ndarray, more: int, target: float
) -> None:
    promise = objective(target, min(0.9, 3 * target), Unit.SECONDS)
    before = judge(promise, evidence_of(kind, values), SURE)
    after = judge(promise, evidence_of(kind, np.r_[values, np.ones(more)]), SURE)
    assert RANKS[after.counts] >= RANKS[before.counts]
    assert after.missed >= before.missed


@given(kinds, some, st.floats(0.01, 0.3), st.floats(1, 3))
def test_wider_thresholds_never_worsen_a_judgement(
    kind: str, values: np.ndarray, target: float, factor: float
) -> None:
    found = evidence_of(kind, values)
    narrow = judge(objective(target, min(0.9, 2 * target), Unit.SECONDS), found, SURE)
    wider = min(0.95, factor * target)
    wide = judge(objective(wider, min(0.98, 2 * wider), Unit.SECONDS), found, SURE)
    assert RANKS[wide.counts] <= RANKS[narrow.counts]


def uneven(rng: np.random.Generator) -> np.ndarray:
    """The failure rate of each second: bad for three seconds at a time, now and then."""
    bad = np.zeros(30, dtype=bool)
    for second in np.flatnonzero(rng.random(30) < 0.04):
        bad[second : second + 3] = True
    return np.where(bad, 0.1, 0.002)


def test_an_interval_holds_what_was_so_in_its_own_phase_however_uneven_that_was() -> None:
    rng = np.random.default_rng(5)
    held, rounds = 0, 1500
    for _ in range(rounds):
        rates = uneven(rng)
        low, high = Share(int(rng.binomial(100, rates).sum()), 3000).span(0.95)
        assert low is not None
        assert high is not None
        held += low <= rates.mean() <= high
    assert wilson_interval(held, rounds).high >= 0.95


def test_a_quantile_holds_what_was_so_in_its_own_phase_however_uneven_that_was() -> None:
    rng = np.random.default_rng(6)
    held, rounds = 0, 800
    for _ in range(rounds):
        scale = np.exp(np.cumsum(rng.normal(0, 0.1, 30)))  # of each second, which remembers
        seen = Quantiles(np.sort(rng.exponential(np.repeat(scale, 100))), 0.95)
        low, high = seen.span(0.95)
        assert low is not None
        assert high is not None
        # The share below a bound, in truth: on which side of 95 % it lies says where p95 is.
        held += (1 - np.exp(-low / scale)).mean() <= 0.95 <= (1 - np.exp(-high / scale)).mean()
    assert wilson_interval(held, rounds).high >= 0.95


def test_the_effective_number_would_reward_failures_that_spread() -> None:
    """Why it is not what a phase is decided by; see slo.stats.estimates."""
    second = np.repeat(np.arange(20), 100)
    burst = np.zeros(second.size, dtype=bool)
    burst[:5] = True
    spread = burst.copy()
    spread[500:1000:100] = True  # five more, each in a second of its own
    assert (
        rate_estimate(spread, second).limits(1.96)[1] < rate_estimate(burst, second).limits(1.96)[1]
    )
    fewer, more = (Share(int(hits.sum()), hits.size).span(0.95).high for hits in (burst, spread))
    assert fewer is not None
    assert more is not None
    assert more > fewer


def test_a_service_at_its_target_fails_no_more_often_than_allowed() -> None:
    """Even right at the critical rate, one decision errs no more often than it may."""
    rng = np.random.default_rng(11)
    may, rounds = 0.01, 4000
    strict = Decision(confidence=0.95, error=may)
    fails = sum(
        judge(ERRORS, Share(int(k), 1200), strict).outcome is Outcome.FAIL
        for k in rng.binomial(1200, ERRORS.critical, rounds)
    )
    assert wilson_interval(fails, rounds).low <= may
