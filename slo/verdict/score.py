"""From a recording to a verdict: pure, and the same bytes each time.

Outcome: the worst of the judged objectives, the experiments and the load generator's health; a run
that did not run to its end is inconclusive at best.

Many decisions are taken of one run, and each may err. So that a healthy service fails in one run of
a hundred at most (the policy's `false_fails`), that chance is shared among all decisions that could
fail the run (Bonferroni; Dunn, "Multiple Comparisons Among Means", 1961), which need not be
independent of one another for that.

How the score is made up stands in slo.verdict.points.
"""

from collections.abc import Collection, Iterator, Sequence

from slo.evidence.experiment_log import ExperimentLog, experiment_logs
from slo.evidence.journal import LoadStarted, PodsSeen, RunEnded
from slo.evidence.metrics import Measurement
from slo.evidence.recording import Recording
from slo.indicators.client import Requests, client_view, of_services, requests
from slo.indicators.server import clock
from slo.indicators.slis import Indicators
from slo.model import (
    SCHEMA_VERSION,
    Certainty,
    ExperimentResult,
    Objective,
    ObjectiveResult,
    Outcome,
    PhaseKind,
    Severity,
    TimelineMark,
    Verdict,
    worst,
)
from slo.policy import DecisionPolicy
from slo.verdict.alerts import about
from slo.verdict.degraded import limit_count
from slo.verdict.error_budget import error_budget
from slo.verdict.experiments import Case, judge_experiment
from slo.verdict.headline import headline
from slo.verdict.load_health import load_health
from slo.verdict.objectives import Decision, override
from slo.verdict.points import addends, total
from slo.verdict.results import AllEvidence, counted, disagreements, phase_results, promises
from slo.verdict.timeline import endpoints, marks, timeline


def score(recording: Recording) -> Verdict:
    """Judge a run. Raises ThresholdError where the plan's thresholds do not fit the runbook."""
    started, policy = recording.started, recording.policy
    indicators = Indicators.of_system(recording.system)
    services = [e.service for e in recording.journal if isinstance(e, LoadStarted) and e.service]
    promised = of_services(override(recording.runbook.objectives, started.thresholds), services)
    measured = {m.sli for m in recording.measurements}
    left_out, objectives = _left_out(
        promised, measured, policy.leave_out, loaded=bool(started.scenario)
    )
    stories = experiment_logs(recording.journal)
    found = requests(recording.samples) if recording.samples is not None else None
    fault_phases = [p for story in stories if (p := story.phase(PhaseKind.FAULT))]
    load = load_health(
        started.scenario, recording.journal, recording.samples, fault_phases, policy.generator
    )
    series = about(recording.series, started.namespace)
    certainty = _certainty(stories, objectives, found, policy.decision)
    seen = AllEvidence(
        found=found,
        measurements=recording.measurements,
        indicators=indicators,
        load=load,
        clock=clock(recording.series, policy.decision.clock_skew.total_seconds()),
        decision=Decision(certainty.confidence, certainty.error),
    )

    results: list[ObjectiveResult] = []
    experiments: list[ExperimentResult] = []
    moments: list[TimelineMark] = []
    for story in stories:
        own = [r for phase in story.phases for r in phase_results(phase, objectives, seen)]
        case = Case(
            story=story,
            objectives=objectives,
            results=own,
            seen=seen,
            series=series,
            pods=[e for e in recording.journal if isinstance(e, PodsSeen)],
            scrape_interval_s=started.scrape_interval_s,
            time_scale=started.time_scale,
            levels=recording.runbook.severities,
            policy=policy,
        )
        experiment, recovered = judge_experiment(case)
        results += own
        experiments.append(experiment)
        moments += marks(story, recovered)
    settled = promises([p for story in stories for p in story.phases], objectives, seen)

    ended = next((e for e in recording.journal if isinstance(e, RunEnded)), None)
    last = recording.journal[-1].time
    outcome = worst(
        [
            worst(counted(results, settled)),
            worst([e.outcome for e in experiments]),
            load.result.outcome,
            Outcome.PASS if ended and ended.ended_by == "completed" else Outcome.INCONCLUSIVE,
        ]
    )
    parts = addends(results, settled, experiments, policy.score)
    verdict = Verdict(
        schema_version=SCHEMA_VERSION,
        gameday_version=started.gameday_version,
        run=started.run,
        plan=started.plan,
        target=f"{started.namespace}/{started.workload}"
        + (f" at {started.url}" if started.url else ""),
        started=started.time,
        ended=ended.time if ended else last,
        ended_by=ended.ended_by if ended else "",
        time_scale=started.time_scale,
        outcome=outcome,
        headline="",
        score=total(parts),
        severity=min((e.observed_severity for e in experiments), key=_rank, default=Severity.NONE),
        objectives=tuple(results),
        experiments=tuple(experiments),
        load=load.result,
        endpoints=endpoints(found),
        timeline=timeline(found, started.time, ended.time if ended else last),
        marks=tuple(moments),
        notes=_notes(recording, stories, results, seen, ended=ended, left_out=left_out),
        promises=tuple(settled),
        addends=parts,
        certainty=certainty,
        budget=error_budget(found, stories, recording.policy.error_budget),
    )
    return headline(verdict)


def _left_out(
    objectives: Sequence[Objective],
    measured: Collection[str],
    names: Collection[str],
    *,
    loaded: bool,
) -> tuple[list[Objective], tuple[Objective, ...]]:
    """Those that the policy leaves out, and the others. What is measured is judged always."""
    out = [
        o
        for o in objectives
        if o.name in names
        and o.name not in measured
        and not (loaded and client_view(o.name) is not None)
    ]
    return out, tuple(o for o in objectives if o not in out)


def _rank(severity: Severity) -> int:
    return severity.rank


def _certainty(
    stories: Sequence[ExperimentLog],
    objectives: Sequence[Objective],
    found: Requests | None,
    policy: DecisionPolicy,
) -> Certainty:
    """How many decisions could fail the run, and the chance of error that is left for each."""
    phases = sum(len(story.phases) for story in stories)
    names = 0 if found is None else len(found.names)
    allowed = sum(limit_count(s.started.expectation.degraded, names) for s in stories)
    tests = max(1, (phases + 1) * len(objectives) + allowed)
    return Certainty(
        confidence=policy.confidence,
        false_fails=policy.false_fails,
        tests=tests,
        error=policy.false_fails / tests,
    )


def _notes(
    recording: Recording,
    stories: Sequence[ExperimentLog],
    results: Sequence[ObjectiveResult],
    seen: AllEvidence,
    *,
    ended: RunEnded | None,
    left_out: Sequence[Objective],
) -> tuple[str, ...]:
    notes = [*recording.gaps, *(f"{note}." for note in recording.runbook.notes)]
    notes += [
        f"{o.title} (line {o.source.line}) was not judged: nothing measures it, and the policy"
        " leaves it out."
        for o in left_out
    ]
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
    if seen.clock.skewed:
        notes.append(f"{seen.clock.skewed[0].upper()}{seen.clock.skewed[1:]}.")
    notes += [
        f"{m.experiment}, {m.phase.value}: counters behind {m.sli} began anew"
        f" {'once' if m.resets == 1 else f'{m.resets} times'} (restarts); increases are counted"
        " across them."
        for m in recording.measurements
        if m.resets
    ]
    notes += _warnings(recording.measurements)
    notes += disagreements(results)
    return tuple(notes)


def _warnings(measurements: Sequence[Measurement]) -> Iterator[str]:
    """What Prometheus said beside its answers, each text once."""
    about: dict[str, list[Measurement]] = {}
    for measured in measurements:
        for text in measured.warnings:
            about.setdefault(text, []).append(measured)
    for text, behind in about.items():
        names = ", ".join(dict.fromkeys(m.sli for m in behind))
        phases = ", ".join(dict.fromkeys(f"{m.experiment} {m.phase.value}" for m in behind))
        yield f'Prometheus said beside its answers about {names} ({phases}): "{text}".'
