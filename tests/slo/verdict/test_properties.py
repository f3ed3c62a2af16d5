"""What must hold of any run: worse requests never make a better verdict."""

import tempfile
from collections.abc import Sequence
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.evidence.categories import Categories
from slo.evidence.journal import Threshold
from slo.evidence.recording import Recording, read_recording
from slo.evidence.samples import Samples, read_raw
from slo.indicators.client import error_rate, requests
from slo.latency_rule import OWN_FAULTS
from slo.model import ErrorKind, Outcome, Severity, Verdict
from slo.verdict.score import score
from tests.slo.builders import Act, Answer, Run, build, healthy

# What the load generator itself did not manage is missing evidence, which more requests outweigh.
KINDS = [k for k in ErrorKind if k is not ErrorKind.NONE and k not in OWN_FAULTS]


def recording(seed: int, trouble: float, length: float, delay: float) -> Recording:
    """A run with failures and slowness of the given shape after the injection."""

    def answer(rng: Random, offset: float) -> Answer:
        latency, error = healthy(rng, offset)
        if 0 <= offset < length and rng.random() < trouble:
            return latency + delay, rng.choice([*KINDS, ErrorKind.NONE])
        return latency, error

    run = Run(acts=(Act(answer=answer, severity=Severity.SEV2),), seed=seed, rate=30)
    with tempfile.TemporaryDirectory() as folder:
        return read_recording(build(run, Path(folder)))


recordings = st.builds(
    recording,
    st.integers(0, 10**6),
    st.sampled_from([0.0, 0.02, 0.3, 0.9]),
    st.sampled_from([1.0, 8.0, 39.0]),
    st.sampled_from([0.0, 0.15, 0.8]),
)


def changed(samples: Samples, chosen: Sequence[int], kind: ErrorKind) -> Samples:
    latency, status, error = samples.latency.copy(), samples.status.copy(), list(samples.error)
    for i in chosen:
        error[i], latency[i], status[i] = kind.value, max(latency[i], 5.0), 0
    return replace(samples, error=Categories.of(error), latency=latency, status=status)


def judged(verdict: Verdict) -> list[int]:
    return [r.outcome.rank for r in verdict.objectives if r.view.value == "client"]


@settings(max_examples=20, deadline=None)
@given(recordings, st.integers(1, 400), st.integers(0, 10**6))
def test_timeouts_in_place_of_answers_never_improve_a_verdict(
    found: Recording, count: int, seed: int
) -> None:
    assert found.samples is not None
    chosen = Random(seed).sample(range(len(found.samples)), count)
    worse = replace(found, samples=changed(found.samples, chosen, ErrorKind.TIMEOUT))
    before, after = score(found), score(worse)
    assert after.outcome.rank >= before.outcome.rank
    assert after.severity.rank <= before.severity.rank
    assert after.score <= before.score
    assert all(a >= b for a, b in zip(judged(after), judged(before), strict=True))


def more(samples: Samples, count: int, seed: int, kind: ErrorKind, latency: float) -> Samples:
    """With so many bad requests beside those that were there."""
    at = np.random.default_rng(seed).integers(0, len(samples), count)
    due, names = samples.intended_start[at], samples.endpoint.tolist()
    status = np.full(count, 503 if kind is ErrorKind.SERVER_ERROR else 200, dtype=np.int16)
    return Samples(
        np.concatenate([samples.intended_start, due]),
        np.concatenate([samples.start, due]),
        np.concatenate([samples.latency, np.full(count, latency)]),
        Categories.of([*names, *(names[i] for i in at.tolist())]),
        np.concatenate([samples.status, status]),
        Categories.of([*samples.error.tolist(), *[kind.value] * count]),
    )


@settings(max_examples=20, deadline=None)
@given(
    recordings,
    st.sampled_from([1, 3, 30, 400]),
    st.integers(0, 10**6),
    st.sampled_from([ErrorKind.SERVER_ERROR, ErrorKind.NONE]),
)
def test_more_bad_requests_never_improve_a_verdict(
    found: Recording, count: int, seed: int, kind: ErrorKind
) -> None:
    """Failing at once, or answered after 5 s, anywhere in the run."""
    assert found.samples is not None
    worse = replace(found, samples=more(found.samples, count, seed, kind, 5.0))
    before, after = score(found), score(worse)
    assert after.outcome.rank >= before.outcome.rank
    assert after.severity.rank <= before.severity.rank
    assert after.score <= before.score


@settings(max_examples=15, deadline=None)
@given(recordings, st.integers(1, 5))
def test_one_run_in_many_files_is_one_run(found: Recording, parts: int) -> None:
    """As several load workers write it; and windows side by side count what the whole counts."""
    samples = found.samples
    assert samples is not None
    columns = [getattr(samples, f.name).tolist() for f in fields(Samples)]
    rows = list(zip(*columns, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        for part in range(parts):
            text = "".join(",".join(map(_written, row)) + "\n" for row in rows[part::parts])
            (Path(folder) / f"samples-{part}.csv").write_text(text)
        merged = replace(found, samples=read_raw(Path(folder)))
    assert score(merged) == score(found)
    due = requests(samples)
    start, end = float(due.due[0]), float(due.due[-1]) + 1
    edges = np.linspace(start, end, parts + 1).tolist()
    split = due.within(list(pairwise(edges)))
    whole = due.between(start, end)
    assert error_rate(split) == error_rate(whole)
    assert np.array_equal(split.latencies(), whole.latencies())


def _written(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


@settings(max_examples=20, deadline=None)
@given(recordings, st.floats(1, 20))
def test_wider_thresholds_never_worsen_a_verdict(found: Recording, factor: float) -> None:
    def scored(by: float) -> Verdict:
        thresholds = {
            "response_time_p95": Threshold(target=0.05 * by, critical=0.2 * by),
            "error_rate": Threshold(target=min(0.001 * by, 0.4), critical=min(0.01 * by, 0.5)),
        }
        started = found.started.model_copy(update={"thresholds": thresholds})
        return score(replace(found, started=started))

    narrow, wide = scored(1), scored(factor)
    # A wider error rate needs fewer requests, so that inconclusive may become a pass.
    assert wide.outcome.rank <= narrow.outcome.rank
    assert wide.severity.rank >= narrow.severity.rank


@settings(max_examples=20, deadline=None)
@given(recordings, st.integers(0, 10**6))
def test_the_order_of_samples_does_not_matter(found: Recording, seed: int) -> None:
    samples = found.samples
    assert samples is not None
    order = np.random.default_rng(seed).permutation(len(samples))
    shuffled = Samples(
        samples.intended_start[order],
        samples.start[order],
        samples.latency[order],
        samples.endpoint[order],
        samples.status[order],
        samples.error[order],
    )
    assert score(replace(found, samples=shuffled)) == score(found)


@settings(max_examples=20, deadline=None)
@given(recordings)
def test_less_evidence_is_never_a_better_verdict(found: Recording) -> None:
    """Without samples, without metrics, without the journal's end."""
    full = score(found)
    for poorer in (
        replace(found, samples=None),
        replace(found, measurements=()),
        replace(found, journal=found.journal[:-1]),
    ):
        verdict = score(poorer)
        assert verdict.outcome in {Outcome.INCONCLUSIVE, Outcome.FAIL}
        assert verdict.score <= full.score
