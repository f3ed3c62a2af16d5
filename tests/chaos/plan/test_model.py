"""Plans: what is accepted, and what their author reads when it is not."""

from datetime import timedelta
from pathlib import Path

import pytest

from chaos.plan.model import Plan, read_plan
from service.gameday import FOLDER, RUNBOOK
from slo.documents import DocumentError
from slo.model import Severity
from slo.runbook.reader import read_runbook
from slo.system.model import System

PLANS = [p.stem for p in (FOLDER / "plans").glob("*.yaml")]
GOOD = """\
name: tiny
target: {namespace: n, workload: w, service: s}
prometheus: {url: "http://127.0.0.1:9090"}
load: {scenario: smoke}
objectives:
  response_time_p95: {target: 1ms, critical: 0.5}
  error_rate: {target: 0.1%, critical: 1%}
experiments:
  - name: one
    title: One
    fault: {kind: pod-kill, select: {labels: {app: w}, count: 1}}
    baseline: 1s
    duration: 1m
    recovery: 500ms
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    return path


def test_quantities_are_seconds_and_ratios(tmp_path: Path) -> None:
    plan = read_plan(write(tmp_path, GOOD))
    assert plan.objectives["response_time_p95"].target == pytest.approx(0.001)
    assert plan.objectives["response_time_p95"].critical == pytest.approx(0.5)
    assert plan.objectives["error_rate"].critical == pytest.approx(0.01)
    (experiment,) = plan.experiments
    assert experiment.duration == timedelta(minutes=1)
    assert experiment.expect.severity is Severity.SEV3


def test_what_is_steady_is_judged_as_the_run_is(tmp_path: Path) -> None:
    promised = read_runbook(RUNBOOK).objectives
    lenient = read_plan(write(tmp_path, GOOD.replace("critical: 1%", "critical: 10%")))
    assert lenient.steady_error_rate(promised) == pytest.approx(0.1)
    silent = read_plan(
        write(tmp_path, GOOD.replace("  error_rate: {target: 0.1%, critical: 1%}\n", ""))
    )
    assert silent.steady_error_rate(promised) == pytest.approx(0.01)
    assert lenient.steady_error_rate(()) is None


def test_a_recovery_is_a_duration_or_a_procedure_of_the_runbook(tmp_path: Path) -> None:
    plain = read_plan(write(tmp_path, GOOD)).experiments[0]
    assert (plain.recovery, plain.procedure) == (timedelta(milliseconds=500), None)
    told = "{procedure: Rollback Procedure, lasts: 90s, set: {version: v1.2.3}, limit: 20s}"
    by_hand = read_plan(write(tmp_path, GOOD.replace("500ms", told))).experiments[0]
    assert by_hand.recovery == timedelta(seconds=90)
    assert by_hand.procedure is not None
    assert by_hand.procedure.name == "Rollback Procedure"
    assert by_hand.procedure.limit == timedelta(seconds=20)
    assert by_hand.procedure.set == {"version": "v1.2.3"}


KILL = "{kind: pod-kill, select: {labels: {app: w}, count: 1}}"


def timed(tmp_path: Path, *faults: str) -> Plan:
    rows = "".join(f"\n      - {{fault: {KILL}{given}}}" for given in faults)
    return read_plan(write(tmp_path, GOOD.replace(f"fault: {KILL}", f"faults:{rows}")))


def test_one_fault_lasts_as_long_as_its_phase(tmp_path: Path) -> None:
    (slot,) = read_plan(write(tmp_path, GOOD)).experiments[0].timetable()
    assert (slot.label, slot.after, slot.lasts) == ("", timedelta(0), timedelta(minutes=1))


def test_faults_overlap_and_those_of_a_lane_follow_each_other(tmp_path: Path) -> None:
    plan = timed(
        tmp_path,
        ", lane: db, lasts: 10s",
        ", start_after: 5s",
        ", lane: db, start_after: 2s, lasts: 20s",
    )
    seconds = [
        (s.label, s.after.total_seconds(), s.lasts.total_seconds())
        for s in plan.experiments[0].timetable()
    ]
    assert seconds == [("1", 0, 10), ("2", 5, 55), ("3", 12, 20)]


@pytest.mark.parametrize("given", [", lasts: 61s", ", start_after: 60s", ", start_after: 2m"])
def test_a_fault_beyond_its_phase_is_refused(tmp_path: Path, given: str) -> None:
    with pytest.raises(DocumentError, match="would last beyond 'duration', which is 60 s"):
        timed(tmp_path, given)


def test_an_experiment_has_one_fault_or_several(tmp_path: Path) -> None:
    both = GOOD.replace(f"fault: {KILL}", f"fault: {KILL}\n    faults: [{{fault: {KILL}}}]")
    for text in (both, GOOD.replace(f"    fault: {KILL}\n", "")):
        with pytest.raises(DocumentError, match="either 'fault' or 'faults'"):
            read_plan(write(tmp_path, text))


@pytest.mark.parametrize("name", PLANS)
def test_every_bundled_plan_is_valid_and_called_like_its_file(name: str) -> None:
    assert read_plan(FOLDER / f"plans/{name}.yaml").name == name


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("500ms", "{procedure: Rollback}", "'recovery' needs 'procedure' and 'lasts'"),
        ("500ms", "{lasts: 5s}", "'recovery' needs 'procedure' and 'lasts'"),
        ("500ms", "{procedure: x, lasts: 5s, lastz: 1}", "lastz"),
        ("baseline: 1s", "basline: 1s", "line 12: unknown field 'experiments[0].basline'"),
        ("    baseline: 1s\n", "", "line 9: field 'experiments[0].baseline' is missing"),
        ("baseline: 1s", "baseline: 0s", "line 12: field 'experiments[0].baseline': must be"),
        ("kind: pod-kill", "kind: pod-kil", "line 11: field 'experiments[0].fault.kind' must"),
        ("count: 1", "count: 0", "line 11: field 'experiments[0].fault.select.count'"),
        (", count: 1", "", "either 'count' or 'percent'"),
        ("count: 1", "count: 1, percent: 3", "either 'count' or 'percent'"),
        ("service: s", "service: s, url: http://s", "either 'service' or 'url'"),
        ("target: 1ms", "target: soon", "line 6: field 'objectives.response_time_p95.target'"),
        ("name: tiny", "name: Not A Name", "line 1: field 'name'"),
        (
            "name: tiny",
            "name: tiny\nguardrails: {forbidden_kinds: [oom, pod-kill]}",
            "line 12: field 'experiments[0].fault.kind': 'guardrails.forbidden_kinds' of this plan",
        ),
        (
            "name: tiny",
            "name: tiny\nguardrails:\n  forbidden_kinds:\n    - pod-kil",
            "line 4: field 'guardrails.forbidden_kinds[0]': 'pod-kil' is neither a kind of fault",
        ),
    ],
)
def test_a_mistake_names_file_line_and_field(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(DocumentError) as caught:
        read_plan(path)
    message = str(caught.value)
    assert message.startswith(f"{path}, line ")
    assert sentence in message
    assert "\n" not in message


def test_two_experiments_of_one_name_are_refused(tmp_path: Path) -> None:
    body = GOOD[GOOD.index("  - name: one") :]
    with pytest.raises(DocumentError, match="two experiments are called 'one'"):
        read_plan(write(tmp_path, GOOD + body))


def test_a_plan_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="No such file"):
        read_plan(tmp_path / "missing.yaml")


SYSTEM = System.model_validate(
    {
        "name": "shop",
        "target": {"namespace": "n", "workload": "w", "service": "s"},
        "load": {
            "scenario": "everyday",
            "beside": [{"name": "search", "scenario": "searchers", "service": "search"}],
        },
    }
)


@pytest.mark.parametrize(
    ("load", "beside"),
    [
        ("", ["search"]),
        ("load: {scenario: smoke}\n", ["search"]),
        ("load: {scenario: smoke, beside: []}\n", []),
    ],
)
def test_services_beside_the_target_are_the_systems_unless_the_plan_says(
    tmp_path: Path, load: str, beside: list[str]
) -> None:
    text = GOOD.replace("load: {scenario: smoke}\n", load)
    plan = read_plan(write(tmp_path, text), SYSTEM)
    assert plan.load is not None
    assert [b.name for b in plan.load.beside] == beside


WORKER = GOOD.replace(", service: s", "").replace("load: {scenario: smoke}\n", "")


def test_a_workload_without_a_door_needs_no_load(tmp_path: Path) -> None:
    assert read_plan(write(tmp_path, WORKER)).load is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WORKER.replace("workload: w", "workload: w, service: s"), "there is no load for"),
        (
            WORKER + "guardrails: {stop: [{sli: error_rate, above: 5%}]}\n",
            "a stop condition on 'sli' needs a load",
        ),
        (
            WORKER + "    expect: {degraded: [{error_rate: 5%}]}\n",
            "'degraded' speaks of endpoints under load, and the plan has no load",
        ),
        (
            GOOD.replace("load: {scenario: smoke}", "load: {scenario: a, beside: [{name: b}]}"),
            "field 'load.beside[0].scenario' is missing",
        ),
    ],
)
def test_what_a_load_would_be_needed_for_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_plan(write(tmp_path, text))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
