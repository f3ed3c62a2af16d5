"""What the generator did not send or spoiled: neither an error of the service nor a good sign."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.gameday import RUNBOOK
from slo.evidence.journal import LoadEnded
from slo.evidence.recording import read_recording
from slo.evidence.samples import Samples
from slo.indicators.client import requests
from slo.model import ErrorKind, Outcome, PhaseKind, Sample, Verdict, View
from slo.policy import Policy
from slo.runbook.reader import read_runbook
from slo.verdict.load_alone import LoadVerdict, judge_load
from slo.verdict.score import score
from tests.slo.builders import Act, Answer, Run, build, healthy

OWN = [ErrorKind.NOT_SENT, ErrorKind.GENERATOR]
OBJECTIVES = read_runbook(RUNBOOK).objectives


def but(kind: ErrorKind, when: Callable[[float], bool], every: int = 1) -> Callable[..., Answer]:
    """A healthy service; of those due `when`, by the offset from the injection, one in `every`."""

    def answer(rng: Random, offset: float) -> Answer:
        latency, error = healthy(rng, offset)
        return (0.0, kind) if when(offset) and rng.randrange(every) == 0 else (latency, error)

    return answer


def judged(tmp_path: Path, answer: Callable[[Random, float], Answer]) -> Verdict:
    run = Run(acts=(Act(answer=answer, baseline=60.0, fault=60.0, recovery=60.0),))
    return score(read_recording(build(run, tmp_path / "run")))


@pytest.mark.parametrize("kind", OWN)
def test_a_few_are_left_out_of_errors_and_latency(tmp_path: Path, kind: ErrorKind) -> None:
    verdict = judged(tmp_path, but(kind, lambda _: True, every=50))
    assert verdict.outcome is Outcome.PASS, verdict.headline
    client = [r for r in verdict.objectives if r.view is View.CLIENT]
    errors = [r.indicator.value for r in client if r.objective.name == "error_rate"]
    assert errors == [0.0, 0.0, 0.0]
    assert not any(kind.value in e.errors for e in verdict.endpoints)


@pytest.mark.parametrize("kind", OWN)
def test_too_many_in_one_phase_make_that_phase_inconclusive(
    tmp_path: Path, kind: ErrorKind
) -> None:
    """4 s of 60 are 7 % of the baseline, and 2 % of the run."""
    verdict = judged(tmp_path, but(kind, lambda offset: -20 <= offset < -16))
    client = [r for r in verdict.objectives if r.view is View.CLIENT and r.judged]
    outcomes = {p: {r.outcome for r in client if r.phase is p} for p in PhaseKind}
    assert outcomes[PhaseKind.BASELINE] == {Outcome.INCONCLUSIVE}
    assert outcomes[PhaseKind.RECOVERY] == {Outcome.PASS}
    assert verdict.outcome is Outcome.INCONCLUSIVE
    reasons = {r.reason for r in client if r.phase is PhaseKind.BASELINE}
    assert all(
        "400 of 6000 requests that were due in this time were never sent" in r for r in reasons
    )


def test_who_was_not_sent_during_the_incident_is_no_proof_of_no_harm(tmp_path: Path) -> None:
    verdict = judged(tmp_path, but(ErrorKind.NOT_SENT, lambda offset: 2 <= offset < 14))
    (experiment,) = verdict.experiments
    checks = {c.name: c.outcome for c in experiment.checks}
    assert checks["severity"] is checks["recovery"] is Outcome.INCONCLUSIVE


def alone(rows: list[Sample], reason: str = "") -> LoadVerdict:
    samples = Samples.from_rows(rows)
    ended = LoadEnded(
        time=datetime(2026, 3, 14, tzinfo=UTC),
        scheduled=len(samples),
        sent=len(samples.of_the_service()),
        reason=reason,
        cpu_share=0.1,
    )
    return judge_load("test", ended, samples, OBJECTIVES, Policy())


def row(i: int, kind: ErrorKind = ErrorKind.NONE, latency: float = 0.01) -> Sample:
    status = {ErrorKind.NONE: 200, ErrorKind.SERVER_ERROR: 500}.get(kind, 0)
    return Sample(1e9 + i / 100, 1e9 + i / 100, latency, "GET /", status, kind)


def test_a_load_alone_is_judged_by_the_promises_that_clients_can_see() -> None:
    good = alone([row(i) for i in range(20_000)])
    assert good.outcome is Outcome.PASS
    assert {p.objective.name for p in good.promises} >= {"error_rate", "response_time_p95"}
    bad = alone(
        [row(i, ErrorKind.SERVER_ERROR if i % 10 == 0 else ErrorKind.NONE) for i in range(5000)]
    )
    assert bad.outcome is Outcome.FAIL
    thin = alone([row(i) for i in range(20)])
    assert thin.outcome is Outcome.INCONCLUSIVE


def test_a_load_of_which_much_was_not_sent_passes_nothing_and_can_still_fail() -> None:
    missing = [row(i, ErrorKind.NOT_SENT) for i in range(2000)]
    rest = range(2000, 20_000)
    assert alone(missing + [row(i) for i in rest]).outcome is Outcome.INCONCLUSIVE
    slow = alone(missing + [row(i, ErrorKind.TIMEOUT, 5.0) for i in rest])
    assert slow.outcome is Outcome.FAIL
    stalled = alone([row(i) for i in range(20_000)], "the load generator stood still for 4.0 s")
    assert stalled.outcome is Outcome.INCONCLUSIVE


@settings(deadline=None)
@given(st.lists(st.sampled_from(list(ErrorKind)), max_size=200))
def test_what_is_judged_and_what_was_not_made_is_all_that_was_due(kinds: list[ErrorKind]) -> None:
    samples = Samples.from_rows([row(i, kind) for i, kind in enumerate(kinds)])
    found = requests(samples)
    assert len(found) + samples.not_made().size == len(kinds)
    assert int(found.failed.sum()) == sum(k not in {ErrorKind.NONE, *OWN} for k in kinds)
