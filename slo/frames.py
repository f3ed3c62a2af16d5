"""A finished run as pandas DataFrames, for notebooks and for questions of one's own.

    from slo.frames import load_run

    run = load_run("runs/latest")
    run.samples.groupby("endpoint", observed=True).latency.describe(percentiles=[0.5, 0.95])

What stands here is what was recorded and judged; nothing is judged anew.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slo.evidence.categories import Categories
from slo.evidence.experiment_log import experiment_logs
from slo.evidence.recording import Recording, read_recording
from slo.evidence.samples import Samples
from slo.model import Phase, Verdict
from slo.verdict import verdict_json


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFrames:
    """Times are in UTC, durations in seconds, rates as ratios.

    samples      due, start, latency, endpoint, status, error, experiment, phase: one row a request,
                 in the order in which they were due
    phases       experiment, phase, start, end
    objectives   experiment, phase, objective, view, value, low, high, count, outcome, judged,
                 reason
    experiments  name, title, fault, outcome, expected_severity, observed_severity,
                 time_to_detect_s, time_to_recover_s
    series       name, time, value: what Prometheus said over time, with the labels as a text
    """

    samples: pd.DataFrame
    phases: pd.DataFrame
    objectives: pd.DataFrame
    experiments: pd.DataFrame
    series: pd.DataFrame


def load_run(run_dir: Path | str) -> RunFrames:
    """Of a run directory that was scored. Raises slo.documents.DocumentError for one that is none.

    Without kept samples or series their frames are empty.
    """
    directory = Path(run_dir)
    recording = read_recording(directory)
    verdict = verdict_json.read(directory)
    phases = [phase for log in experiment_logs(recording.journal) for phase in log.phases]
    return RunFrames(
        samples=_samples(recording.samples, phases),
        phases=_phases(phases),
        objectives=_objectives(verdict),
        experiments=_experiments(verdict),
        series=_series(recording),
    )


def _samples(samples: Samples | None, phases: list[Phase]) -> pd.DataFrame:
    if samples is None:
        samples = Samples.from_rows(())
    due = samples.intended_start
    found = pd.DataFrame(
        {
            "due": _moments(due),
            "start": _moments(samples.start),
            "latency": samples.latency,
            "endpoint": _labels(samples.endpoint),
            "status": samples.status,
            "error": _labels(samples.error),
        }
    )
    found["experiment"] = pd.Series(pd.NA, index=found.index, dtype="string")
    found["phase"] = pd.Series(pd.NA, index=found.index, dtype="string")
    for phase in phases:
        within = (due >= phase.start.timestamp()) & (due < phase.end.timestamp())
        found.loc[within, ["experiment", "phase"]] = [phase.experiment, phase.kind.value]
    return found.astype({"experiment": "category", "phase": "category"})


def _labels(column: Categories) -> "pd.Categorical[str]":
    return pd.Categorical.from_codes(column.codes, categories=pd.Index(column.names, dtype="str"))


def _moments(seconds: NDArray[np.float64]) -> pd.DatetimeIndex:
    return pd.to_datetime(seconds, unit="s", utc=True)


def _phases(phases: list[Phase]) -> pd.DataFrame:
    rows = [(p.experiment, p.kind.value, p.start, p.end) for p in phases]
    return pd.DataFrame(rows, columns=["experiment", "phase", "start", "end"])


def _objectives(verdict: Verdict) -> pd.DataFrame:
    rows = [
        {
            "experiment": r.experiment,
            "phase": r.phase.value,
            "objective": r.objective.name,
            "view": r.view.value,
            "value": r.indicator.value,
            "low": r.indicator.interval.low if r.indicator.interval else None,
            "high": r.indicator.interval.high if r.indicator.interval else None,
            "count": r.indicator.count,
            "outcome": r.outcome.value,
            "judged": r.judged,
            "reason": r.reason,
        }
        for r in verdict.objectives
    ]
    return pd.DataFrame(rows)


def _experiments(verdict: Verdict) -> pd.DataFrame:
    rows = [
        {
            "name": e.name,
            "title": e.title,
            "fault": e.fault,
            "outcome": e.outcome.value,
            "expected_severity": e.expected_severity.value,
            "observed_severity": e.observed_severity.value,
            "time_to_detect_s": e.time_to_detect_s,
            "time_to_recover_s": e.time_to_recover_s,
        }
        for e in verdict.experiments
    ]
    return pd.DataFrame(rows)


def _series(recording: Recording) -> pd.DataFrame:
    frames = [
        pd.DataFrame(
            {
                "name": line.name,
                "labels": ",".join(f"{k}={v}" for k, v in sorted(line.labels.items())),
                "time": pd.to_datetime(list(line.times), unit="s", utc=True),
                "value": list(line.values),
            }
        )
        for line in recording.series
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
