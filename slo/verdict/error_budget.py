"""The error budget: how much of what may fail a run used up, and how fast.

With an objective of 99.9 % over 30 days, one request in a thousand may fail: that is the budget.

- burn rate = share of failed requests / (1 - objective): at 1 the budget lasts just the period;
- cost = failed requests / ((1 - objective) x requests of a period), where a period is taken to have
  the traffic of this run all along.

Alerts are those of the Google SRE workbook, chapter 5: the burn rate in a long window says that it
matters, in a short one that it still goes on. A run is shorter than most windows. What it saw then
is a lower bound, as if nothing failed in the rest of the window: an alert that fires by it fires
for sure; one that does not is not known, unless the run covers its long window.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slo.evidence.experiment_log import ExperimentLog
from slo.indicators.client import Requests
from slo.model import BudgetAlert, BudgetWindow, ErrorBudget, IncidentCost
from slo.policy import ErrorBudgetPolicy
from slo.stats.intervals import Floats

_STEP_S = 1.0  # windows end at each whole second of the run


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """`due` of all requests and of the `failed` ones, ascending; `rate` in requests per second."""

    due: Floats
    failed: Floats
    ends: Floats
    rate: float
    allowed: float  # 1 - objective

    @property
    def length_s(self) -> float:
        return float(self.due[-1] - self.due[0])

    def counts(self, start: Floats, end: Floats) -> tuple[Floats, Floats]:
        """Requests and failures that were due in start <= t < end, for each pair."""
        found = [
            np.searchsorted(column, end) - np.searchsorted(column, start)
            for column in (self.due, self.failed)
        ]
        return found[0].astype(np.float64), found[1].astype(np.float64)


def error_budget(
    found: Requests | None, stories: Sequence[ExperimentLog], policy: ErrorBudgetPolicy
) -> ErrorBudget | None:
    """None when there is no request, or all were due at one moment: no rate, no budget."""
    if found is None or len(found) == 0 or found.due[0] == found.due[-1]:
        return None
    length = float(found.due[-1] - found.due[0])
    run = _Run(
        due=found.due,
        failed=found.due[found.failed],
        ends=found.due[0] + np.arange(1, math.ceil(length / _STEP_S) + 1) * _STEP_S,
        rate=len(found) / length,
        allowed=1 - policy.objective,
    )
    budget = run.allowed * run.rate * policy.period.total_seconds()
    return ErrorBudget(
        objective=policy.objective,
        period_s=policy.period.total_seconds(),
        length_s=length,
        requests=len(found),
        failed=run.failed.size,
        burn_rate=run.failed.size / len(found) / run.allowed,
        budget=budget,
        cost=run.failed.size / budget,
        incidents=tuple(_incidents(run, stories, budget)),
        alerts=tuple(
            _alert(run, a.long.total_seconds(), a.short.total_seconds(), a.burn_rate)
            for a in policy.alerts
        ),
    )


def _incidents(run: _Run, stories: Sequence[ExperimentLog], budget: float) -> list[IncidentCost]:
    """From each injection to the end of its recovery phase."""
    found = []
    for story in stories:
        if (span := story.incident()) is not None:
            start, end = (np.array([moment.timestamp()]) for moment in span)
            requests, failed = (int(column[0]) for column in run.counts(start, end))
            found.append(
                IncidentCost(
                    experiment=story.name,
                    length_s=float(end[0] - start[0]),
                    requests=requests,
                    failed=failed,
                    cost=failed / budget,
                )
            )
    return found


def _alert(run: _Run, long_s: float, short_s: float, burn_rate: float) -> BudgetAlert:
    (long, long_least), (short, short_least) = (_window(run, s) for s in (long_s, short_s))
    fires = bool(((long_least >= burn_rate) & (short_least >= burn_rate)).any())
    known = fires or run.length_s >= long_s
    return BudgetAlert(long=long, short=short, burn_rate=burn_rate, fires=fires if known else None)


def _window(run: _Run, window_s: float) -> tuple[BudgetWindow, Floats]:
    """The worst such window, and at each end the burn rate that it has at least."""
    starts = run.ends - window_s
    requests, failed = run.counts(starts, run.ends)
    whole = starts >= run.due[0]
    expected = np.where(whole, requests, run.rate * window_s)
    at_least = np.divide(failed, expected, out=np.zeros_like(failed), where=expected > 0)
    at_least /= run.allowed
    if whole.any():
        worst = int(np.argmax(np.where(whole, at_least, -1.0)))
        seen, bad = requests[worst], failed[worst]
    else:
        seen, bad = float(run.due.size), float(run.failed.size)
    return (
        BudgetWindow(
            length_s=window_s,
            covered_s=min(window_s, run.length_s),
            requests=int(seen),
            failed=int(bad),
            burn_rate=float(bad / seen / run.allowed) if seen else 0.0,
            at_least=float(at_least.max()),
        ),
        at_least,
    )
