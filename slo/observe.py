"""The server's view of a phase: every indicator asked of Prometheus, or the reason why it is not.

Nothing here raises for an answer that is missing: that is an outcome, and is told as one.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from slo.metrics import Measurement, Series
from slo.model import Indicator, Phase
from slo.prometheus import Prometheus, PrometheusError
from slo.slis import DEFAULT_SLIS, PROMETHEUS_SCRAPES, Sli, fill

MIN_COVERAGE = 0.8
"""Below this share of the expected scrapes a window is not known well enough to be judged."""

MIN_SCRAPES = 3
"""rate() and increase() need two; a third tells a slope from an accident."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is measured: a Deployment in a namespace, scraped every `scrape_interval`."""

    namespace: str
    workload: str
    scrape_interval: timedelta


def measure(
    prometheus: Prometheus, phase: Phase, scope: Scope, slis: Iterable[Sli] = DEFAULT_SLIS
) -> list[Measurement]:
    """Each SLI over the phase. Ask once the phase's last scrape can have been stored."""
    return [_Window(prometheus, phase, scope).measure(sli) for sli in slis]


class _Window:
    def __init__(self, prometheus: Prometheus, phase: Phase, scope: Scope) -> None:
        self._prometheus = prometheus
        self._phase = phase
        self._scope = scope
        self._length_s = (phase.end - phase.start).total_seconds()

    def measure(self, sli: Sli) -> Measurement:
        expr = self._fill(sli.server.value)
        try:
            indicator, coverage = self._indicator(sli, expr)
        except PrometheusError as error:
            indicator, coverage = _missing(f"Prometheus gave no answer: {error}"), 0.0
        return Measurement(
            sli=sli.name,
            experiment=self._phase.experiment,
            phase=self._phase.kind,
            time=self._phase.end,
            indicator=indicator,
            coverage=coverage,
            expr=expr,
        )

    def _indicator(self, sli: Sli, expr: str) -> tuple[Indicator, float]:
        expected = self._length_s / self._scope.scrape_interval.total_seconds()
        if expected < MIN_SCRAPES:
            text = f"{self._length_s:g} s is too short for {MIN_SCRAPES} scrapes"
            return _missing(f"the window of {text}"), 0.0
        overall = self._coverage(PROMETHEUS_SCRAPES, expected)
        if overall < MIN_COVERAGE:
            return _missing(f"scrape gap: Prometheus has {overall:.0%} of the scrapes"), overall
        coverage = self._coverage(self._fill(sli.server.scrapes), expected)
        if coverage == 0:
            return _missing(f"no series: nothing exported {sli.server.series}"), coverage
        if coverage < MIN_COVERAGE:
            text = f"target down: {coverage:.0%} of the scrapes have {sli.server.series}"
            return _missing(text), coverage
        value = self._number(expr)
        if value is None:
            return _missing(sli.server.empty), coverage
        count = round(self._number(self._fill(sli.server.count)) or 0)
        return Indicator(value=value, count=count), coverage

    def _coverage(self, expr: str, expected: float) -> float:
        # A window holds one scrape more or less than expected, as it happens to lie.
        seen = self._number(self._fill(expr)) or 0.0
        return min(1.0, seen / max(1, math.floor(expected)))

    def _number(self, expr: str) -> float | None:
        values = self._prometheus.instant(expr, self._phase.end)
        return values[0].value if values else None

    def _fill(self, expr: str) -> str:
        return _fill(expr, self._scope, self._length_s)


def _missing(reason: str) -> Indicator:
    return Indicator(value=None, count=0, missing=reason)


def _fill(expr: str, scope: Scope, window_s: float) -> str:
    return fill(
        expr,
        namespace=scope.namespace,
        workload=scope.workload,
        window_s=window_s,
        step_s=scope.scrape_interval.total_seconds(),
    )


def series(
    prometheus: Prometheus,
    start: datetime,
    end: datetime,
    scope: Scope,
    slis: Iterable[Sli] = DEFAULT_SLIS,
) -> list[Series]:
    """Each SLI over time, one point per scrape, each over the five scrapes before it.

    Where Prometheus gives no answer there is no series; `measure` says why.
    """
    window_s = 5 * scope.scrape_interval.total_seconds()
    found = []
    for sli in slis:
        try:
            points = prometheus.range(
                _fill(sli.server.value, scope, window_s),
                start.astimezone(UTC),
                end.astimezone(UTC),
                scope.scrape_interval,
            )
        except PrometheusError:
            continue
        found += [
            Series(name=sli.name, labels=dict(p.labels), times=p.times, values=p.values)
            for p in points
        ]
    return found
