"""Plans: what is accepted, and what their author reads when it is not."""

from datetime import timedelta
from pathlib import Path

import pytest

from chaos.plan import bundled, find_plan, read_plan
from slo.documents import DocumentError
from slo.model import Severity

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


@pytest.mark.parametrize("name", bundled())
def test_every_bundled_plan_is_valid_and_called_like_its_file(name: str) -> None:
    assert read_plan(find_plan(name)).name == name


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("500ms", "{procedure: Rollback}", "'recovery' needs 'procedure' and 'lasts'"),
        ("500ms", "{lasts: 5s}", "'recovery' needs 'procedure' and 'lasts'"),
        ("500ms", "{procedure: x, lasts: 5s, lastz: 1}", "lastz"),
        ("baseline: 1s", "basline: 1s", "line 12: unknown field 'experiments[0].basline'"),
        ("    baseline: 1s\n", "", "line 9: field 'experiments[0].baseline' is missing"),
        ("baseline: 1s", "baseline: 0s", "line 12: field 'experiments[0].baseline': must be"),
        ("kind: pod-kill", "kind: pod-kil", "line 11: field 'experiments[0].fault': "),
        ("count: 1", "count: 0", "line 11: field 'experiments[0].fault.select.count'"),
        (", count: 1", "", "either 'count' or 'percent'"),
        ("count: 1", "count: 1, percent: 3", "either 'count' or 'percent'"),
        (", service: s", "", "either 'service' or 'url'"),
        ("target: 1ms", "target: soon", "line 6: field 'objectives.response_time_p95.target'"),
        ("name: tiny", "name: Not A Name", "line 1: field 'name'"),
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
