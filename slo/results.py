"""Objectives in phases: every objective in every phase of an experiment, by every view there is.

Outside of faults the runbook's promises hold, and a result counts: the client's view where clients
can see the objective, else the server's. The other view stands beside it, uncounted. In the fault
phase nothing counts: what may happen there is the experiment's expectation.
"""

from collections.abc import Iterable, Sequence

from slo.client import Requests, error_rate, latency
from slo.load import LoadHealth
from slo.metrics import Measurement
from slo.model import Indicator, Objective, ObjectiveResult, Outcome, Phase, PhaseKind, View
from slo.objectives import Judgement, judge, minimum_count
from slo.slis import Sli, by_name


def phase_results(
    phase: Phase,
    objectives: Iterable[Objective],
    found: Requests | None,
    measurements: Sequence[Measurement],
    load: LoadHealth,
) -> list[ObjectiveResult]:
    """All objectives in one phase. `found` are all requests of the run, None if none were kept."""
    start, end = phase.start.timestamp(), phase.end.timestamp()
    due = None if found is None else found.between(start, end)
    results = []
    for objective in objectives:
        sli = by_name(objective.name)
        server = _server(objective, sli, phase, measurements)
        if sli is not None and sli.client:
            indicator = _client(sli, due)
            verdict = _with_load(objective, sli, due, judge_client(objective, indicator), load)
            results.append(_result(phase, objective, View.CLIENT, indicator, verdict))
            beside = judge(objective, server)
            results.append(_result(phase, objective, View.SERVER, server, beside, beside=True))
        else:
            results.append(_result(phase, objective, View.SERVER, server, judge(objective, server)))
    return results


def judge_client(objective: Objective, indicator: Indicator) -> Judgement:
    return judge(objective, indicator, minimum_count(objective))


def _result(
    phase: Phase,
    objective: Objective,
    view: View,
    indicator: Indicator,
    judgement: Judgement,
    *,
    beside: bool = False,
) -> ObjectiveResult:
    return ObjectiveResult(
        experiment=phase.experiment,
        phase=phase.kind,
        objective=objective,
        view=view,
        indicator=indicator,
        outcome=judgement.outcome,
        judged=phase.kind is not PhaseKind.FAULT and not beside,
        reason=judgement.reason,
    )


def _client(sli: Sli, due: Requests | None) -> Indicator:
    if due is None:
        return Indicator(value=None, count=0, missing="no requests were kept")
    return error_rate(due) if sli.quantile is None else latency(due, sli.quantile)


def _server(
    objective: Objective, sli: Sli | None, phase: Phase, measurements: Sequence[Measurement]
) -> Indicator:
    if sli is None:
        text = f"no indicator is known for {objective.title}"
        return Indicator(value=None, count=0, missing=text)
    where = (sli.name, phase.experiment, phase.kind)
    for measurement in measurements:
        if (measurement.sli, measurement.experiment, measurement.phase) == where:
            return measurement.indicator
    return Indicator(value=None, count=0, missing="Prometheus was not asked for this phase")


def _with_load(
    objective: Objective, sli: Sli, due: Requests | None, judgement: Judgement, load: LoadHealth
) -> Judgement:
    """What is left of a judgement when the load generator was not well; see slo.load."""
    if judgement.outcome is Outcome.INCONCLUSIVE or (load.complete and load.punctual):
        return judgement
    breach = judgement.outcome in {Outcome.WARN, Outcome.FAIL}
    if breach and due is not None:
        if sli.quantile is None:
            return judgement  # what failed has failed, however late it was sent
        unhurried = judge_client(objective, latency(due.from_start(), sli.quantile))
        if unhurried.outcome.rank >= judgement.outcome.rank:
            return judgement
    elif load.complete:
        return judgement
    return Judgement(Outcome.INCONCLUSIVE, f"{judgement.reason}, but {load.result.reason}")


def disagreements(results: Sequence[ObjectiveResult]) -> Iterable[str]:
    """A note for each objective that clients and server answer differently outside of faults."""
    server = {
        (r.experiment, r.phase, r.objective.name): r for r in results if r.view is View.SERVER
    }
    for client in results:
        other = server.get((client.experiment, client.phase, client.objective.name))
        if client.view is not View.CLIENT or not client.judged or other is None:
            continue
        sure = Outcome.INCONCLUSIVE not in {client.outcome, other.outcome}
        if sure and client.outcome is not other.outcome:
            yield (
                f"{client.experiment}, {client.phase.value}: clients and server disagree on"
                f" {client.objective.title}: {client.reason} for clients, and {other.reason} for"
                " the server."
            )
