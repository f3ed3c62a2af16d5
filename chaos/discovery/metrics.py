"""What Prometheus has of a workload: where it is, which library's metrics, which labels."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chaos.kube import Cluster, Json, kind_of
from slo.observe.prometheus import Prometheus
from slo.system.indicators import IndicatorSpec
from slo.system.model import Target
from slo.system.presets import preset, presets
from slo.system.prometheus import PrometheusAccess

KUBERNETES = "kubernetes"
_PLACES = ("namespace", "kubernetes_namespace", "exported_namespace")
_NAMES = ("job", "app", "service", "deployment", "container", "workload", "application")
_LOOK = "2m"
_OF_LIBRARIES = re.compile(r"(python|process|go|jvm|promhttp|container|kube|node|prometheus|net)_")
USUAL_S = 15.0


def find_prometheus(cluster: Cluster) -> tuple[PrometheusAccess | None, str]:
    """The Service of a Prometheus, and in words what was found."""
    found = sorted(_services(cluster), key=lambda s: -_likeness(s))
    if not found or _likeness(found[0]) == 0:
        return None, "no Service of the cluster looks like a Prometheus"
    best = found[0]
    meta, ports = best["metadata"], best["spec"].get("ports") or []
    port = next((p["port"] for p in ports if p["port"] == 9090), ports[0]["port"])  # noqa: PLR2004
    access = PrometheusAccess(service=meta["name"], namespace=meta["namespace"], port=port)
    return access, f"Prometheus is Service {meta['namespace']}/{meta['name']}, port {port}"


def _services(cluster: Cluster) -> Iterator[Json]:
    yield from (s for s in cluster.objects(kind_of("Service")) if s["spec"].get("ports"))


def _likeness(service: Json) -> int:
    meta = service["metadata"]
    labels = meta.get("labels") or {}
    named = "prometheus" in (labels.get("app.kubernetes.io/name"), labels.get("app"))
    called = "prometheus" in meta["name"]
    apart = any(w in meta["name"] for w in ("operator", "exporter", "alertmanager", "metrics"))
    has_port = any(p["port"] == 9090 for p in service["spec"]["ports"])  # noqa: PLR2004
    return 0 if apart or not (named or called) else 1 + named + called + has_port


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundMetrics:
    """`presets` fit what is exported, `selector` are this workload's labels, `said` is in words.

    `counters` are what the workload exports itself, where no preset knows it.
    """

    presets: tuple[str, ...]
    selector: str
    scrape_interval: timedelta
    said: tuple[str, ...]
    counters: tuple[str, ...] = ()


def find_metrics(prometheus: Prometheus, target: Target) -> FoundMetrics:
    """Raises slo.observe.answers.PrometheusError."""
    names = prometheus.names()
    said: list[str] = []
    counters: tuple[str, ...] = ()
    chosen = [KUBERNETES] if any(n.startswith(("container_", "kube_")) for n in names) else []
    selector = 'namespace="{namespace}"'
    for name in presets():
        metric = _metric(preset(name).indicators.get("error_rate"))
        if name == KUBERNETES or metric is None or not _all_of(name) <= names:
            continue
        labels = _labels(prometheus, metric, target)
        if labels is None:
            said.append(f"{metric} is exported, but by nothing that looks like {target.workload}")
            continue
        chosen.append(name)
        selector = labels
        said.append(f"the metrics are those of {preset(name).exported_by}: preset {name}")
        break
    else:
        said.append("no preset fits the metrics, so Prometheus says nothing of errors and times")
        if target.service is None and target.url is None:  # these metrics are all that there is
            selector = _labels(prometheus, "up", target) or selector
            own = selector.replace("{namespace}", target.namespace)
            counters = _counters(prometheus, names, own)
    return FoundMetrics(
        presets=tuple(chosen),
        selector=selector,
        scrape_interval=_interval(prometheus),
        said=tuple(said),
        counters=counters,
    )


def _metric(spec: IndicatorSpec | None) -> str | None:
    return spec.total[0].partition("{")[0] if spec is not None and spec.total else None


def _all_of(name: str) -> frozenset[str]:
    """The metrics without which a preset is not that of the library."""
    specs = preset(name).indicators.values()
    counters = {s.total[0].partition("{")[0] for s in specs if s.total}
    histograms = {
        h.partition("{")[0] + "_bucket" for s in specs for h in s.histogram or () if not s.native
    }
    return frozenset(counters | histograms)


def _labels(prometheus: Prometheus, metric: str, target: Target) -> str | None:
    """Labels that single the target's series out; None where no series is the target's."""
    by = ", ".join((*_PLACES, *_NAMES))
    rows = prometheus.instant(f"count by ({by}) ({metric})", datetime.now(UTC))
    groups = [row.labels for row in rows]
    place = next((n for n in _PLACES if any(g.get(n) == target.namespace for g in groups)), None)
    kept = {place: "{namespace}"} if place else {}
    # Series that say which other namespace they are of are another system's, whatever its name.
    inside = [
        g
        for g in groups
        if (g.get(place) == target.namespace if place else not any(n in g for n in _PLACES))
    ]
    if len(inside) > 1 or place is None:
        like = {target.workload, target.service or target.workload}
        own = next((n for n in _NAMES if any(g.get(n) in like for g in inside)), None)
        if own is not None:
            kept[own] = next(g[own] for g in inside if g.get(own) in like)
        elif place is None and len(inside) != 1:
            return None  # nobody's, or nobody knows whose
    return ",".join(f'{name}="{value}"' for name, value in kept.items())


def _counters(prometheus: Prometheus, names: Iterable[str], selector: str) -> tuple[str, ...]:
    """Names of counters with these labels, without what a client library says of itself."""
    own = "|".join(
        re.escape(n) for n in sorted(names) if n.endswith("_total") and not _OF_LIBRARIES.match(n)
    )
    if not own or not selector:
        return ()
    found = f'count by (__name__) ({{__name__=~"{own}",{selector}}})'
    rows = prometheus.instant(found, datetime.now(UTC))
    return tuple(sorted(row.labels["__name__"] for row in rows))


def _interval(prometheus: Prometheus) -> timedelta:
    """The shortest time between two scrapes of one target; 15 s where that cannot be told yet."""
    times = f"timestamp(up)[{_LOOK}:1s]"
    span = f"max_over_time({times}) - min_over_time({times})"
    each = f"min(({span}) / ((count_over_time(up[{_LOOK}]) > 2) - 1))"
    rows = prometheus.instant(each, datetime.now(UTC))
    seconds = rows[0].value if rows else USUAL_S
    return timedelta(seconds=max(1, round(seconds)))
