"""A finished run in a notebook."""

from pathlib import Path

import pandas as pd
import pytest

from slo.documents import DocumentError
from slo.evidence.recording import read_recording
from slo.frames import RunFrames, load_run
from slo.verdict import verdict_json
from slo.verdict.score import score
from tests.slo.builders import Act, Run, build


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFrames:
    directory = build(Run(acts=(Act(),)), tmp_path_factory.mktemp("runs") / "run")
    verdict = score(read_recording(directory))
    (directory / "verdict.json").write_text(verdict_json.dump(verdict))
    return load_run(directory)


def test_every_request_is_a_row_with_its_phase(run: RunFrames) -> None:
    assert list(run.samples.columns[:6]) == [
        "due",
        "start",
        "latency",
        "endpoint",
        "status",
        "error",
    ]
    assert run.samples.due.is_monotonic_increasing
    assert set(run.samples.phase.dropna()) == {"baseline", "fault", "recovery"}
    (fault,) = run.phases[run.phases.phase == "fault"].itertuples()
    within = run.samples[run.samples.phase == "fault"]
    assert len(within) > 0
    assert within.due.min() >= pd.Timestamp(fault.start)
    assert within.due.max() < pd.Timestamp(fault.end)


def test_the_example_of_its_page_gives_a_table(run: RunFrames) -> None:
    by_endpoint = run.samples.groupby("endpoint", observed=True)
    found = by_endpoint.latency.describe(percentiles=[0.5, 0.95])
    assert (found["50%"] <= found["95%"]).all()
    assert found["count"].sum() == len(run.samples)


def test_what_was_judged_stands_beside_it(run: RunFrames) -> None:
    assert {"error_rate", "response_time_p95"} <= set(run.objectives.objective)
    assert set(run.objectives.outcome) <= {"pass", "warn", "fail", "inconclusive"}
    (experiment,) = run.experiments.itertuples()
    assert experiment.outcome in {"pass", "warn", "fail", "inconclusive"}


def test_a_directory_that_is_no_run_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DocumentError):
        load_run(tmp_path)
