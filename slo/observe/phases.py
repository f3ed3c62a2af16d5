"""The server's view of a phase: every indicator asked of Prometheus, or the reason why it is not.

Nothing here raises for an answer that is missing: that is an outcome, and is told as one.
"""

import math
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from slo.evidence.metrics import ALERTS, CLOCK, REDUNDANCY, RULES, Measurement, Series
from slo.indicators.slis import AVAILABLE_SHARE, PROMETHEUS_SCRAPES, Place, Sli, fill
from slo.model import Indicator, Phase
from slo.observe.answers import (
    PartialAnswerError,
    PrometheusError,
    UnfitAnswerError,
)
from slo.observe.prometheus import Answer, Prometheus, Value

MIN_COVERAGE = 0.8
"""Below this share of the expected scrapes a window is not known well enough to be judged."""

MIN_SCRAPES = 3
"""rate() and increase() need two; a third tells a slope from an accident."""

MIN_SAMPLES = 2
"""Of an exporter that takes them at its own pace: its slack says how little two are."""

_AGO_S = 300.0  # as far back as Prometheus itself takes a sample for one of now


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is measured: a workload's indicators, scraped every `scrape_interval`."""

    place: Place
    slis: tuple[Sli, ...]
    scrape_interval: timedelta


def measure(prometheus: Prometheus, phase: Phase, scope: Scope) -> list[Measurement]:
    """Each SLI over the phase. Ask once the phase's last scrape can have been stored."""
    return [_Window(prometheus, phase, scope).measure(sli) for sli in scope.slis]


class _Window:
    def __init__(self, prometheus: Prometheus, phase: Phase, scope: Scope) -> None:
        self._prometheus = prometheus
        self._phase = phase
        self._scope = scope
        self._said: dict[str, None] = {}  # warnings and remarks, each once
        self._length_s = (phase.end - phase.start).total_seconds()
        self._step_s = scope.scrape_interval.total_seconds()

    def measure(self, sli: Sli) -> Measurement:
        self._step_s = self._scope.scrape_interval.total_seconds()
        expr = self._fill(sli.value)
        buckets: tuple[tuple[float, float], ...] = ()
        slack, resets, coverage = None, 0, 0.0
        self._said = {}
        try:
            indicator, coverage = self._indicator(sli, expr)
            if indicator.value is not None:
                buckets = self._buckets(sli)
                slack = self._number(self._fill(sli.slack), "slack") if sli.slack else None
                resets = self._whole(sli.resets, "resets")
        except PartialAnswerError as error:
            self._said |= dict.fromkeys(error.warnings)
            indicator = _missing(str(error))
        except UnfitAnswerError as error:
            indicator = _missing(str(error))
        except PrometheusError as error:
            indicator = _missing(f"Prometheus gave no answer: {error}")
        return Measurement(
            sli=sli.name,
            experiment=self._phase.experiment,
            phase=self._phase.kind,
            time=self._phase.end,
            indicator=indicator,
            coverage=coverage,
            expr=expr,
            buckets=buckets,
            slack=slack,
            resets=resets,
            warnings=tuple(self._said),
        )

    def _buckets(self, sli: Sli) -> tuple[tuple[float, float], ...]:
        """The histogram behind a quantile, ascending: (upper edge, cumulative count)."""
        if not sli.buckets:
            return ()
        rows = self._ask(self._fill(sli.buckets))
        bounds = ((float(r.labels["le"]) * sli.scale, r.value) for r in rows if "le" in r.labels)
        return tuple(sorted(bounds))

    def _indicator(self, sli: Sli, expr: str) -> tuple[Indicator, float]:
        expected = self._length_s / self._step_s
        if expected < MIN_SCRAPES:
            text = f"{self._length_s:g} s is too short for {MIN_SCRAPES} scrapes"
            return _missing(f"the window of {text}"), 0.0
        overall = self._coverage(PROMETHEUS_SCRAPES, expected)
        if overall < MIN_COVERAGE:
            return _missing(f"scrape gap: Prometheus has {overall:.0%} of the scrapes"), overall
        if sli.sampled_every_s > self._step_s:
            return self._sampled(sli, expr)
        coverage = self._coverage(sli.scrapes, expected) if sli.scrapes else overall
        if sli.fresh and coverage >= MIN_COVERAGE:
            coverage = min(coverage, self._coverage(sli.fresh, expected))
        series = self._fill(sli.series).partition("{")[0]
        if coverage == 0:
            return _missing(f"no series: nothing exported {series}"), coverage
        if coverage < MIN_COVERAGE:
            text = f"target down: {coverage:.0%} of the scrapes have {series}"
            return _missing(text), coverage
        return self._value(sli, expr), coverage

    def _sampled(self, sli: Sli, expr: str) -> tuple[Indicator, float]:
        """Of an exporter with a pace of its own: scrapes in between bring nothing new."""
        every, series = sli.sampled_every_s, self._fill(sli.series).partition("{")[0]
        seen = self._number(self._fill(sli.scrapes), "number of samples") or 0.0
        expected = math.floor(self._length_s / every)
        coverage = min(1.0, seen / max(1, expected))
        if not seen and not self._number(_fill(sli.scrapes, self._scope, _AGO_S, every), "number"):
            return _missing(f"no series: nothing exported {series}"), 0.0
        few = (
            f"{seen:g} of {series} in {self._length_s:g} s, of which its exporter takes one every"
            f" {every:g} s"
        )
        if coverage < MIN_COVERAGE and expected >= MIN_SAMPLES:
            return _missing(f"target down: too few samples, {few}"), coverage
        if seen < MIN_SAMPLES:
            return _missing(f"the window is too short for {MIN_SAMPLES} samples: {few}"), coverage
        self._step_s = max(self._step_s, self._length_s / seen)
        return self._value(sli, expr), coverage

    def _value(self, sli: Sli, expr: str) -> Indicator:
        value = self._number(expr, "value")
        if value is None:
            return _missing(sli.empty)
        return Indicator(value=value, count=self._whole(sli.count, "count"))

    def _whole(self, expr: str, what: str) -> int:
        return round(self._number(self._fill(expr), what) or 0) if expr else 0

    def _coverage(self, expr: str, expected: float) -> float:
        # A window holds one scrape more or less than expected, as it happens to lie.
        seen = self._number(self._fill(expr), "number of scrapes") or 0.0
        return min(1.0, seen / max(1, math.floor(expected)))

    def _number(self, expr: str, what: str) -> float | None:
        """None where there is no series. Raises UnfitAnswerError where there are several."""
        values = self._ask(expr)
        if values.series > 1:
            raise UnfitAnswerError(
                f"the expression of its {what} gives {values.series} series where one number is"
                " wanted: wrap it in sum() or max()"
            )
        return values[0].value if values else None

    def _ask(self, expr: str) -> Answer[Value]:
        found = self._prometheus.instant(expr, self._phase.end)
        self._said |= dict.fromkeys(found.remarks)
        return found

    def _fill(self, expr: str) -> str:
        return _fill(expr, self._scope, self._length_s, self._step_s)


def _missing(reason: str) -> Indicator:
    return Indicator(value=None, count=0, missing=reason)


def _fill(expr: str, scope: Scope, window_s: float, step_s: float) -> str:
    return fill(expr, scope.place, window_s=window_s, step_s=step_s)


def series(
    prometheus: Prometheus,
    start: datetime,
    end: datetime,
    scope: Scope,
) -> list[Series]:
    """Each SLI over time, one point per scrape, each over the five scrapes before it, or over as
    many as three samples of an exporter with a pace of its own may need.

    Beside them what other questions need: the pods available, the alerts and the rules that make
    them, and Prometheus' clock. Where Prometheus gives no answer, or a partial one, there is no
    series; `measure` says why.
    """
    step_s = scope.scrape_interval.total_seconds()
    found = []
    for sli in scope.slis:
        window_s = max(5 * step_s, 3 * sli.sampled_every_s)
        try:
            points = prometheus.range(
                _fill(sli.value, scope, window_s, step_s),
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
    return [*found, *_context(prometheus, start, end, scope)]


def _context(
    prometheus: Prometheus, start: datetime, end: datetime, scope: Scope
) -> Iterable[Series]:
    """What is not an indicator: redundancy, alerts, their rules, the clock."""
    step_s = scope.scrape_interval.total_seconds()
    exprs = {REDUNDANCY: _fill(AVAILABLE_SHARE, scope, 0.0, step_s), ALERTS: ALERTS}
    known = set()
    for name, expr in exprs.items():
        with suppress(PrometheusError):
            for p in prometheus.range(
                expr, start.astimezone(UTC), end.astimezone(UTC), scope.scrape_interval
            ):
                labels = {k: v for k, v in p.labels.items() if k != "__name__"}
                yield Series(name=name, labels=labels, times=p.times, values=p.values)
            known.add(name)
    with suppress(PrometheusError):
        before = time.time()
        theirs = prometheus.clock()
        ours = (before + time.time()) / 2
        yield Series(name=CLOCK, labels={}, times=(ours,), values=(round(theirs - ours, 3),))
    if ALERTS not in known:
        return  # rules would say that Prometheus was asked, and that no alert was there
    at = (end.timestamp(),)
    with suppress(PrometheusError):
        rules = prometheus.alert_rules()
        yield Series(name=RULES, labels={}, times=at, values=(0.0,))
        for rule in rules:
            labels = {**rule.labels, "alertname": rule.name}
            yield Series(name=RULES, labels=labels, times=at, values=(rule.for_s,))
