"""index.html of a folder of runs: how each plan fared from run to run, and how much is proven.

A pure function of what the runs recorded. Every figure stands in a run's own report.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

from reports import facts, page
from reports import format as fmt
from slo.model import ExperimentResult, Outcome, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run. Times in seconds, None where nothing was detected or nothing recovered.

    `figures` are the objectives over all phases without a fault, by title, as written in reports.
    """

    folder: str
    plan: str
    started: str
    outcome: Outcome
    score: float
    severity: str
    requests: int
    failed: int
    mttd_s: float | None
    mttr_s: float | None
    not_recovered: int
    figures: dict[str, str]
    headline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """One trial of a runbook: how many of its promises are proven."""

    folder: str
    runbook: str
    started: str
    proven: int
    promises: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A folder whose evidence cannot be read, and why."""

    folder: str
    reason: str


def run_of(folder: str, verdict: Verdict) -> Run:
    """What the history tells of a run that stands in `folder`."""
    recovery = [c for e in verdict.experiments for c in e.checks if c.name == "recovery"]
    return Run(
        folder=folder,
        plan=verdict.plan,
        started=fmt.utc(verdict.started),
        outcome=verdict.outcome,
        score=verdict.score,
        severity=verdict.severity.value if facts.took_effect(verdict) else "not judged",
        requests=sum(e.requests for e in verdict.endpoints),
        failed=sum(sum(e.errors.values()) for e in verdict.endpoints),
        mttd_s=_mean(verdict.experiments, "time_to_detect_s"),
        mttr_s=_mean(verdict.experiments, "time_to_recover_s"),
        not_recovered=sum(c.outcome is Outcome.FAIL for c in recovery),
        figures={
            p.objective.title: fmt.measured(p.indicator, p.objective) for p in verdict.promises
        },
        headline=verdict.headline,
    )


def _mean(experiments: Iterable[ExperimentResult], name: str) -> float | None:
    times = [t for e in experiments if (t := getattr(e, name)) is not None]
    return sum(times) / len(times) if times else None


def as_json(
    runs: Sequence[Run], proofs: Sequence[Proven], left_out: Sequence[LeftOut]
) -> dict[str, Any]:
    return {
        "runs": [asdict(r) for r in runs],
        "proofs": [asdict(p) for p in proofs],
        "left_out": [asdict(x) for x in left_out],
    }


def render(
    runs: Sequence[Run], proofs: Sequence[Proven], left_out: Sequence[LeftOut], version: str
) -> str:
    """The page. Links are relative: it stands in the folder that has the runs."""
    plans = {r.plan: [x for x in runs if x.plan == r.plan] for r in runs}
    return page.render(
        "history.html",
        title="Game days",
        version=version,
        plans=[
            (plan, own, list(dict.fromkeys(t for r in own for t in r.figures)))
            for plan, own in sorted(plans.items())
        ],
        runs=runs,
        proofs=proofs,
        left_out=left_out,
        tally=fmt.tally(r.outcome for r in runs),
        link=lambda folder, name: f"{quote(folder)}/{name}",
    )
