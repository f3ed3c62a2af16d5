"""Service level indicators: which measurement answers which promise of a runbook.

Every PromQL expression is evaluated as an instant query at the end of a window, with the window's
length as its range. Placeholders: {namespace}, {workload}, {window} and {step}, the time between
scrapes, the last two also as numbers of seconds ({window_s}, {step_s}); `fill` puts values in their
place. What to know of the expressions:

- increase() and rate() extrapolate to the window's edges, by up to half a scrape interval (or, for
  series that cover the window, up to 1.1 intervals) on each side; with 2 s scrapes and a window of
  20 s that is an error of up to a tenth in a count. In a ratio of two increases it cancels nearly.
- A counter that is born within the window has lost what it counted before its first scrape, and one
  that dies what it counted after its last: while pods are replaced the server sees less than its
  clients do. That is why the client's view decides where there is one.
- histogram_quantile() interpolates within a bucket: the error is up to the bucket's width, and
  nothing is larger than the highest finite bound. So the buckets are kept beside the value.
"""

import re
from dataclasses import dataclass
from math import inf

from slo.model import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerView:
    """How Prometheus answers. `value` gives one number, or nothing where there is no answer.

    `count` is how many observations are behind the value, and `scrapes` how often, at best, its
    series was scraped in the window. `empty` says what it means when scrapes are there and the
    value is not. How sure the value is comes from one of three: `buckets`, the histogram behind a
    `quantile`; `share`, a part of `count` observations; or `slack`, by how much a reading may be
    off. `resets` is how often a counter behind it began anew, which increase() and rate() handle.
    """

    value: str
    count: str
    scrapes: str
    series: str  # the metric to name when nothing exports it
    empty: str
    quantile: float | None = None
    buckets: str = ""
    share: bool = False
    slack: str = ""
    highest: float = inf  # what a reading cannot exceed
    resets: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sli:
    """An indicator. With a `quantile`, the client's view is that quantile of latency.

    `user_facing` indicators are what users notice themselves; severity depends on it.
    """

    name: str
    unit: Unit
    definition: str
    user_facing: bool
    client: bool
    server: ServerView
    quantile: float | None = None


# Probes and scrapes are no requests of users.
_REQUESTS = 'namespace="{namespace}",endpoint!~"/health|/ready|/metrics"'
# A Deployment's pods: <name>-<template hash>-<suffix>, and not those of <name>-canary.
_PODS = 'namespace="{namespace}",pod=~"{workload}-[a-z0-9]+-[a-z0-9]+"'
_CONTAINERS = _PODS + ',container!="",container!="POD"'
_DEPLOYMENT = 'namespace="{namespace}",deployment="{workload}"'

_TRAFFIC = f"sum(increase(bizra_requests_total{{{_REQUESTS}}}[{{window}}]))"


def _increases(histogram: str, labels: str) -> str:
    return f"sum by (le) (increase({histogram}_bucket{{{labels}}}[{{window}}]))"


def _resets(selector: str) -> str:
    return f"sum(resets({selector}[{{window}}]))"


def _limit(resource: str, cadvisor: str) -> str:
    """Each container's limit in the window, from kube-state-metrics or else from cAdvisor."""
    by = "max by (namespace, pod, container)"
    stated = f'kube_pod_container_resource_limits{{{_CONTAINERS},resource="{resource}"}}'
    return f"({by} (max_over_time({stated}[{{window}}])) or {by} ({cadvisor}))"


def _scrapes(selector: str) -> str:
    return f"max(count_over_time({selector}[{{window}}]))"


def response_time(q: float) -> Sli:
    """Time to the last byte that a share `q` of the requests does not exceed."""
    name = f"response_time_p{q * 100:g}"
    histogram = "bizra_request_duration_seconds"
    return Sli(
        name=name,
        unit=Unit.SECONDS,
        definition=f"{q:.4g} quantile of the time from when a request was due to its last byte;"
        " of requests that were answered below 500, and of timeouts with the time they waited",
        user_facing=True,
        client=True,
        quantile=q,
        server=ServerView(
            value=f"histogram_quantile({q:g}, {_increases(histogram, _REQUESTS)})",
            quantile=q,
            buckets=_increases(histogram, _REQUESTS),
            resets=_resets(f"{histogram}_count{{{_REQUESTS}}}"),
            count=f"sum(increase({histogram}_count{{{_REQUESTS}}}[{{window}}]))",
            scrapes=_scrapes(f"{histogram}_count{{{_REQUESTS}}}"),
            series=f"{histogram}_bucket",
            empty="no traffic in the window",
        ),
    )


_ERROR_RATE = Sli(
    name="error_rate",
    unit=Unit.RATIO,
    definition="share of requests without an answer below 400: 4xx, 5xx, timeouts, refused and"
    " reset connections for the client; 5xx alone for the server, which sees no others",
    user_facing=True,
    client=True,
    server=ServerView(
        # Without any 5xx there is no series of them: that is 0, but only where there is traffic.
        value=f'(sum(increase(bizra_requests_total{{{_REQUESTS},status=~"5.."}}[{{window}}]))'
        f" or 0 * {_TRAFFIC}) / ({_TRAFFIC} > 0)",
        count=_TRAFFIC,
        share=True,
        resets=_resets(f"bizra_requests_total{{{_REQUESTS}}}"),
        scrapes=_scrapes(f"bizra_requests_total{{{_REQUESTS}}}"),
        series="bizra_requests_total",
        empty="no traffic in the window",
    ),
)

_CPU_SECONDS = f"container_cpu_usage_seconds_total{{{_CONTAINERS}}}"
_CPU_SHARE = (
    f"max(sum by (namespace, pod, container) (rate({_CPU_SECONDS}[{{window}}])) / "
    + _limit(
        "cpu",
        f"container_spec_cpu_quota{{{_CONTAINERS}}} / container_spec_cpu_period{{{_CONTAINERS}}}",
    )
    + ")"
)
_CPU = Sli(
    name="cpu_utilization",
    unit=Unit.RATIO,
    definition="mean CPU over the window of the busiest container, as share of its own limit",
    user_facing=False,
    client=False,
    server=ServerView(
        value=_CPU_SHARE,
        # rate() extrapolates to the window's edges, by up to a scrape interval in all.
        slack=f"{_CPU_SHARE} * {{step_s}} / {{window_s}}",
        resets=_resets(_CPU_SECONDS),
        count=f"sum(count_over_time({_CPU_SECONDS}[{{window}}]))",
        scrapes=_scrapes(_CPU_SECONDS),
        series="container_cpu_usage_seconds_total",
        empty="no container of the workload has a CPU limit",
    ),
)

_WORKING_SET = f"container_memory_working_set_bytes{{{_CONTAINERS}}}"
_MEMORY = Sli(
    name="memory_usage",
    unit=Unit.RATIO,
    definition="highest working set in the window of any container, as share of its own limit:"
    " one moment above it is enough to be killed",
    user_facing=False,
    client=False,
    server=ServerView(
        value="max(max by (namespace, pod, container)"
        f" (max_over_time({_WORKING_SET}[{{window}}])) / "
        + _limit("memory", f"container_spec_memory_limit_bytes{{{_CONTAINERS}}} > 0")
        + ")",
        count=f"sum(count_over_time({_WORKING_SET}[{{window}}]))",
        scrapes=_scrapes(_WORKING_SET),
        series="container_memory_working_set_bytes",
        empty="no container of the workload has a memory limit",
    ),
)

_DESIRED = f"kube_deployment_spec_replicas{{{_DEPLOYMENT}}}"
_AVAILABLE = f"kube_deployment_status_replicas_available{{{_DEPLOYMENT}}}"
_AVAILABILITY = Sli(
    name="pod_availability",
    unit=Unit.RATIO,
    definition="mean over the window of available pods divided by desired pods, at most 1;"
    " as seen at each scrape, so that a pod that is back before the next one was never away",
    user_facing=False,
    client=False,
    server=ServerView(
        value=f"max(avg_over_time(clamp_max({_AVAILABLE} / ({_DESIRED} > 0), 1)"
        "[{window}:{step}]))",
        highest=1.0,
        # Each change was seen by a scrape and came at any time since the one before.
        slack=f"max(changes({_AVAILABLE}[{{window}}]) / ({_DESIRED} > 0)) * {{step_s}}"
        " / {window_s}",
        count=f"max(count_over_time({_AVAILABLE}[{{window}}]))",
        scrapes=_scrapes(_AVAILABLE),
        series="kube_deployment_status_replicas_available",
        empty="the workload is scaled to no pods",
    ),
)

_FAISS_INCREASES = _increases("bizra_faiss_query_duration_seconds", 'namespace="{namespace}"')
_FAISS = Sli(
    name="faiss_query_time",
    unit=Unit.SECONDS,
    definition="0.95 quantile of the time of one FAISS search"
    " (the runbook names no quantile; its troubleshooting guide judges p95)",
    user_facing=False,
    client=False,
    server=ServerView(
        value=f"histogram_quantile(0.95, {_FAISS_INCREASES})",
        quantile=0.95,
        buckets=_FAISS_INCREASES,
        resets=_resets('bizra_faiss_query_duration_seconds_count{namespace="{namespace}"}'),
        count='sum(increase(bizra_faiss_query_duration_seconds_count{namespace="{namespace}"}'
        "[{window}]))",
        scrapes=_scrapes('bizra_faiss_query_duration_seconds_count{namespace="{namespace}"}'),
        series="bizra_faiss_query_duration_seconds_bucket",
        empty="no search in the window",
    ),
)

AVAILABLE_SHARE = f"min(clamp_max({_AVAILABLE} / ({_DESIRED} > 0), 1))"
"""Available pods as share of the desired ones, at one moment."""

PROMETHEUS_SCRAPES = "max(count_over_time(up[{window}]))"
"""How often, at best, Prometheus scraped anything at all in the window, in vain or not."""

DEFAULT_SLIS = (response_time(0.95), _ERROR_RATE, _CPU, _MEMORY, _AVAILABILITY, _FAISS)


def fill(expr: str, *, namespace: str, workload: str, window_s: float, step_s: float) -> str:
    """The expression with its placeholders replaced; durations in whole milliseconds."""
    values = {
        "{namespace}": namespace,
        "{workload}": workload,
        "{window}": f"{round(window_s * 1000)}ms",
        "{step}": f"{round(step_s * 1000)}ms",
        "{window_s}": f"{window_s:g}",
        "{step_s}": f"{step_s:g}",
    }
    for placeholder, value in values.items():
        expr = expr.replace(placeholder, value)
    return expr


def by_name(name: str) -> Sli | None:
    """The indicator of this name."""
    quantile = re.fullmatch(r"response_time_p(\d+(?:\.\d+)?)", name)
    if quantile and 0 < float(quantile[1]) < 100:  # noqa: PLR2004
        return response_time(float(quantile[1]) / 100)
    return next((sli for sli in DEFAULT_SLIS if sli.name == name), None)
