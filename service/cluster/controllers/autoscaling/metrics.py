"""Where the HorizontalPodAutoscaler's numbers come from: the two metrics APIs.

Resources come from metrics.k8s.io. Metrics of pods come from custom.metrics.k8s.io; where nobody
serves that, they are read as a Prometheus adapter would offer them: X_per_second is the rate of
each pod's own counter X_total, unless a rule of the ConfigMap adapter-config (prometheus-adapter's
format: seriesQuery, name.as) names another counter.
"""

import json
import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import urllib3
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from service.cluster.controllers.autoscaling.replicas import MetricError, Reading, milli
from service.cluster.controllers.objects import moment, name, phase, status, uid
from service.cluster.informer import Informer
from service.cluster.kube import ApiError, Json, Kube, NotFoundError

ADAPTER = "adapter-config"
SCRAPE_TIMEOUT_S = 2.0
RATE_WINDOW = timedelta(minutes=2)
_DURATION = re.compile(r"([\d.]+)(ms|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PORTS = ("http-metrics", "metrics", "http")


def duration(text: str) -> timedelta:
    """Go's notation of a time: "1m0s", "15.5s"."""
    return timedelta(seconds=sum(float(n) * _SECONDS[unit] for n, unit in _DURATION.findall(text)))


@dataclass(frozen=True, slots=True)
class PodUsage:
    """What metrics.k8s.io says of one pod: usage by container and resource, in thousandths."""

    containers: dict[str, dict[str, int]]
    at: datetime
    window: timedelta

    def reading(self, resource: str, container: str = "") -> Reading | None:
        """Of the pod (all its containers must be known) or of one container."""
        chosen = {k: v for k, v in self.containers.items() if container in ("", k)}
        if not chosen or any(resource not in usage for usage in chosen.values()):
            return None
        return Reading(sum(u[resource] for u in chosen.values()), self.at, self.window)


def pod_usage(kube: Kube, home: str, selector: str) -> dict[str, PodUsage]:
    """By pod. Raises MetricError."""
    path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{home}/pods"
    try:
        answer = json.loads(kube.request("GET", path, query={"labelSelector": selector}).data)
    except (ApiError, urllib3.exceptions.HTTPError) as error:
        told = error.message if isinstance(error, ApiError) else str(error)
        raise MetricError(f"unable to fetch metrics from resource metrics API: {told}") from error
    return {
        name(item): PodUsage(
            {
                c["name"]: {r: milli(amount) for r, amount in c["usage"].items()}
                for c in item["containers"]
            },
            moment(item["timestamp"]),
            duration(item["window"]),
        )
        for item in answer["items"]
    }


class PodMetrics:
    """Metrics of pods by name; keeps the counters read before, to take rates."""

    def __init__(self, kube: Kube, config_maps: Informer) -> None:
        self._kube, self._config_maps = kube, config_maps
        self._http = urllib3.PoolManager(timeout=SCRAPE_TIMEOUT_S, retries=False)
        self._seen: dict[tuple[str, str], list[tuple[datetime, float]]] = {}
        self._lock = threading.Lock()

    def read(
        self, metric: str, pods: Sequence[Json], home: str, selector: str, now: datetime
    ) -> dict[str, Reading]:
        """By pod. Raises MetricError."""
        path = f"/apis/custom.metrics.k8s.io/v1beta2/namespaces/{home}/pods/*/{metric}"
        try:
            answer = json.loads(
                self._kube.request("GET", path, query={"labelSelector": selector}).data
            )
        except NotFoundError:
            return self._adapted(metric, pods, now)
        except (ApiError, urllib3.exceptions.HTTPError) as error:
            told = error.message if isinstance(error, ApiError) else str(error)
            raise MetricError(f"unable to fetch metrics from custom metrics API: {told}") from error
        return {
            item["describedObject"]["name"]: Reading(
                milli(item["value"]), moment(item["timestamp"])
            )
            for item in answer["items"]
        }

    def _adapted(self, metric: str, pods: Sequence[Json], now: datetime) -> dict[str, Reading]:
        series = self._series(metric)
        if series is None:
            raise MetricError(
                "unable to get metric "
                f"{metric}: unable to fetch metrics from custom metrics API: the server could not"
                f" find the metric {metric} for pods"
            )
        found = {}
        for pod in pods:
            total = self._counter(pod, series) if phase(pod) == "Running" else None
            if total is not None:
                rate = self._rate((uid(pod), series), total, now)
                if rate is not None:
                    found[name(pod)] = Reading(milli(round(rate, 3)), now)
        self._forget(now)
        return found

    def _series(self, metric: str) -> str | None:
        for config in self._config_maps.list():
            if name(config) == ADAPTER:
                for rule in _rules(config):
                    if (rule.get("name") or {}).get("as") == metric:
                        return str(rule["seriesQuery"]).partition("{")[0]
        stem = metric.removesuffix("_per_second")
        return f"{stem}_total" if stem != metric else None

    def _counter(self, pod: Json, series: str) -> float | None:
        port, address = metrics_port(pod), status(pod).get("podIP")
        if port is None or not address:
            return None
        try:
            answer = self._http.request("GET", f"http://{address}:{port}/metrics")
        except urllib3.exceptions.HTTPError:
            return None
        return counted(answer.data.decode(errors="replace"), series)

    def _rate(self, key: tuple[str, str], total: float, now: datetime) -> float | None:
        """Over the readings of the window, as rate() has it; a counter that fell began anew."""
        with self._lock:
            kept = [r for r in self._seen.get(key, []) if r[0] > now - RATE_WINDOW]
            if kept and kept[-1][1] > total:
                kept = []
            self._seen[key] = kept = [*kept, (now, total)]
        elapsed_s = (now - kept[0][0]).total_seconds()
        return (total - kept[0][1]) / elapsed_s if elapsed_s > 0 else None

    def _forget(self, now: datetime) -> None:
        with self._lock:
            for key in [k for k, r in self._seen.items() if r[-1][0] < now - RATE_WINDOW]:
                del self._seen[key]


def metrics_port(pod: Json) -> int | None:
    """Where the pod serves /metrics: a port of a known name, else its first."""
    ports = [p for c in pod["spec"]["containers"] for p in c.get("ports") or []]
    named = {p.get("name"): p["containerPort"] for p in ports}
    number = next((named[n] for n in _PORTS if n in named), None)
    return number if number is not None else next((p["containerPort"] for p in ports), None)


def counted(text: str, series: str) -> float | None:
    """The sum of a counter's samples in Prometheus' text format; None if it is not there."""
    try:
        samples = [
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == series
        ]
    except ValueError:
        return None
    return sum(samples) if samples else None


def _rules(config: Json) -> Iterable[Json]:
    try:
        read = YAML(typ="safe", pure=True).load((config.get("data") or {}).get("config.yaml", ""))
    except YAMLError:
        return []
    rules: list[Json] = (read or {}).get("rules") or []
    return rules
