"""Where foreign things come in: Prometheus' answers, metrics.parquet, verdict.json."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyarrow import parquet

from slo.evidence.metrics import Measurement, MetricsError, Series, read_metrics, write_metrics
from slo.evidence.recording import read_recording
from slo.model import Indicator, Phase, PhaseKind
from slo.observe.answers import PrometheusError
from slo.observe.phases import measure, series
from slo.observe.prometheus import Prometheus
from slo.verdict import verdict_json
from slo.verdict.score import score
from slo.verdict.verdict_json import VerdictError
from tests.slo.builders import Run, build, scope
from tests.slo.observe.fronts import answering, body

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
PHASE = Phase(experiment="e", kind=PhaseKind.FAULT, start=NOW, end=NOW + timedelta(seconds=20))
SCOPE = scope("n", "w")


def test_a_prometheus_that_is_not_there_is_a_reason_and_not_an_exception() -> None:
    with answering(lambda _: body()) as front:
        pass  # its port is free again
    prometheus = Prometheus(front.url, timeout_s=5)
    found = measure(prometheus, PHASE, SCOPE)
    assert len(found) == 6
    for measurement in found:
        assert measurement.indicator.missing.startswith("Prometheus gave no answer: cannot reach")
    assert series(prometheus, PHASE.start, PHASE.end, SCOPE) == []


@pytest.mark.parametrize("url", ["http://[", "not a url", "http://127.0.0.1:99999"])
def test_an_address_that_is_none_is_a_prometheus_error(url: str) -> None:
    with pytest.raises(PrometheusError):
        Prometheus(url, timeout_s=1).instant("up", NOW)


def test_metrics_come_back_as_they_were_written_and_in_the_same_bytes(tmp_path: Path) -> None:
    measurements = (
        Measurement(
            sli="error_rate",
            experiment="é|1",
            phase=PhaseKind.FAULT,
            time=NOW,
            indicator=Indicator(value=0.25, count=1200),
            coverage=0.9,
            expr="sum(x)",
        ),
        Measurement(
            sli="cpu_utilization",
            experiment="é|1",
            phase=PhaseKind.RECOVERY,
            time=NOW,
            indicator=Indicator(value=None, count=0, missing="no series"),
            coverage=0.0,
            expr="max(y)",
            warnings=("No StoreAPIs matched for this query", "PromQL info: a remark"),
        ),
    )
    lines = (
        Series(name="cpu", labels={"pod": "a"}, times=(1.5, 3.5), values=(0.1, 0.2)),
        Series(name="cpu", labels={"pod": "b"}, times=(1.5,), values=(0.3,)),
    )
    first, second = tmp_path / "1.parquet", tmp_path / "2.parquet"
    write_metrics(first, measurements, lines)
    assert read_metrics(first) == (measurements, lines)
    write_metrics(second, *read_metrics(first))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("lacking", [["warnings"], ["warnings", "resets", "slack", "buckets"]])
def test_files_of_earlier_versions_are_read(tmp_path: Path, lacking: list[str]) -> None:
    measured = Measurement(
        sli="error_rate",
        experiment="e",
        phase=PhaseKind.FAULT,
        time=NOW,
        indicator=Indicator(value=0.25, count=1200),
        coverage=0.9,
        expr="sum(x)",
    )
    path = tmp_path / "metrics.parquet"
    write_metrics(path, [measured], [])
    parquet.write_table(parquet.read_table(path).drop_columns(lacking), path)
    assert read_metrics(path) == ((measured,), ())


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1 nothing PAR1"])
def test_a_damaged_metrics_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "metrics.parquet"
    path.write_bytes(content)
    with pytest.raises(MetricsError, match=r"metrics\.parquet: "):
        read_metrics(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", r"verdict\.json: not JSON"),
        ("[]", "schema_version is None, this version reads 1"),
        ('{"schema_version": 99}', "schema_version is 99, this version reads 1"),
        ('{"schema_version": 1}', "field 'gameday_version': Field required"),
    ],
)
def test_a_verdict_that_cannot_be_read_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(VerdictError, match=sentence):
        verdict_json.load(text)


def test_a_run_that_was_never_scored_has_no_verdict_to_read(tmp_path: Path) -> None:
    with pytest.raises(VerdictError, match=r"verdict\.json: No such file"):
        verdict_json.read(tmp_path)


def test_a_verdict_is_plain_json_without_numbers_that_are_none(tmp_path: Path) -> None:
    text = verdict_json.dump(score(read_recording(build(Run(), tmp_path / "run"))))
    assert text.endswith("}\n")

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    tree = json.loads(text, parse_constant=refuse)
    assert tree["schema_version"] == 1
    assert tree["objectives"][0]["objective"]["source"] == [
        "runbook.md",
        tree["objectives"][0]["objective"]["source"][1],
        "1. System overview > Key metrics",
    ]
