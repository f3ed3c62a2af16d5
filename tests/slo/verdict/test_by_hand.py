"""Figures of a report, made again by what the report says of them, from nothing but the files."""

import json
import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest

from reports import html
from slo.evidence.recording import read_recording
from slo.model import ErrorKind, PhaseKind, Severity, Verdict, View
from slo.verdict.score import score
from tests.slo.builders import Act, Answer, Run, build, healthy

Rows = list[dict[str, Any]]


def bad_day(rng: Random, offset: float) -> Answer:
    """Down for 5 s, then slow for 3 s; every 40th request is refused."""
    if 1 <= offset < 6:
        return 0.004, ErrorKind.SERVER_ERROR
    if round((offset + 20) * 100) % 40 == 0:
        return 0.004, ErrorKind.CLIENT_ERROR
    latency, error = healthy(rng, offset)
    return latency + (0.7 if 6 <= offset < 9 else 0.0), error


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = Run(acts=(Act(answer=bad_day, severity=Severity.SEV1),), late=lambda rng, _: rng.random())
    return build(run, tmp_path_factory.mktemp("by-hand"))


@pytest.fixture(scope="module")
def verdict(folder: Path) -> Verdict:
    return score(read_recording(folder))


@pytest.fixture(scope="module")
def journal(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def rows(folder: Path) -> Rows:
    return list(pq.read_table(folder / "samples.parquet").to_pylist())


def at(journal: list[dict[str, Any]], event: str, phase: str = "") -> float:
    (found,) = (e for e in journal if e["event"] == event and e.get("phase", "") == phase)
    return datetime.fromisoformat(found["time"]).timestamp()


def due(rows: Rows, start: float, end: float) -> Rows:
    return [r for r in rows if start <= r["intended_start"] < end]


def failed(rows: Rows) -> Rows:
    return [r for r in rows if not 0 < r["status"] < 400]


def times(rows: Rows) -> list[float]:
    answered = [r for r in rows if 0 < r["status"] < 500 or r["error"] == "timeout"]
    return sorted(r["start"] + r["latency"] - r["intended_start"] for r in answered)


def quantile(values: Sequence[float], q: float) -> float:
    """The smallest value that at least the share q of all do not exceed."""
    return values[math.ceil(round(q * len(values), 9)) - 1]


@pytest.mark.parametrize("phase", list(PhaseKind))
def test_objectives_in_phases(
    verdict: Verdict, journal: list[dict[str, Any]], rows: Rows, phase: PhaseKind
) -> None:
    mine = due(rows, at(journal, "phase.started", phase), at(journal, "phase.ended", phase))
    found = {
        r.objective.name: r.indicator
        for r in verdict.objectives
        if r.phase is phase and r.view is View.CLIENT
    }
    assert found["error_rate"].value == len(failed(mine)) / len(mine)
    assert found["error_rate"].count == len(mine)
    assert found["response_time_p95"].value == pytest.approx(quantile(times(mine), 0.95))
    assert found["response_time_p95"].count == len(times(mine))


def test_endpoints_in_phases(verdict: Verdict, journal: list[dict[str, Any]], rows: Rows) -> None:
    (experiment,) = verdict.experiments
    assert len(experiment.endpoints) == 12
    for row in experiment.endpoints:
        start, end = (at(journal, f"phase.{e}", row.phase) for e in ("started", "ended"))
        mine = [r for r in due(rows, start, end) if r["endpoint"] == row.endpoint]
        there = [r for r in mine if 0 < r["status"] < 500]
        assert row.error_rate.value == len(failed(mine)) / len(mine)
        assert row.available.value == len(there) / len(mine)
        assert row.p50.value == pytest.approx(quantile(times(mine), 0.5))
        assert (row.requests, row.p50.count) == (len(mine), len(times(mine)))


def test_the_incident(verdict: Verdict, journal: list[dict[str, Any]], rows: Rows) -> None:
    (experiment,) = verdict.experiments
    start, end = at(journal, "fault.intended"), at(journal, "phase.ended", "recovery")
    mine = due(rows, start, end)
    cost = experiment.damage
    assert cost is not None
    slow = [r for r in mine if r not in failed([r]) and times([r])[0] > 0.5]
    assert (cost.requests, cost.failed) == (len(mine), len(failed(mine)))
    assert cost.slow == len(slow)
    read = [r for r in mine if r["endpoint"].startswith("GET ") and "{" in r["endpoint"]]
    assert cost.lost_data == sum(r["status"] in {404, 410} for r in read)
    burnt = len(failed(rows)) / len(rows) / (1 - 0.999)
    assert verdict.budget is not None
    assert verdict.budget.burn_rate == pytest.approx(burnt)


def test_the_load_generator(verdict: Verdict, journal: list[dict[str, Any]], rows: Rows) -> None:
    start, end = at(journal, "phase.started", "fault"), at(journal, "phase.ended", "fault")
    quiet = [r for r in rows if not start <= r["intended_start"] < end]
    late = sorted(r["start"] - r["intended_start"] for r in quiet)
    assert verdict.load.late_p99_s == pytest.approx(quantile(late, 0.99))
    span = rows[-1]["intended_start"] - rows[0]["intended_start"]
    assert verdict.load.achieved_rate == pytest.approx(verdict.load.sent / span)


def test_detected_and_recovered(tmp_path: Path) -> None:
    """Windows of 2 s from the injection: trouble from the first to the fourth."""

    def down(rng: Random, offset: float) -> Answer:
        return (0.004, ErrorKind.SERVER_ERROR) if 1 <= offset < 7 else healthy(rng, offset)

    act = Act(answer=down, severity=Severity.SEV1, confirmed_after=0.4)
    (found,) = score(read_recording(build(Run(acts=(act,)), tmp_path / "run"))).experiments
    assert found.time_to_detect_s == pytest.approx(2 - 0.4)
    assert found.time_to_recover_s == pytest.approx(8 - 0.4)


def test_the_report_tells_of_each_figure_how_it_is_made(verdict: Verdict) -> None:
    page = html.render(verdict)
    told = page[page.index("To check it by hand") :]
    names = ("Points of the charts", "Severity", "Time to detect", "Time to recover", "Lost, slow")
    for name in (*names, "Data lost", "Alerts", "Endpoints", "Load generator"):
        assert f'<th scope="row">{name}</th>' in told
    for result in verdict.objectives:
        assert f'<th scope="row">{result.objective.title}</th>' in told
