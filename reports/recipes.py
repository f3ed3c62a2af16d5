"""How to come to every figure of the report by hand: formula, window, count and raw data.

Objectives bring their formula along, because the runbook and the plan decide which there are; all
other figures are made the same way in every run.
"""

from dataclasses import dataclass

from slo.model import Verdict, View

_DUE = "samples.parquet, by intended_start"
_INCIDENT = "from fault.intended to the end of the recovery phase (journal.jsonl)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to come to the figures of one objective by hand, as one view measured it."""

    objective: str
    view: str
    formula: str
    method: str
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure that is no objective. `name` as the page has it."""

    name: str
    formula: str
    window: str
    data: str


def objectives(verdict: Verdict) -> tuple[Recipe, ...]:
    """Each objective and view once; of a query that has its window in it, the first."""
    found: dict[tuple[str, View], Recipe] = {}
    for result in verdict.objectives:
        key = result.objective.title, result.view
        if result.formula and (key not in found or not found[key].method):
            found[key] = Recipe(
                objective=result.objective.title,
                view="clients" if result.view is View.CLIENT else "service",
                formula=result.formula,
                method=result.indicator.method or "none: measured, not sampled",
                data=result.data,
            )
    return tuple(found.values())


def others(verdict: Verdict) -> tuple[Figure, ...]:
    """Those that the page has, in its order; the score and the error budget tell it themselves."""
    found = [
        Figure(
            name="Points of the charts",
            formula="requests due in a point's seconds: how many, the share without an answer below"
            " 400, and quantiles of response times as below",
            window="a point's seconds, as the caption says",
            data=_DUE,
        )
    ]
    if any(e.moments for e in verdict.experiments):
        found += _EXPERIMENTS
    if verdict.endpoints:
        found.append(_ENDPOINTS)
    found.append(_LOAD)
    return tuple(found)


_EXPERIMENTS = (
    Figure(
        name="Severity",
        formula="the worst rule of the policy's table that holds for its dwell time, put to"
        " windows of the policy's length, and to each objective over the whole fault and recovery"
        " phase",
        window=_INCIDENT,
        data=f"{_DUE}; metrics.parquet, pods_available_share; policy.yaml",
    ),
    Figure(
        name="Time to detect",
        formula="end of the first bad window − fault.confirmed; bad is a window that is surely"
        " past a critical threshold, or in which no answer has a response time",
        window=f"windows of window_s (journal.jsonl), {_INCIDENT}",
        data=f"{_DUE}; journal.jsonl",
    ),
    Figure(
        name="Time to recover",
        formula="start of the first of good_windows good windows in a row after the last bad or"
        " empty one − fault.confirmed; 0 where none was bad; good is a window that is past no"
        " critical threshold",
        window="the same windows",
        data=f"{_DUE}; journal.jsonl",
    ),
    Figure(
        name="Lost, slow",
        formula="lost: no answer below 400; slow: an answer below 400 that took longer than the"
        " critical response time, counted from when it was due",
        window=_INCIDENT,
        data=_DUE,
    ),
    Figure(
        name="Data lost",
        formula="reads of one object by its id that were answered with 404 or 410, of all that"
        " were answered with that or below 400",
        window=_INCIDENT,
        data=_DUE,
    ),
    Figure(
        name="Alerts",
        formula="first and last scrape at which Prometheus had it pending, or firing; alerts that"
        " name another namespace are left out",
        window="from the start of the baseline to the end of the recovery phase",
        data="metrics.parquet, ALERTS and alert_rules",
    ),
)

_ENDPOINTS = Figure(
    name="Endpoints",
    formula="error rate: share without an answer below 400; available: share with an answer below"
    " 500; p50, p95, p99: quantiles of start + latency − intended_start, of requests that were"
    " answered below 500 and of timeouts (their number is n; over the whole run, requests less"
    " those that failed otherwise); intervals as those of the clients' view above",
    window="each phase; over the whole run",
    data=f"{_DUE} and endpoint",
)

_LOAD = Figure(
    name="Load generator",
    formula="due, sent and CPU are what it said at its end; rates: over the time from the first"
    " to the last request that was due; late: the 0.99 quantile of start − intended_start",
    window="the whole run; late: without the fault phases",
    data="journal.jsonl, load.ended; samples.parquet",
)
