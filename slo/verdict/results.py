"""Objectives in phases: every objective in every phase of an experiment, by every view there is.

Outside of faults the runbook's promises hold, and a result counts: the client's view where clients
can see the objective, else the server's. The other view stands beside it, uncounted. In the fault
phase nothing counts: what may happen there is the experiment's expectation.

A phase has to rule out the critical threshold. Whether the target holds is settled by all
undisturbed phases together (`promises`), where clients measured it; where they did not, by each
phase alone, because what Prometheus says of two windows cannot be added up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from slo.evidence.metrics import Measurement
from slo.indicators.client import ClientView, Requests, client_view, latency
from slo.indicators.server import Clock, evidence_of
from slo.indicators.slis import Indicators, Sli, yaml_for
from slo.model import (
    Objective,
    ObjectiveResult,
    Outcome,
    Phase,
    PhaseKind,
    PromiseResult,
    View,
)
from slo.show import show
from slo.stats.estimates import Evidence, indicator
from slo.verdict.load_health import LoadHealth
from slo.verdict.objectives import Decision, Judgement, judge, unknown

MATTERS = 0.1
"""Views that lie apart by less than this share of the target would change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllEvidence:
    """All that is known. `found` are all requests of the run, None if none were kept."""

    found: Requests | None
    measurements: Sequence[Measurement]
    indicators: Indicators
    load: LoadHealth
    clock: Clock
    decision: Decision


def phase_results(
    phase: Phase, objectives: Iterable[Objective], seen: AllEvidence
) -> list[ObjectiveResult]:
    """All objectives in one phase."""
    start, end = phase.start.timestamp(), phase.end.timestamp()
    due = None if seen.found is None else seen.found.between(start, end)
    results = []
    for objective in objectives:
        client = client_view(objective.name)
        view = client if seen.load.wanted else None
        sli = seen.indicators.find(objective)
        measured = None if isinstance(sli, str) else _measured(sli, phase, seen.measurements)
        theirs = _server(objective, sli, measured, seen)
        server = _result(
            phase, objective, View.SERVER, theirs, judged(objective, theirs, seen.decision)
        )
        server = replace(
            server,
            user_facing=client is not None or (isinstance(sli, Sli) and sli.user_facing),
            formula=measured.expr if measured else "",
            data=_METRICS,
        )
        if view is not None:
            ours = _client(view, due)
            load = seen.load.within([(start, end)])
            judgement = with_load(
                objective,
                view,
                due,
                judged(objective, ours, seen.decision),
                load=load,
                decision=seen.decision,
            )
            own = _result(phase, objective, View.CLIENT, ours, judgement)
            own = replace(own, user_facing=True, formula=view.definition, data=_SAMPLES)
            apart = _apart(objective, ours, theirs, seen.decision)
            results.append(replace(own, disagreement=apart))
            results.append(replace(server, judged=False, disagreement=apart))
        else:
            results.append(server)
    return results


_SAMPLES = "samples.parquet, the rows with start <= intended_start < end of the phase"
_METRICS = "metrics.parquet, the row of this objective, experiment and phase"


def promises(
    phases: Sequence[Phase], objectives: Iterable[Objective], seen: AllEvidence
) -> list[PromiseResult]:
    """What clients measured over all undisturbed phases, each objective once."""
    calm = [p for p in phases if p.kind is not PhaseKind.FAULT]
    if not calm or not seen.load.wanted:
        return []
    windows = [(p.start.timestamp(), p.end.timestamp()) for p in calm]
    due = None if seen.found is None else seen.found.within(windows)
    results = []
    for objective in objectives:
        view = client_view(objective.name)
        if view is None:
            continue
        ours = _client(view, due)
        load = seen.load.within(windows)
        judgement = with_load(
            objective,
            view,
            due,
            judged(objective, ours, seen.decision),
            load=load,
            decision=seen.decision,
        )
        results.append(
            PromiseResult(
                objective=objective,
                view=View.CLIENT,
                phases=len(calm),
                indicator=indicator(ours, seen.decision.confidence),
                outcome=judgement.outcome,
                counts=judgement.counts,
                reason=judgement.reason,
                formula=view.definition,
                data=f"{_SAMPLES}, of {len(calm)} phases without a fault",
            )
        )
    return results


def counted(results: Iterable[ObjectiveResult], settled: Iterable[PromiseResult]) -> list[Outcome]:
    """What objectives mean to the run: a target that a phase leaves open is settled elsewhere."""
    promised = list(settled)
    return [p.counts for p in promised] + [means(r, promised) for r in results if r.judged]


def means(result: ObjectiveResult, settled: Iterable[PromiseResult]) -> Outcome:
    """What one phase means to the run; see `settled_elsewhere`."""
    return Outcome.PASS if settled_elsewhere(result, settled) else result.counted


def settled_elsewhere(result: ObjectiveResult, settled: Iterable[PromiseResult]) -> bool:
    """Is the target all that the phase leaves open, and there is a result over all phases?"""
    open_target = result.outcome is not result.counted
    return open_target and any(p.objective.name == result.objective.name for p in settled)


def judged(objective: Objective, evidence: Evidence | str, decision: Decision) -> Judgement:
    """What the evidence says; without any, that it is not known."""
    if isinstance(evidence, str):
        return unknown(evidence)
    return judge(objective, evidence, decision)


def _result(
    phase: Phase,
    objective: Objective,
    view: View,
    evidence: Evidence | str,
    judgement: Judgement,
) -> ObjectiveResult:
    return ObjectiveResult(
        experiment=phase.experiment,
        phase=phase.kind,
        objective=objective,
        view=view,
        indicator=indicator(evidence),
        outcome=judgement.outcome,
        counts=judgement.counts,
        missed=judgement.missed,
        judged=phase.kind is not PhaseKind.FAULT,
        reason=judgement.reason,
    )


def _client(view: ClientView, due: Requests | None) -> Evidence | str:
    return "no requests were kept" if due is None else view.evidence(due)


def _measured(sli: Sli, phase: Phase, measurements: Sequence[Measurement]) -> Measurement | None:
    where = (sli.name, phase.experiment, phase.kind)
    return next(
        (m for m in measurements if (m.sli, m.experiment, m.phase) == where),
        None,
    )


def _server(
    objective: Objective, sli: Sli | str, measured: Measurement | None, seen: AllEvidence
) -> Evidence | str:
    if isinstance(sli, str):
        return f"{sli}; system.yaml can say how: {yaml_for(objective)}"
    if measured is None:
        return "Prometheus was not asked for this phase"
    return evidence_of(sli, measured, seen.clock)


def with_load(
    objective: Objective,
    view: ClientView,
    due: Requests | None,
    judgement: Judgement,
    *,
    load: LoadHealth,
    decision: Decision,
) -> Judgement:
    """What is left of a judgement when the load generator was not well: slo.verdict.load_health."""
    well = load.complete and load.punctual and load.capable
    if judgement.counts is Outcome.INCONCLUSIVE or well:
        return judgement
    breach = judgement.counts in {Outcome.WARN, Outcome.FAIL}
    if breach and due is not None:
        if view.quantile is None:
            return judgement  # what failed has failed, however late it was sent
        if load.capable:
            unhurried = judged(
                objective, latency(view.asked(due).from_start(), view.quantile), decision
            )
            if unhurried.counts.rank >= judgement.counts.rank:
                return judgement
    elif load.complete:
        return judgement
    reason = f"{judgement.reason}, but {load.result.reason}"
    return Judgement.of(Outcome.INCONCLUSIVE, reason)


def _apart(
    objective: Objective, ours: Evidence | str, theirs: Evidence | str, decision: Decision
) -> str:
    """What clients and server say where their intervals do not meet, and it could matter."""
    if isinstance(ours, str) or isinstance(theirs, str):
        return ""
    mine, other = ours.span(decision.confidence), theirs.span(decision.confidence)
    above = (mine.low or 0.0) - (other.high if other.high is not None else float("inf"))
    below = (other.low or 0.0) - (mine.high if mine.high is not None else float("inf"))
    gap = max(above, below)
    if gap <= MATTERS * abs(objective.target):
        return ""
    unit = objective.unit
    return (
        f"clients saw {show(ours.value, unit)}, the server {show(theirs.value, unit)}:"
        f" their intervals lie {show(gap, unit)} apart"
    )


def disagreements(results: Sequence[ObjectiveResult]) -> Iterable[str]:
    """A note for each objective about which clients and server cannot both be right."""
    for result in results:
        if result.disagreement and result.judged and result.view is View.CLIENT:
            yield (
                f"{result.experiment}, {result.phase.value}: clients and server disagree on"
                f" {result.objective.title}: {result.disagreement}."
            )
