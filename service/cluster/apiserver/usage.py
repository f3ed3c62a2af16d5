"""CPU and memory from two readings of a node agent's /metrics/resource: pure.

The rules are metrics-server's: CPU is a rate between two readings, a container that was started
between them has no rate yet, and a pod is known when all its containers are.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

Json = dict[str, Any]
API_VERSION = "metrics.k8s.io/v1beta1"
Key = tuple[str, str, str]  # namespace, pod, container; all "" for the node
NODE: Key = ("", "", "")


@dataclass(slots=True)
class Point:
    """`cpu_s` was used up to `time`; both times in seconds since the epoch, memory in bytes."""

    time: float = 0.0
    cpu_s: float = math.nan
    memory: float = math.nan
    started: float = 0.0


@dataclass(frozen=True, slots=True)
class Used:
    """CPUs on average over the `window_s` seconds before `time`, and bytes at its end."""

    time: float
    window_s: float
    cpus: float
    memory: float

    @property
    def quantities(self) -> Json:
        nano, kibi = math.ceil(self.cpus * 1e9), math.ceil(self.memory / 1024)
        return {"cpu": f"{nano}n", "memory": f"{kibi}Ki"}


Reading = dict[Key, Point]


def read(page: str, now: float) -> Reading:
    """A page of /metrics/resource; `now` for samples without a time. Raises ValueError."""
    found: Reading = {}
    samples = itertools.chain.from_iterable(
        family.samples for family in text_string_to_metric_families(page)
    )
    for sample in samples:
        scope, _, name = sample.name.partition("_")
        if scope not in ("container", "node"):
            continue
        labels = sample.labels
        key = (labels["namespace"], labels["pod"], labels["container"]) if labels else NODE
        point = found.setdefault(key, Point())
        if name == "cpu_usage_seconds_total":
            point.cpu_s, point.time = sample.value, float(sample.timestamp or now)
        elif name == "memory_working_set_bytes":
            point.memory = sample.value
        elif name == "start_time_seconds":
            point.started = sample.value
    return found


def used(before: Point | None, after: Point | None) -> Used | None:
    """None when these two readings do not tell."""
    if before is None or after is None or after.started > before.time:
        return None
    window, spent = after.time - before.time, after.cpu_s - before.cpu_s
    if not (window > 0 and spent >= 0 and after.memory >= 0):
        return None
    return Used(after.time, window, spent / window, after.memory)


@dataclass(frozen=True, slots=True)
class Readings:
    """The last two of one node."""

    before: Reading
    after: Reading

    def of(self, key: Key) -> Used | None:
        return used(self.before.get(key), self.after.get(key))


def node_metrics(node: Json, readings: Readings | None) -> Json | None:
    """The NodeMetrics; None while there are none."""
    found = readings.of(NODE) if readings else None
    if found is None:
        return None
    return {**_head("NodeMetrics", node, found), "usage": found.quantities}


def pod_metrics(pod: Json, readings: Readings | None) -> Json | None:
    """The PodMetrics of a running pod; None while one of its containers has none."""
    if readings is None or (pod.get("status") or {}).get("phase") != "Running":
        return None
    metadata = pod["metadata"]
    found = {
        name: readings.of((metadata["namespace"], metadata["name"], name))
        for name in _containers(pod)
    }
    known = {name: one for name, one in found.items() if one is not None}
    if not known or len(known) < len(found):
        return None
    first = min(known.values(), key=lambda one: one.time)
    containers = [{"name": name, "usage": one.quantities} for name, one in known.items()]
    return {**_head("PodMetrics", pod, first), "containers": containers}


def _containers(pod: Json) -> Iterator[str]:
    spec = pod["spec"]
    for container in spec["containers"]:
        yield container["name"]
    for container in spec.get("initContainers") or []:
        if container.get("restartPolicy") == "Always":  # a sidecar
            yield container["name"]


def _head(kind: str, obj: Json, found: Used) -> Json:
    stamp = datetime.fromtimestamp(found.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata = {k: v for k, v in obj["metadata"].items() if k in ("name", "namespace", "labels")}
    return {
        "kind": kind,
        "apiVersion": API_VERSION,
        "metadata": {**metadata, "creationTimestamp": stamp},
        "timestamp": stamp,
        "window": f"{found.window_s:.3f}s",
    }
