"""From a recording to a verdict: pure, and the same bytes each time.

Outcome: the worst of the judged objectives, the experiments and the load generator's health; a run
that did not run to its end is inconclusive at best.

Score: 100 points, half of them for objectives and half for experiments. A pass is worth 1, a warn
1/2, inconclusive and fail nothing. Objectives earn 50 x the mean over all judged results;
experiments 50 x the mean over experiments of the mean over their checks. With no results, or no
experiments, that half is 0.
"""

from collections.abc import Sequence
from statistics import fmean

from slo.chronicle import Story, chronicle
from slo.client import requests
from slo.experiments import judge_experiment
from slo.headline import headline
from slo.journal import RunEnded
from slo.load import load_health
from slo.model import (
    SCHEMA_VERSION,
    ExperimentResult,
    Mark,
    ObjectiveResult,
    Outcome,
    PhaseKind,
    Severity,
    Verdict,
    worst,
)
from slo.objectives import override
from slo.recording import Recording
from slo.results import disagreements, phase_results
from slo.timeline import endpoints, marks, timeline

_POINTS = {Outcome.PASS: 1.0, Outcome.WARN: 0.5, Outcome.INCONCLUSIVE: 0.0, Outcome.FAIL: 0.0}


def score(recording: Recording) -> Verdict:
    """Judge a run. Raises ThresholdError where the plan's thresholds do not fit the runbook."""
    started = recording.started
    objectives = override(recording.runbook.objectives, started.thresholds)
    stories = chronicle(recording.journal)
    found = requests(recording.samples) if recording.samples is not None else None
    fault_phases = [p for story in stories if (p := story.phase(PhaseKind.FAULT))]
    load = load_health(started.scenario, recording.journal, recording.samples, fault_phases)

    results: list[ObjectiveResult] = []
    experiments: list[ExperimentResult] = []
    moments: list[Mark] = []
    for story in stories:
        own = [
            result
            for phase in story.phases
            for result in phase_results(phase, objectives, found, recording.measurements, load)
        ]
        experiment, recovered = judge_experiment(story, objectives, own, found, load)
        results += own
        experiments.append(experiment)
        moments += marks(story, recovered)

    ended = next((e for e in recording.journal if isinstance(e, RunEnded)), None)
    last = recording.journal[-1].time
    outcome = worst(
        [
            worst([r.outcome for r in results if r.judged]),
            worst([e.outcome for e in experiments]),
            load.result.outcome,
            Outcome.PASS if ended and ended.ended_by == "completed" else Outcome.INCONCLUSIVE,
        ]
    )
    verdict = Verdict(
        schema_version=SCHEMA_VERSION,
        gameday_version=started.gameday_version,
        run=started.run,
        plan=started.plan,
        target=f"{started.namespace}/{started.workload} at {started.url}",
        started=started.time,
        ended=ended.time if ended else last,
        ended_by=ended.ended_by if ended else "",
        time_scale=started.time_scale,
        outcome=outcome,
        headline="",
        score=points(results, experiments),
        severity=min((e.observed_severity for e in experiments), key=_rank, default=Severity.NONE),
        objectives=tuple(results),
        experiments=tuple(experiments),
        load=load.result,
        endpoints=endpoints(recording.samples, found),
        timeline=timeline(found, started.time, ended.time if ended else last),
        marks=tuple(moments),
        notes=_notes(recording, stories, results, ended),
    )
    return headline(verdict)


def _rank(severity: Severity) -> int:
    return severity.rank


def points(results: Sequence[ObjectiveResult], experiments: Sequence[ExperimentResult]) -> float:
    """The score, 0 to 100, with one decimal; the formula stands above."""
    judged = [_POINTS[r.outcome] for r in results if r.judged]
    checked = [fmean(_POINTS[c.outcome] for c in e.checks) for e in experiments]
    return round(sum(50 * fmean(half) for half in (judged, checked) if half), 1)


def _notes(
    recording: Recording,
    stories: Sequence[Story],
    results: Sequence[ObjectiveResult],
    ended: RunEnded | None,
) -> tuple[str, ...]:
    notes = [*recording.gaps, *(f"{note}." for note in recording.runbook.notes)]
    if ended is None:
        notes.append("The journal just stops: the runner was killed, or the machine.")
    elif ended.ended_by != "completed":
        notes.append(f"The run was {ended.ended_by}: {ended.reason or 'no reason given'}.")
    notes += [
        f"{name}: the plan's thresholds stand in place of the runbook's."
        for name in recording.started.thresholds
    ]
    if not stories:
        notes.append("No experiment was begun.")
    notes += disagreements(results)
    return tuple(notes)
