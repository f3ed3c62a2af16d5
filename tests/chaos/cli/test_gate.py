"""`gameday gate` and `report` with a baseline run, as a user types them; no cluster needed."""

import json
import math
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from junitparser import JUnitXml

from slo.evidence.samples import read_parquet
from slo.model import ErrorKind
from tests.slo.builders import Act, Answer, Run, build, healthy

GAMEDAY = str(Path(sys.executable).parent / "gameday")


def slow(rng: Random, offset: float) -> Answer:
    latency, error = healthy(rng, offset)
    return latency + 0.060, error


def failing(rng: Random, offset: float) -> Answer:
    latency, error = healthy(rng, offset)
    return latency, ErrorKind.SERVER_ERROR if rng.random() < 0.02 else error


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    for seed, (name, answer) in enumerate(
        {"one": healthy, "two": healthy, "slow": slow, "failing": failing}.items()
    ):
        build(Run(acts=(Act(answer=answer, baseline=30.0),), seed=seed, rate=120.0), root / name)
    build(Run(acts=(Act(baseline=8.0),)), root / "short")
    return root


def gameday(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [GAMEDAY, *map(str, arguments)],
        env=os.environ | {"COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("run", "code", "said"),
    [
        ("two", 0, "pass: Not worse than "),
        ("slow", 1, "slower, surely more than the 25 ms that matter"),
        ("failing", 1, "more of the requests failed, surely more than the 0.5 % that matter"),
        ("short", 3, "windows of 1 s, 10 are needed"),
    ],
)
def test_the_gate_tells_a_release_from_its_baseline(
    runs: Path, run: str, code: int, said: str
) -> None:
    done = gameday("gate", runs / run, "--baseline", runs / "one")
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout
    assert "99 % interval" in done.stdout or run == "short"


def test_machines_get_every_row_and_scoring_again_gives_the_same_bytes(runs: Path) -> None:
    done = gameday("gate", runs / "slow", "--baseline", runs / "one", "--json")
    told = json.loads(done.stdout)
    assert (told["exit_code"], told["comparison"]["outcome"]) == (1, "fail")
    assert told["error_budget"]["burn_rate"] == 0.0  # slow, and nothing failed
    (median,) = (
        d
        for d in told["comparison"]["differences"]
        if (d["endpoint"], d["quantity"]) == ("POST /score", "p50")
    )
    assert median["interval"]["low"] < 0.060 < median["interval"]["high"]
    assert not (
        runs / "slow/verdict.json"
    ).exists()  # gate writes nothing: it may not be allowed to
    gameday("score", runs / "slow", "--baseline", runs / "one")
    written = (runs / "slow/verdict.json").read_bytes()
    gameday("score", runs / "slow", "--baseline", runs / "one")
    assert (runs / "slow/verdict.json").read_bytes() == written


def test_a_run_directory_that_cannot_be_written_is_one_sentence(runs: Path, tmp_path: Path) -> None:
    """A folder stands where verdict.json would be put."""
    copy = tmp_path / "run"
    shutil.copytree(runs / "two", copy)
    (copy / "verdict.json").unlink(missing_ok=True)
    (copy / "verdict.json" / "in the way").mkdir(parents=True)
    done = gameday("score", copy)
    assert done.returncode == 2, done.stderr
    assert "verdict.json cannot be written: " in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_latencies_that_are_no_numbers_are_missing_evidence(
    runs: Path, tmp_path: Path, wrong: float
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(runs / "two", copy)
    samples = read_parquet(copy / "samples.parquet")
    replace(samples, latency=np.full(len(samples), wrong)).write_parquet(copy / "samples.parquet")
    done = gameday("gate", copy)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("kind", ["measurement", "point"])
@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_measurements_that_are_no_numbers_are_missing_evidence(
    runs: Path, tmp_path: Path, kind: str, wrong: float
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(runs / "two", copy)
    path = copy / "metrics.parquet"
    rows = pq.read_table(path)
    changed = [row | {"value": wrong} if row["kind"] == kind else row for row in rows.to_pylist()]
    pq.write_table(pa.Table.from_pylist(changed, schema=rows.schema), path)
    done = gameday("gate", copy)
    assert done.returncode == (3 if kind == "measurement" else 0), done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_reports_have_a_section_for_it(runs: Path) -> None:
    done = gameday("report", runs / "slow", "--baseline", runs / "one")
    assert done.returncode == 0, done.stderr
    page = (runs / "slow/report.html").read_text()
    assert "Against the baseline run" in page
    assert "slower in" in page
    suites = list(JUnitXml.fromfile(str(runs / "slow/junit.xml")))
    (against,) = (s for s in suites if s.name.startswith("against "))
    assert against.failures == 12  # three quantiles of four endpoints
    assert against.tests == 13
    assert "**Against " in (runs / "slow/summary.md").read_text()
    gameday("score", runs / "slow")
    gameday("report", runs / "slow")
    assert "Against the baseline run" not in (runs / "slow/report.html").read_text()


def test_a_policy_of_ones_own(runs: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("comparison: {slower: {absolute: 200ms}}\n")
    done = gameday("gate", runs / "slow", "--baseline", runs / "one", "--policy", policy)
    assert done.returncode == 0, done.stdout
    policy.write_text("comparison: {slower: {absolut: 200ms}}\n")
    done = gameday("gate", runs / "slow", "--baseline", runs / "one", "--policy", policy)
    assert (done.returncode, done.stdout) == (2, "")
    assert "policy.yaml, line 1: unknown field 'comparison.slower.absolut'" in done.stderr


def test_a_baseline_that_is_no_run(runs: Path, tmp_path: Path) -> None:
    done = gameday("gate", runs / "two", "--baseline", tmp_path / "none")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "not a run directory" in done.stderr
