"""Release against release, through the recordings of runs."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.compare.comparison import ComparisonError, compare, with_comparison
from slo.evidence.categories import Categories
from slo.evidence.recording import Recording, read_recording
from slo.evidence.samples import Samples
from slo.model import Difference, ErrorKind, Outcome, ReleaseComparison
from slo.policy import ComparisonPolicy, Policy
from slo.verdict.score import score
from tests.slo.builders import Act, Answer, Run, build, healthy


def slow(delay: float, share: float = 1.0) -> Callable[[Random, float], Answer]:
    def answer(rng: Random, offset: float) -> Answer:
        latency, error = healthy(rng, offset)
        return latency + (delay if rng.random() < share else 0), error

    return answer


def failing(share: float) -> Callable[[Random, float], Answer]:
    def answer(rng: Random, offset: float) -> Answer:
        latency, error = healthy(rng, offset)
        return latency, ErrorKind.SERVER_ERROR if rng.random() < share else error

    return answer


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Recording]:
    """A run of 30 s at 120 requests/s before, and a few seconds of fault and recovery."""

    def make(
        answer: Callable[[Random, float], Answer] = healthy,
        *,
        seed: int = 1,
        baseline: float = 30.0,
        **changes: object,
    ) -> Recording:
        act = Act(answer=answer, baseline=baseline, fault=3.0, recovery=3.0)
        run = replace(Run(acts=(act,), seed=seed, rate=120.0), **changes)  # type: ignore[arg-type]
        return read_recording(build(run, tmp_path_factory.mktemp("run")))

    return make


Record = Callable[..., Recording]


def row(found: ReleaseComparison, endpoint: str, quantity: str) -> Difference:
    (one,) = (d for d in found.differences if (d.endpoint, d.quantity) == (endpoint, quantity))
    return one


def test_equal_releases_pass(record: Record) -> None:
    found = compare(record(seed=2), record(seed=1))
    assert found.outcome is Outcome.PASS
    assert (found.differences[0].endpoint, found.differences[0].quantity) == ("", "error rate")
    assert len(found.differences) == 1 + 4 * 4
    assert {o.endpoint for o in found.orders} == {d.endpoint for d in found.differences} - {""}
    assert all(d.interval and d.interval.confidence == 0.99 for d in found.differences if d.judged)


def test_a_slow_release_fails_with_an_interval_around_its_delay(record: Record) -> None:
    found = compare(record(slow(0.060), seed=2), record(seed=1))
    assert found.outcome is Outcome.FAIL
    median = row(found, "POST /score", "p50")
    assert median.interval is not None
    assert median.interval.low < 0.060 < median.interval.high
    assert median.interval.low > 0.055
    assert all(o.slower > 0.95 and o.p < 0.001 for o in found.orders)
    assert "slower, surely more than the 25 ms that matter" in found.headline


def test_a_failing_release_fails_by_its_error_rate(record: Record) -> None:
    found = compare(record(failing(0.02), seed=2), record(seed=1))
    assert found.outcome is Outcome.FAIL
    assert row(found, "", "error rate").outcome is Outcome.FAIL
    assert row(found, "POST /score", "p50").outcome is Outcome.PASS


def test_a_faster_release_passes(record: Record) -> None:
    found = compare(record(seed=2), record(slow(0.060), seed=1))
    assert found.outcome is Outcome.PASS
    assert "faster" in row(found, "POST /score", "p50").reason


def test_what_happens_in_the_fault_is_not_compared(record: Record) -> None:
    def broken(rng: Random, offset: float) -> Answer:
        latency, error = healthy(rng, offset)
        return (5.0, ErrorKind.TIMEOUT) if offset >= 0 else (latency, error)

    assert compare(record(broken, seed=2), record(seed=1)).outcome is Outcome.PASS


def test_too_little_is_inconclusive_and_says_how_much_is_needed(record: Record) -> None:
    found = compare(record(seed=2, baseline=12.0, rate=30.0), record(seed=1))
    assert found.outcome is Outcome.INCONCLUSIVE
    rate = row(found, "", "error rate")
    assert rate.outcome is Outcome.INCONCLUSIVE
    assert rate.more is not None
    assert rate.more > 1
    assert "would settle it" in rate.reason
    enough = compare(record(seed=2, baseline=12.0 * rate.more * 1.2, rate=30.0), record(seed=1))
    assert row(enough, "", "error rate").outcome is Outcome.PASS


def test_few_windows_are_no_evidence_however_full(record: Record) -> None:
    found = compare(record(seed=2, baseline=5.0, rate=600.0), record(seed=1))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "only 5 windows of 1 s, 10 are needed" in found.headline


def test_a_busy_machine_is_not_the_release(record: Record) -> None:
    """The generator came ten times as late as in the baseline, and four in five requests waited."""
    waits = slow(0.100, 0.8)
    quiet = record(seed=1, late=lambda _rng, _t: 0.001)
    found = compare(record(waits, seed=2, late=lambda _rng, _t: 0.010), quiet)
    assert found.outcome is Outcome.INCONCLUSIVE
    median = row(found, "POST /score", "p50")
    assert median.machine == pytest.approx(10)
    assert "the machine was busy (the load generator 10 times as late)" in median.reason
    blamed = compare(record(waits, seed=2, late=lambda _rng, _t: 0.001), quiet)
    assert blamed.outcome is Outcome.FAIL
    assert row(blamed, "POST /score", "p50").outcome is Outcome.FAIL


def test_a_slow_release_is_found_on_a_busy_machine(record: Record) -> None:
    """Waiting spares some requests; the release spares none."""
    late = {"late": lambda _rng, _t: 0.010}
    found = compare(record(slow(0.060), seed=2, **late), record(slow(0.100, 0.5), seed=1, **late))
    assert found.outcome is Outcome.FAIL
    assert row(found, "POST /score", "p10").outcome is Outcome.FAIL


def test_on_a_busy_machine_failures_count_that_the_service_answered_itself(record: Record) -> None:
    late = {"late": lambda _rng, _t: 0.010}
    good, away = record(seed=1, **late), record(failing(0.02), seed=2, **late)
    assert away.samples is not None
    assert set(away.samples.status.tolist()) == {200, 503}
    found = compare(away, good)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "by answers of its own 0 % more" in row(found, "", "error rate").reason
    crashed = np.where(away.samples.status == 503, 500, 200).astype(np.int16)
    wrong = replace(away, samples=replace(away.samples, status=crashed))
    assert row(compare(wrong, good), "", "error rate").outcome is Outcome.FAIL


def test_a_generator_that_came_late_judges_no_response_time(record: Record) -> None:
    late = record(slow(0.060), seed=2, late=lambda _rng, _t: 0.3)
    found = compare(late, record(seed=1))
    assert {d.outcome for d in found.differences if d.quantity == "p50"} == {Outcome.INCONCLUSIVE}
    assert row(found, "", "error rate").outcome is Outcome.PASS
    (note,) = found.notes
    assert note.startswith("No response time is judged: in this run 1 % of the requests started")


def test_load_that_was_not_sent_never_passes(record: Record) -> None:
    found = compare(record(seed=2, sent_share=0.5), record(seed=1))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.notes[0].startswith("Nothing passes: of this run, ")
    found = compare(record(slow(0.060), seed=2, sent_share=0.5), record(seed=1))
    assert found.outcome is Outcome.FAIL


def test_a_run_without_requests_is_inconclusive(record: Record) -> None:
    one, empty = record(seed=1), replace(record(seed=2), samples=None)
    assert compare(empty, one).outcome is Outcome.INCONCLUSIVE
    assert compare(one, empty).outcome is Outcome.INCONCLUSIVE
    assert compare(empty, empty).outcome is Outcome.INCONCLUSIVE


def test_an_endpoint_that_only_one_run_has_is_inconclusive(record: Record) -> None:
    one, two = record(seed=1), record(seed=2)
    assert two.samples is not None
    renamed = Categories.of(
        name.replace("POST /score", "POST /v2/score") for name in two.samples.endpoint
    )
    found = compare(replace(two, samples=replace(two.samples, endpoint=renamed)), one)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert row(found, "POST /score", "p50").reason == "no such answer in this run"
    assert row(found, "POST /v2/score", "p50").reason == "no such answer in the baseline run"


def test_different_loads_are_not_compared(record: Record) -> None:
    one, two = record(seed=1), record(seed=2)
    other = replace(two, started=two.started.model_copy(update={"scenario": "spike"}))
    with pytest.raises(ComparisonError, match="under the load 'spike'"):
        compare(other, one)


def test_runs_without_load_have_nothing_to_compare(record: Record) -> None:
    run = record(seed=1)
    quiet = replace(run, started=run.started.model_copy(update={"scenario": ""}), samples=None)
    with pytest.raises(ComparisonError, match="had no load: there are no requests to compare"):
        compare(quiet, quiet)


def test_the_policy_decides_what_matters(record: Record) -> None:
    policy = Policy.model_validate({"comparison": {"slower": {"absolute": "100ms"}}})
    tolerant = replace(record(slow(0.060), seed=2), policy=policy)
    found = compare(tolerant, record(seed=1))
    assert found.outcome is Outcome.PASS
    assert "that matter" in row(found, "POST /score", "p50").reason


def test_a_comparison_never_improves_a_verdict(record: Record) -> None:
    bad, good = record(slow(0.060), seed=2), record(seed=1)
    alone = score(bad)
    together = with_comparison(alone, compare(bad, good))
    assert alone.outcome is not Outcome.FAIL
    assert together.outcome is Outcome.FAIL
    assert together.comparison is not None
    assert together.headline == together.comparison.headline
    failed = with_comparison(replace(alone, outcome=Outcome.FAIL), compare(good, good))
    assert failed.outcome is Outcome.FAIL
    assert failed.headline == alone.headline


# Of any run


@pytest.fixture(scope="module")
def some(record: Record) -> Iterator[Recording]:
    return record(seed=5)


def shaken(base: Recording, seed: int, noise: float, errors: float) -> Recording:
    rng, samples = np.random.default_rng(seed), base.samples
    assert samples is not None
    failed = rng.random(len(samples)) < errors
    changed = replace(
        samples,
        latency=samples.latency * np.exp(rng.normal(0, noise, len(samples))),
        error=Categories((~failed).astype(np.int32), ("5xx", "none")),
        status=np.where(failed, 500, 200).astype(np.int16),
    )
    return replace(base, samples=changed)


noises, rates = st.sampled_from([0.0, 0.3, 1.5]), st.sampled_from([0.0, 0.01, 0.3])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), noise=noises, errors=rates)
def test_identical_runs_never_fail(some: Recording, seed: int, noise: float, errors: float) -> None:
    run = shaken(some, seed, noise, errors)
    found = compare(run, run)
    assert found.outcome in {Outcome.PASS, Outcome.INCONCLUSIVE}
    assert all(d.change == 0 for d in found.differences)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), noise=noises, errors=rates)
def test_swapping_the_runs_mirrors_every_change(
    some: Recording, seed: int, noise: float, errors: float
) -> None:
    one, two = some, shaken(some, seed, noise, errors)
    there, back = compare(two, one), compare(one, two)
    for a, b in zip(there.differences, back.differences, strict=True):
        assert a.change == -(b.change or 0.0)
    for a_order, b_order in zip(there.orders, back.orders, strict=True):
        assert a_order.slower == pytest.approx(1 - b_order.slower)
    assert not (there.outcome is Outcome.FAIL and errors == noise == 0)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), noise=noises, errors=rates)
def test_the_order_of_samples_does_not_matter(
    some: Recording, seed: int, noise: float, errors: float
) -> None:
    run = shaken(some, seed, noise, errors)
    assert run.samples is not None
    order = np.random.default_rng(seed).permutation(len(run.samples))
    columns = ("intended_start", "start", "latency", "endpoint", "status", "error")
    shuffled = Samples(*(getattr(run.samples, name)[order] for name in columns))
    assert compare(replace(run, samples=shuffled), some) == compare(run, some)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), delays=st.tuples(st.integers(0, 300), st.integers(0, 300)))
def test_a_longer_delay_never_makes_a_better_outcome(
    some: Recording, seed: int, delays: tuple[int, int]
) -> None:
    """Of each latency, and so of the whole; warn and inconclusive are both "not sure"."""
    base = shaken(some, seed, 0.3, 0.0)
    assert base.samples is not None
    unsure = {Outcome.PASS: 0, Outcome.WARN: 1, Outcome.INCONCLUSIVE: 1, Outcome.FAIL: 2}
    outcomes = []
    for delay in sorted(delays):
        later = replace(base.samples, latency=base.samples.latency + delay / 1000)
        outcomes.append(unsure[compare(replace(base, samples=later), some).outcome])
    assert outcomes == sorted(outcomes)


def test_confidence_is_a_promise_over_all_rows(record: Record) -> None:
    """With more endpoints, each has to be clearer: Holm's first level is alpha / m."""
    found = compare(record(seed=2), record(seed=1))
    one = ComparisonPolicy(quantiles=(0.5,))
    fewer = compare(replace(record(seed=2), policy=Policy(comparison=one)), record(seed=1))
    wide, narrow = (row(f, "POST /score", "p50").interval for f in (found, fewer))
    assert wide is not None
    assert narrow is not None
    assert wide.low <= narrow.low
    assert wide.high == narrow.high
