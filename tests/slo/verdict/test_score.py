"""Verdicts of synthetic runs with known truth, through the run directory as a real run."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from slo.evidence.journal import Threshold
from slo.evidence.recording import RecordingError, read_recording
from slo.exit_codes import ExitCode, of
from slo.model import ErrorKind, Indicator, Outcome, PhaseKind, Severity, Verdict, View
from slo.verdict import verdict_json
from slo.verdict.objectives import ThresholdError
from slo.verdict.score import score
from tests.slo.builders import EXAMPLES, Act, Answer, Run, build, healthy, outage, slow

P95, ERRORS = "response_time_p95", "error_rate"


@pytest.fixture
def judge(tmp_path: Path) -> "Judge":
    return Judge(tmp_path)


class Judge:
    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0

    def __call__(self, run: Run) -> Verdict:
        self._count += 1
        return score(read_recording(build(run, self._folder / str(self._count))))


def check(verdict: Verdict, name: str) -> tuple[Outcome, str, str]:
    (found,) = [c for c in verdict.experiments[0].checks if c.name == name]
    return found.outcome, found.observed, found.evidence


def result(
    verdict: Verdict, name: str, phase: PhaseKind, view: View = View.CLIENT
) -> tuple[Outcome, float | None, str]:
    (found,) = [
        r
        for r in verdict.objectives
        if (r.objective.name, r.phase, r.view) == (name, phase, view)
        and r.experiment == verdict.experiments[0].name
    ]
    return found.outcome, found.indicator.value, found.reason


def test_a_service_that_does_not_notice_passes_with_full_points(judge: Judge) -> None:
    verdict = judge(Run())
    assert (verdict.outcome, verdict.score, verdict.severity) == (
        Outcome.PASS,
        100.0,
        Severity.NONE,
    )
    assert of(verdict) is ExitCode.PASS
    assert verdict.headline == (
        "The service kept its promises: 1 of 1 experiment passed; no fault became an incident."
    )
    assert check(verdict, "recovery")[1] == "never past a critical threshold"
    experiment = verdict.experiments[0]
    assert (experiment.time_to_detect_s, experiment.time_to_recover_s) == (None, 0.0)


def test_a_short_dip_is_timed_from_the_confirmed_effect(judge: Judge) -> None:
    """All fail from 1 s to 3 s after the injection; windows of 1 s; confirmed after 0.5 s."""
    act = Act(
        answer=outage(1.0, 3.0, share=0.9), window=1.0, confirmed_after=0.5, severity=Severity.SEV2
    )
    verdict = judge(Run(acts=(act,)))
    experiment = verdict.experiments[0]
    assert verdict.outcome is Outcome.PASS
    assert experiment.time_to_detect_s == pytest.approx(1.5)
    assert experiment.time_to_recover_s == pytest.approx(2.5)
    assert check(verdict, "recovery")[2].startswith("3.0 s after the injection")
    labels = [m.label for m in verdict.marks]
    assert labels == ["injected", "confirmed", "recovered", "reverted"]


def test_a_recovery_that_takes_longer_than_its_limit_fails(judge: Judge) -> None:
    act = Act(answer=outage(0, 9, share=0.3), recover_within=5, severity=Severity.SEV1)
    verdict = judge(Run(acts=(act,)))
    assert check(verdict, "recovery")[:2] == (Outcome.FAIL, "after 9.6 s")
    assert of(verdict) is ExitCode.FAIL


def test_what_never_recovers_fails_and_has_no_time(judge: Judge) -> None:
    verdict = judge(Run(acts=(Act(answer=outage(5, 99, share=0.3), severity=Severity.SEV1),)))
    assert check(verdict, "recovery")[:2] == (
        Outcome.FAIL,
        "not back by the end of the recovery phase",
    )
    assert verdict.experiments[0].time_to_recover_s is None


@pytest.mark.parametrize(
    ("answer", "severity"),
    [
        (outage(2, 8), Severity.SEV1),
        (outage(2, 8, share=0.7), Severity.SEV1),
        (outage(2, 6), Severity.SEV2),  # 4 seconds are no stretch, but 20 % of the phase
        (outage(0, 20, share=0.3), Severity.SEV2),
        (slow(0, 20, 0.6), Severity.SEV2),
        (slow(0, 20, 0.2), Severity.SEV3),
        (outage(0, 1, share=0.08), Severity.SEV3),
        (slow(21, 99, 0.6), Severity.SEV2),  # only once the recovery phase has begun
        (healthy, Severity.NONE),
    ],
)
def test_severity_follows_its_table(judge: Judge, answer: object, severity: Severity) -> None:
    verdict = judge(Run(acts=(Act(answer=answer),)))  # type: ignore[arg-type]
    assert verdict.severity is severity
    worse = severity.rank < Severity.SEV3.rank
    assert check(verdict, "severity")[0] is (Outcome.FAIL if worse else Outcome.PASS)


@pytest.mark.parametrize(
    ("value", "severity"), [(0.95, Severity.SEV3), (0.995, Severity.SEV4), (1.0, Severity.NONE)]
)
def test_what_users_do_not_see_is_sev3_at_worst(
    judge: Judge, value: float, severity: Severity
) -> None:
    act = Act(server={("pod_availability", PhaseKind.FAULT): value})
    assert judge(Run(acts=(act,))).severity is severity


def test_missing_metrics_leave_a_severity_open_only_where_they_could_hide_a_worse_one(
    judge: Judge,
) -> None:
    gone = {("pod_availability", PhaseKind.FAULT): None}
    lenient = judge(Run(acts=(Act(server=gone, severity=Severity.SEV3),)))
    strict = judge(Run(acts=(Act(server=gone, severity=Severity.SEV4),)))
    assert check(lenient, "severity")[0] is Outcome.PASS
    assert check(strict, "severity")[0] is Outcome.INCONCLUSIVE
    assert of(strict) is ExitCode.INCONCLUSIVE


def test_a_threshold_of_the_plan_stands_in_place_of_the_runbooks(judge: Judge) -> None:
    verdict = judge(Run(thresholds={P95: Threshold(target=0.001, critical=0.001)}))
    assert result(verdict, P95, PhaseKind.BASELINE)[0] is Outcome.FAIL
    assert of(verdict) is ExitCode.FAIL
    assert any(P95 in note for note in verdict.notes)


def test_a_threshold_for_an_objective_that_is_not_there_is_refused(judge: Judge) -> None:
    with pytest.raises(ThresholdError, match="no objective 'p95'; it has response_time_p95, "):
        judge(Run(thresholds={"p95": Threshold(target=1, critical=2)}))


def test_a_fault_phase_is_shown_and_not_judged(judge: Judge) -> None:
    verdict = judge(Run(acts=(Act(answer=slow(0, 19, 2), severity=Severity.SEV2),)))
    assert result(verdict, P95, PhaseKind.FAULT)[0] is Outcome.FAIL
    assert not any(r.judged for r in verdict.objectives if r.phase is PhaseKind.FAULT)
    assert verdict.outcome is not Outcome.FAIL or verdict.experiments[0].outcome is Outcome.FAIL


def test_latency_counts_from_when_a_request_was_due(judge: Judge) -> None:
    """Starts are 200 ms late in the recovery phase, as behind a stalled service."""
    verdict = judge(Run(late=lambda _r, t: 0.2 if t > 41 else 0.0))
    outcome, value, _ = result(verdict, P95, PhaseKind.RECOVERY)
    assert outcome is Outcome.WARN
    assert value is not None
    assert value > 0.2


def test_a_generator_that_is_late_makes_a_breach_inconclusive_and_not_failed(judge: Judge) -> None:
    verdict = judge(Run(late=lambda _r, _t: 0.6))
    assert result(verdict, P95, PhaseKind.BASELINE)[0] is Outcome.INCONCLUSIVE
    (errors,) = [p for p in verdict.promises if p.objective.name == ERRORS]
    assert errors.outcome is Outcome.PASS
    assert verdict.load.outcome is Outcome.INCONCLUSIVE
    assert "late" in verdict.headline


def test_a_breach_that_stands_without_the_lateness_stays_a_failure(judge: Judge) -> None:
    run = Run(acts=(Act(answer=slow(-99, 99, 0.7)),), late=lambda _r, _t: 0.6)
    verdict = judge(run)
    assert result(verdict, P95, PhaseKind.BASELINE)[0] is Outcome.FAIL


def test_requests_that_were_never_sent_prove_nothing(judge: Judge) -> None:
    verdict = judge(Run(sent_share=0.9))
    assert result(verdict, P95, PhaseKind.BASELINE)[0] is Outcome.INCONCLUSIVE
    assert result(verdict, ERRORS, PhaseKind.BASELINE)[0] is Outcome.INCONCLUSIVE
    assert of(verdict) is ExitCode.INCONCLUSIVE


@pytest.mark.parametrize(
    ("rate", "open_", "more"),
    [
        (3, {P95: "about 73 would be", ERRORS: "about 381 would be"}, Outcome.INCONCLUSIVE),
        (10, {ERRORS: "about 381 would be"}, Outcome.INCONCLUSIVE),
        (40, {ERRORS: "about 3,838 would be"}, Outcome.WARN),
    ],
)
def test_too_few_requests_are_said_to_be_too_few(
    judge: Judge, rate: float, open_: dict[str, str], more: Outcome
) -> None:
    """60, 200 and 800 in the baseline; p95 needs 73, an error rate of 1 % 381, of 0.1 % 3,838."""
    verdict = judge(Run(rate=rate))
    found = {n for n in (P95, ERRORS) if result(verdict, n, PhaseKind.BASELINE)[0].rank >= 2}
    assert found == set(open_)
    for name, words in open_.items():
        assert words in result(verdict, name, PhaseKind.BASELINE)[2]
    assert verdict.outcome is more


def test_a_target_that_no_phase_can_show_is_settled_by_all_of_them_together(judge: Judge) -> None:
    verdict = judge(Run())
    phase = result(verdict, ERRORS, PhaseKind.BASELINE)
    assert (phase[0], "about 3,838 would be enough" in phase[2]) == (Outcome.INCONCLUSIVE, True)
    (promise,) = [p for p in verdict.promises if p.objective.name == ERRORS]
    assert (promise.outcome, promise.indicator.count, promise.phases) == (Outcome.PASS, 4000, 2)
    assert verdict.outcome is Outcome.PASS


def test_a_timeout_does_not_make_latency_better(judge: Judge) -> None:
    def hangs(rng: Random, offset: float) -> Answer:
        return (5.0, ErrorKind.TIMEOUT) if rng.random() < 0.1 else healthy(rng, offset)

    def breaks(rng: Random, offset: float) -> Answer:
        return (0.0001, ErrorKind.REFUSED) if rng.random() < 0.1 else healthy(rng, offset)

    hanging, breaking, well = (
        result(judge(Run(acts=(Act(answer=a),))), P95, PhaseKind.BASELINE)[1]
        for a in (hangs, breaks, healthy)
    )
    assert hanging == pytest.approx(5.0, abs=0.01)
    assert breaking is not None
    assert well is not None
    assert breaking == pytest.approx(well, rel=0.1)


def test_prometheus_gone_halfway_is_inconclusive(judge: Judge) -> None:
    gone = {
        (sli, phase): None
        for sli in ("cpu_utilization", "memory_usage", "pod_availability", "faiss_query_time", P95)
        for phase in PhaseKind
    }
    verdict = judge(Run(acts=(Act(), Act(name="second", server=gone))))
    assert of(verdict) is ExitCode.INCONCLUSIVE
    assert "Prometheus gave no answer" in verdict.headline


def test_a_partial_answer_is_inconclusive_and_quoted_in_the_notes(tmp_path: Path) -> None:
    warning, remark = "No StoreAPIs matched for this query", "PromQL info: a remark"
    recording = read_recording(build(Run(), tmp_path / "run"))
    said = []
    for m in recording.measurements:
        if m.sli == "cpu_utilization" and m.phase is PhaseKind.RECOVERY:
            missing = Indicator(value=None, count=0, missing=f"partial answer: {warning}")
            said.append(replace(m, indicator=missing, warnings=(warning,)))
        elif m.sli == "memory_usage":
            said.append(replace(m, warnings=(remark,)))
        else:
            said.append(m)
    assert score(recording).outcome is Outcome.PASS
    remarked = score(replace(recording, measurements=tuple(said)))
    assert remarked.outcome is Outcome.INCONCLUSIVE
    assert warning in remarked.headline
    assert (
        f"Prometheus said beside its answers about cpu_utilization (kill-one recovery)"
        f': "{warning}".' in remarked.notes
    )
    (note,) = [n for n in remarked.notes if remark in n]
    assert "memory_usage (kill-one baseline, kill-one fault, kill-one recovery)" in note


@pytest.mark.parametrize("lost", ["samples", "metrics"])
def test_evidence_that_is_not_there_is_never_a_pass(judge: Judge, lost: str) -> None:
    verdict = judge(replace(Run(), **{lost: False}))  # type: ignore[arg-type]
    assert of(verdict) is ExitCode.INCONCLUSIVE
    assert any(f"{lost}.parquet is missing" in note for note in verdict.notes)


@pytest.mark.parametrize(
    ("act", "observed"),
    [
        (Act(story="unconfirmed"), "not seen"),
        (Act(story="refused"), "refused"),
        (Act(story="unsteady"), "nothing was injected"),
    ],
)
def test_a_fault_that_did_not_bite_proves_nothing(judge: Judge, act: Act, observed: str) -> None:
    verdict = judge(Run(acts=(act,)))
    assert check(verdict, "effect")[:2] == (Outcome.INCONCLUSIVE, observed)
    assert verdict.experiments[0].time_to_recover_s is None
    assert of(verdict) is ExitCode.INCONCLUSIVE


def test_a_fault_that_is_stuck_outweighs_everything(judge: Judge) -> None:
    verdict = judge(Run(acts=(Act(undone="stuck"),), ended_by="aborted"))
    assert of(verdict) is ExitCode.FAULT_STUCK
    assert "someone must look now" in verdict.headline
    assert verdict.marks[-1].label == "stuck"


def test_what_did_not_come_back_in_time_is_a_failure_and_no_fault_that_is_left(
    judge: Judge,
) -> None:
    verdict = judge(Run(acts=(Act(undone="not whole"),)))
    assert check(verdict, "undone")[0] is Outcome.PASS
    assert check(verdict, "whole")[:2] == (Outcome.FAIL, "not whole")
    assert of(verdict) is ExitCode.FAIL
    assert "someone must look now" not in verdict.headline


def test_a_fault_of_which_nobody_knows_whether_it_is_gone_is_inconclusive(judge: Judge) -> None:
    assert check(judge(Run(acts=(Act(undone="unknown"),))), "undone")[0] is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("ended_by", "code"),
    [("aborted", ExitCode.ABORTED), ("interrupted", ExitCode.INCONCLUSIVE)],
)
def test_a_run_that_was_ended_is_inconclusive_at_best(
    judge: Judge, ended_by: str, code: ExitCode
) -> None:
    well = judge(Run(ended_by=ended_by))  # type: ignore[arg-type]
    assert (well.outcome, of(well)) == (Outcome.INCONCLUSIVE, code)
    bad = judge(Run(acts=(Act(answer=outage(-99, 99)),), ended_by=ended_by))  # type: ignore[arg-type]
    assert bad.outcome is Outcome.FAIL
    assert bad.headline.startswith("Failed before the fault: ")
    assert f"the run was {ended_by}" in bad.headline
    # What was seen of it is said as well.
    requests = sum(e.requests for e in well.endpoints)
    assert f"until then 0 of {requests:,} requests failed" in well.headline


@pytest.mark.parametrize("cut_at", [0.0, 0.5, 10.0, 25.0, 45.0, 61.0])
def test_a_journal_that_just_stops_is_read_as_far_as_it_goes(judge: Judge, cut_at: float) -> None:
    verdict = judge(Run(ended_by="", cut_at=cut_at))
    assert (verdict.outcome, verdict.ended_by) == (Outcome.INCONCLUSIVE, "")
    assert verdict.headline == "No verdict: the run just stopped."
    for experiment in verdict.experiments:
        assert all(phase.end >= phase.start for phase in experiment.phases)


def test_an_objective_that_nothing_measures_is_inconclusive(judge: Judge) -> None:
    book = "# R\n\n| Metric | Target | Critical |\n|-|-|-|\n| Queue depth | < 1 s | > 2 s |\n"
    verdict = judge(Run(runbook=book))
    assert of(verdict) is ExitCode.INCONCLUSIVE
    (reason,) = {r.reason for r in verdict.objectives}
    assert reason.startswith("no indicator measures Queue depth; system.yaml can say how: ")
    assert "{queue_depth: {histogram: METRIC, quantile: 0.95}}" in reason


def test_clients_and_server_that_disagree_are_a_note(judge: Judge) -> None:
    verdict = judge(Run(acts=(Act(server={(ERRORS, PhaseKind.BASELINE): 0.5}),)))
    assert verdict.outcome is Outcome.PASS
    (note,) = verdict.notes
    assert note.startswith("kill-one, baseline: clients and server disagree on Error Rate")


@pytest.mark.parametrize("example", EXAMPLES)
def test_scoring_again_gives_the_same_bytes_and_the_verdict_comes_back(
    tmp_path: Path, example: str
) -> None:
    run_dir = build(EXAMPLES[example], tmp_path / "run")
    elsewhere = build(EXAMPLES[example], tmp_path / "moved")
    verdict = score(read_recording(run_dir))
    text = verdict_json.dump(verdict)
    assert text == verdict_json.dump(score(read_recording(elsewhere)))
    assert verdict_json.load(text) == verdict
    assert verdict_json.dump(verdict_json.load(text)) == text


def test_raw_samples_are_as_good_as_the_columns(tmp_path: Path) -> None:
    run_dir = build(Run(), tmp_path / "run")
    before = score(read_recording(run_dir))
    samples = read_recording(run_dir).samples
    assert samples is not None
    columns = (
        samples.intended_start,
        samples.start,
        samples.latency,
        samples.endpoint,
        samples.status,
        samples.error,
    )
    rows = zip(*(c.tolist() for c in columns), strict=True)
    text = "".join(",".join(map(repr_of, row)) + "\n" for row in rows)
    (run_dir / "samples-0.csv").write_text(text)
    (run_dir / "samples.parquet").unlink()
    assert score(read_recording(run_dir)) == before


def repr_of(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


def test_a_directory_that_is_no_run_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"not a run directory, it has no journal\.jsonl"):
        read_recording(tmp_path)
    with pytest.raises(RecordingError, match="not a run directory"):
        read_recording(tmp_path / "nowhere")


def test_damaged_evidence_is_missing_evidence(tmp_path: Path) -> None:
    run_dir = build(Run(), tmp_path / "run")
    for name in ("samples.parquet", "metrics.parquet", "events.jsonl"):
        (run_dir / name).write_bytes(b"PAR1 this is not it\n")
    verdict = score(read_recording(run_dir))
    assert of(verdict) is ExitCode.INCONCLUSIVE
    assert len([n for n in verdict.notes if "read" in n or "event" in n]) == 3
