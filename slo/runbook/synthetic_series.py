"""Worlds that an alert is shown to find out whether it speaks up, and keeps silent, as it should.

What an alert stands for is read from the series that it looks at: failing requests, response
times, FAISS queries, pods that are not ready or not available, CPU or memory. Its worlds are then
made from the runbook's own objectives: bad ones past the critical threshold, good ones within the
target. Pure: series in promtool's notation, of the names and labels that the alert asks for.
Durations in seconds, rates per second, shares as ratios.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from slo.model import Objective
from slo.runbook import promql
from slo.runbook.durations import seconds
from slo.runbook.model import Alert

STEP_S = 15.0
BEFORE_S, AFTER_S, MARGIN_S = 600.0, 900.0, 300.0
NAMESPACE = "shop"  # unless the alert asks for another one
PODS = ("api-0", "api-1", "api-2")
ENDPOINTS = ("/score", "/search")
READY = "kube_pod_status_ready"
AVAILABLE = "kube_deployment_status_replicas_available"
DESIRED = "kube_deployment_spec_replicas"
CPU_SECONDS = "container_cpu_usage_seconds_total"
WORKING_SET = "container_memory_working_set_bytes"
STATED_LIMITS = "kube_pod_container_resource_limits"
MEMORY_LIMIT = "container_spec_memory_limit_bytes"
CORES, GIB = 2.0, 2.0**30
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0)


class Subject(StrEnum):
    """What an alert stands for, in the words of a report."""

    ERRORS = "error rate"
    LATENCY = "response time"
    SEARCHES = "FAISS query time"
    READINESS = "pods that are not ready"
    AVAILABILITY = "pod availability"
    OUTAGE = "a service without a pod"
    CPU = "CPU utilization"
    MEMORY = "memory usage"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesSelector:
    """One series selector. `equal` are labels that it wants exactly, `like` its other matchers."""

    metric: str
    equal: dict[str, str]
    like: dict[str, str]
    window_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticIncident:
    """A story of three parts: well, the matter, well again; the matter lasts from BEFORE_S.

    `series` are pairs of a series and its values every STEP_S, as `promtool test rules` reads them.
    """

    name: str
    should_fire: bool
    matter_s: float
    series: tuple[tuple[str, str], ...]

    @property
    def length_s(self) -> float:
        return _length(self.matter_s)


class NoSeriesError(Exception):
    """No series can be made for the alert; the message says why."""


def selectors(expr: str) -> tuple[SeriesSelector, ...]:
    """All selectors of the expression. Raises NoWorldError where it cannot be parsed."""
    try:
        tree = promql.parse(expr)
    except promql.PromQLError as error:
        raise NoSeriesError(f"is not PromQL: {error}") from error
    return tuple(
        SeriesSelector(
            metric=found.name,
            equal={m.name: m.value for m in found.matchers if m.op == "=" and m.value},
            like={m.name: m.value for m in found.matchers if m.op == "=~"},
            window_s=found.range_s or 0.0,
        )
        for found in promql.selectors(tree)
    )


def subject_of(alert: Alert) -> Subject | None:
    """By the series that it looks at; None where they say nothing to us."""
    try:
        found = selectors(alert.expr)
    except NoSeriesError:
        return None
    metrics = {s.metric for s in found}
    for wanted, subject in _BY_METRICS:
        if wanted <= metrics:
            return subject
    if any(s.metric.endswith("_bucket") for s in found) and "histogram_quantile" in alert.expr:
        faiss = any("faiss" in metric for metric in metrics)
        return Subject.SEARCHES if faiss else Subject.LATENCY
    if any(_status(s) for s in found):
        return Subject.ERRORS
    return None


_BY_METRICS: tuple[tuple[set[str], Subject], ...] = (
    ({READY}, Subject.READINESS),
    ({AVAILABLE, DESIRED}, Subject.AVAILABILITY),
    ({AVAILABLE}, Subject.OUTAGE),
    ({CPU_SECONDS, STATED_LIMITS}, Subject.CPU),
    ({WORKING_SET, MEMORY_LIMIT}, Subject.MEMORY),
    ({WORKING_SET, STATED_LIMITS}, Subject.MEMORY),
)


def _status(selector: SeriesSelector) -> tuple[str, str] | None:
    """The label that tells failing requests, and a value that it accepts."""
    for name, pattern in {**selector.like, **selector.equal}.items():
        for value in ("500", "503"):
            if _matches(pattern, value) and not _matches(pattern, "200"):
                return name, value
    return None


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.fullmatch(pattern, value) is not None
    except re.error:
        return False


def synthetic_incidents(
    alert: Alert, objectives: Sequence[Objective]
) -> tuple[SyntheticIncident, ...]:
    """The worlds for an alert. Raises NoWorldError where there is nothing to measure it by."""
    found = selectors(alert.expr)
    subject = subject_of(alert)
    promised = {o.name: o for o in objectives}
    matter = (alert.for_s or 0.0) + max((s.window_s for s in found), default=0.0) + MARGIN_S
    matter = STEP_S * round(matter / STEP_S)
    if subject is Subject.ERRORS:
        if "error_rate" not in promised:
            raise NoSeriesError("the runbook has no objective for the error rate")
        return tuple(_error_worlds(found, promised["error_rate"], matter))
    if subject is Subject.LATENCY:
        times = [o for name, o in promised.items() if name.startswith("response_time")]
        if not times:
            raise NoSeriesError("the runbook has no objective for the response time")
        return tuple(_latency_worlds(found, times[0], matter))
    if subject is Subject.READINESS:
        return tuple(_readiness_worlds(found, matter))
    if subject is Subject.OUTAGE:
        return tuple(_deployment_worlds(found, len(PODS), matter))
    if subject is not None:
        return tuple(_internal_worlds(subject, found, promised, matter))
    names = ", ".join(dict.fromkeys(s.metric for s in found)) or "no series"
    raise NoSeriesError(f"looks at {names}, which stands for no objective that is known here")


def _internal_worlds(
    subject: Subject,
    found: tuple[SeriesSelector, ...],
    promised: dict[str, Objective],
    matter_s: float,
) -> Iterator[SyntheticIncident]:
    name = _INTERNALS[subject]
    if name not in promised:
        raise NoSeriesError(f"the runbook has no objective for the {subject.value}")
    objective = promised[name]
    if subject is Subject.SEARCHES:
        return _latency_worlds(found, objective, matter_s, what="search")
    if subject is Subject.AVAILABILITY:
        past = (n for n in range(1, len(PODS)) if 1 - n / len(PODS) < objective.critical)
        return _deployment_worlds(found, next(past, len(PODS)), matter_s)
    return _share_worlds(found, objective, matter_s)


_INTERNALS = {
    Subject.SEARCHES: "faiss_query_time",
    Subject.AVAILABILITY: "pod_availability",
    Subject.CPU: "cpu_utilization",
    Subject.MEMORY: "memory_usage",
}


# Failing requests


def _error_worlds(
    found: tuple[SeriesSelector, ...], objective: Objective, matter_s: float
) -> Iterator[SyntheticIncident]:
    good, bad = objective.target / 2, objective.critical * 2

    def incident(name: str, rate: float, share: float, *, fires: bool) -> SyntheticIncident:
        shares = (0.0, share, 0.0)
        series = tuple(_requests(found, rate, shares, matter_s))
        return SyntheticIncident(name=name, should_fire=fires, matter_s=matter_s, series=series)

    yield incident("60 requests/s, none fails", 60, 0.0, fires=False)
    yield incident(f"600 requests/s, {good:.3%} fail, within the target", 600, good, fires=False)
    yield incident(f"60 requests/s, {bad:.1%} fail", 60, bad, fires=True)
    yield incident(f"few users: 0.6 requests/s, {bad:.1%} fail", 0.6, bad, fires=True)


def _requests(
    found: tuple[SeriesSelector, ...], rate: float, shares: tuple[float, ...], matter_s: float
) -> Iterator[tuple[str, str]]:
    """For each counter: by pod, endpoint and status, as services count."""
    counters: dict[str, tuple[dict[str, str], tuple[str, str] | None]] = {}
    for selector in found:
        labels, status = counters.get(selector.metric, ({}, None))
        mine = _status(selector)
        kept = {k: v for k, v in selector.equal.items() if not mine or k != mine[0]}
        counters[selector.metric] = ({**labels, **kept, **_chosen(selector, mine)}, mine or status)
    each = rate / len(PODS) / len(ENDPOINTS)
    for metric, (labels, status) in counters.items():
        for pod in PODS:
            for endpoint in ENDPOINTS:
                base = {"pod": pod, "endpoint": endpoint, "method": "POST", **labels}
                if not status:
                    yield _series(metric, base), _counter([each] * 3, matter_s)
                    continue
                name, bad = status
                good = {**base, name: "200"}
                yield _series(metric, good), _counter([each * (1 - s) for s in shares], matter_s)
                if any(shares):
                    failing = [each * s for s in shares]
                    yield _series(metric, {**base, name: bad}), _counter(failing, matter_s)


def _chosen(selector: SeriesSelector, status: tuple[str, str] | None) -> dict[str, str]:
    """A value for each label that is matched by a pattern, the status apart."""
    chosen = {}
    for name, pattern in selector.like.items():
        if status and name == status[0]:
            continue
        plain = pattern.strip("^$()").split("|")[0].replace(".*", "x").replace(".+", "x")
        if not _matches(pattern, plain):
            raise NoSeriesError(f'no value is known that {name}=~"{pattern}" matches')
        chosen[name] = plain
    return chosen


# Response times


def _latency_worlds(
    found: tuple[SeriesSelector, ...], objective: Objective, matter_s: float, what: str = "request"
) -> Iterator[SyntheticIncident]:
    good, bad = objective.target / 2, objective.critical * 2
    histogram = next(s for s in found if s.metric.endswith("_bucket"))
    labels = {**histogram.equal, **_chosen(histogram, None)}

    def incident(
        name: str, slow: dict[tuple[str, str], float], *, fires: bool
    ) -> SyntheticIncident:
        series: list[tuple[str, str]] = []
        for pod in PODS:
            for endpoint, rate in ((ENDPOINTS[0], 19.0), (ENDPOINTS[1], 0.4)):
                share = slow.get((pod, endpoint), 0.0)
                base = {"pod": pod, "endpoint": endpoint, "method": "POST", **labels}
                series += _histogram(
                    histogram.metric, base, matter_s, rate=rate, share=share, good=good, bad=bad
                )
        return SyntheticIncident(
            name=name, should_fire=fires, matter_s=matter_s, series=tuple(series)
        )

    everywhere = {(p, e): 1.0 for p in PODS for e in ENDPOINTS}
    rare = {(p, ENDPOINTS[1]): 0.5 for p in PODS}
    one_pod = {(PODS[0], e): 1.0 for e in ENDPOINTS}
    show = f"{bad * 1000:.0f} ms"
    yield incident(f"every {what} takes {good * 1000:.0f} ms", {}, fires=False)
    yield incident(
        f"one {what} in a hundred takes {show}, all on one endpoint: the 95th percentile of all is"
        " within the target",
        rare,
        fires=False,
    )
    yield incident(f"every {what} takes {show}", everywhere, fires=True)
    yield incident(f"one pod of three answers in {show}", one_pod, fires=True)


def _histogram(
    metric: str,
    labels: dict[str, str],
    matter_s: float,
    *,
    rate: float,
    share: float,
    good: float,
    bad: float,
) -> Iterator[tuple[str, str]]:
    """Requests that take `good`, and while the matter lasts a share of them that take `bad`."""
    for bound in (*sorted({*BOUNDS, good, bad}), float("inf")):
        quick = rate if bound >= good else 0.0
        late = rate if bound >= bad else 0.0
        rates = [quick, quick * (1 - share) + late * share, quick]
        le = "+Inf" if bound == float("inf") else f"{bound:g}"
        yield _series(metric, {**labels, "le": le}), _counter(rates, matter_s)


# Pods


def _readiness_worlds(
    found: tuple[SeriesSelector, ...], matter_s: float
) -> Iterator[SyntheticIncident]:
    ready = next(s for s in found if s.metric == READY)
    labels = {k: v for k, v in ready.equal.items() if k not in {"condition", "pod"}}
    labels |= {k: v for k, v in _chosen(ready, None).items() if k not in {"condition", "pod"}}

    def incident(name: str, missing_s: float, *, fires: bool) -> SyntheticIncident:
        series = []
        for pod in PODS:
            gone = missing_s if pod == PODS[0] else 0.0
            for condition in ("true", "false", "unknown"):
                well = float(condition == "true")
                ill = float(condition == "false") if gone else well
                values = _gauge([(BEFORE_S, well), (gone, ill), (matter_s - gone + AFTER_S, well)])
                chosen = {"namespace": NAMESPACE, "pod": pod, "condition": condition, **labels}
                series.append((_series(READY, chosen), values))
        return SyntheticIncident(
            name=name, should_fire=fires, matter_s=matter_s, series=tuple(series)
        )

    yield incident("three pods, all ready", 0.0, fires=False)
    yield incident(
        "one of three pods is not ready for half a minute, as in a rollout", 30.0, fires=False
    )
    yield incident(
        f"one of three pods is not ready for {matter_s / 60:.0f} minutes", matter_s, fires=True
    )


def _deployment_worlds(
    found: tuple[SeriesSelector, ...], missing: int, matter_s: float
) -> Iterator[SyntheticIncident]:
    """`missing` of the Deployment's pods are away."""

    def incident(name: str, gone_s: float, *, fires: bool) -> SyntheticIncident:
        series = []
        for metric in dict.fromkeys(s.metric for s in found):
            away = missing if metric == AVAILABLE else 0
            if metric not in {AVAILABLE, DESIRED}:
                raise NoSeriesError(f"looks at {metric}, too, of which nothing is known here")
            labels = {"namespace": NAMESPACE, "deployment": "api", **_wanted(found, metric)}
            parts = [(BEFORE_S, 0), (gone_s, away), (matter_s - gone_s + AFTER_S, 0)]
            values = _gauge([(length, float(len(PODS) - n)) for length, n in parts])
            series.append((_series(metric, labels), values))
        return SyntheticIncident(
            name=name, should_fire=fires, matter_s=matter_s, series=tuple(series)
        )

    said = f"{missing} of {len(PODS)} pods away"
    yield incident(f"{len(PODS)} pods desired, all available", 0.0, fires=False)
    yield incident(f"{said} for half a minute, as in a rollout", 30.0, fires=False)
    yield incident(f"{said} for {matter_s / 60:.0f} minutes", matter_s, fires=True)


def _wanted(found: tuple[SeriesSelector, ...], metric: str) -> dict[str, str]:
    """The labels that the selectors of the metric ask for."""
    labels: dict[str, str] = {}
    for selector in found:
        if selector.metric == metric:
            labels |= {**selector.equal, **_chosen(selector, None)}
    return labels


# Shares of a container's limit


def _share_worlds(
    found: tuple[SeriesSelector, ...], objective: Objective, matter_s: float
) -> Iterator[SyntheticIncident]:
    """Just within the target is well; half-way from critical to the limit is not."""
    good, bad = objective.target * 0.9, (1 + objective.critical) / 2

    def incident(
        name: str, busy: float, *, unlimited: bool = False, fires: bool
    ) -> SyntheticIncident:
        series: list[tuple[str, str]] = []
        for metric in dict.fromkeys(s.metric for s in found):
            for pod in PODS:
                shares = (good, busy if pod == PODS[0] else good, good)
                named = {"namespace": NAMESPACE, "pod": pod, "container": "api"}
                named |= _wanted(found, metric)
                series.append((_series(metric, named), _used(metric, shares, named, matter_s)))
            beside = {"namespace": NAMESPACE, "pod": PODS[0], "container": "helper"}
            beside |= _wanted(found, metric)
            if unlimited and metric == MEMORY_LIMIT:  # cAdvisor says 0, kube-state-metrics nothing
                series.append((_series(metric, beside), _gauge([(_length(matter_s), 0.0)])))
            elif unlimited and metric in {CPU_SECONDS, WORKING_SET}:
                values = _used(metric, (good, good, good), beside, matter_s)
                series.append((_series(metric, beside), values))
        return SyntheticIncident(
            name=name, should_fire=fires, matter_s=matter_s, series=tuple(series)
        )

    yield incident(f"every container uses {good:.0%} of its limit", good, fires=False)
    yield incident(
        f"{good:.0%}, and a container without a limit", good, unlimited=True, fires=False
    )
    yield incident(f"one container of three uses {bad:.0%} of its limit", bad, fires=True)


def _used(
    metric: str, shares: tuple[float, float, float], labels: dict[str, str], matter_s: float
) -> str:
    parts = list(zip((BEFORE_S, matter_s, AFTER_S), shares, strict=True))
    if metric == CPU_SECONDS:
        return _counter([share * CORES for share in shares], matter_s)
    if metric == WORKING_SET:
        return _gauge([(length, share * GIB) for length, share in parts])
    if metric == MEMORY_LIMIT or (metric == STATED_LIMITS and labels.get("resource") == "memory"):
        return _gauge([(_length(matter_s), GIB)])
    if metric == STATED_LIMITS and labels.get("resource") == "cpu":
        return _gauge([(_length(matter_s), CORES)])
    raise NoSeriesError(f"looks at {metric}, too, of which nothing is known here")


def _length(matter_s: float) -> float:
    return BEFORE_S + matter_s + AFTER_S


# promtool's notation


def _series(metric: str, labels: dict[str, str]) -> str:
    inside = ", ".join(f'{k}="{v}"' for k, v in labels.items())
    return f"{metric}{{{inside}}}"


def _counter(rates: Sequence[float], matter_s: float) -> str:
    """A counter that grows by each rate for its part of the story."""
    parts, value = [], 0.0
    for rate, length in zip(rates, (BEFORE_S, matter_s, AFTER_S), strict=True):
        count = round(length / STEP_S)
        step = rate * STEP_S
        parts.append(f"{value:.9g}+{step:.9g}x{count - 1}")
        value += step * count
    return " ".join(parts)


def _gauge(parts: Sequence[tuple[float, float]]) -> str:
    shown = []
    for length, value in parts:
        count = round(length / STEP_S)
        if count:
            shown.append(f"{value:.9g}+0x{count - 1}")
    return " ".join(shown)


# A quicker run

_RANGE = re.compile(r"\[\s*([0-9a-z]+)\s*(:?)\s*([0-9a-z]*)\s*\]")


def scaled(expr: str, scale: float) -> str:
    """The expression with every range divided by `scale`; subquery steps stay as they are."""

    def shorter(found: re.Match[str]) -> str:
        length = seconds(found[1])
        if length is None:
            return found[0]
        return f"[{round(length / scale * 1000)}ms{found[2]}{found[3]}]"

    return _RANGE.sub(shorter, expr)
