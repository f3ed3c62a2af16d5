"""/metrics/resource: CPU and memory of containers, pods and the node, for the metrics API.

Names and labels are the kubelet's (kubernetes.io/docs/reference/instrumentation/metrics). Nodes
share this machine, so a node's use is that of its pods and of its agent.
"""

import threading
import time
from collections.abc import Iterable, Iterator

import psutil
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from service.cluster.agent.usage import Running, running
from service.cluster.agent.worker import PodWorker

_CONTAINER, _POD = ["container", "namespace", "pod"], ["namespace", "pod"]


class ResourceMetrics:
    """Keeps what ended containers used, so that the node's counter never runs backwards."""

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}  # CPU seconds of each container that runs
        self._spent = 0.0
        self._lock = threading.Lock()

    def exposition(self, workers: Iterable[PodWorker]) -> bytes:
        """The page, in the text format."""
        found = [r for r in running(workers) if r.usage is not None]
        spent = self._add(found)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(found, spent))
        return generate_latest(registry)

    def _add(self, found: list[Running]) -> float:
        """CPU seconds of all containers since the agent's start."""
        now = {r.container.container_id: r.usage.cpu_s for r in found if r.usage}
        with self._lock:
            self._spent += sum(max(0.0, s - self._seen.get(key, 0.0)) for key, s in now.items())
            self._seen = now
            return self._spent


class _Collector:
    def __init__(self, found: list[Running], spent: float) -> None:
        self._found, self._spent = found, spent

    def collect(self) -> Iterator[Metric]:
        cpu = CounterMetricFamily(
            "container_cpu_usage_seconds", "CPU time used by the container.", labels=_CONTAINER
        )
        memory = GaugeMetricFamily(
            "container_memory_working_set_bytes", "Working set, in bytes.", labels=_CONTAINER
        )
        starts = GaugeMetricFamily(
            "container_start_time_seconds", "Start since the epoch.", labels=_CONTAINER
        )
        pods: dict[tuple[str, str], tuple[float, int]] = {}
        for one in self._found:
            assert one.usage is not None
            metadata = one.pod.pod["metadata"]
            place = (metadata["namespace"], metadata["name"])
            labels = [one.container.name, *place]
            cpu.add_metric(labels, one.usage.cpu_s, timestamp=one.seen)
            memory.add_metric(labels, one.usage.working_set, timestamp=one.seen)
            starts.add_metric(labels, one.born)
            spent, used = pods.get(place, (0.0, 0))
            pods[place] = (spent + one.usage.cpu_s, used + one.usage.working_set)
        yield from (cpu, memory, starts)
        yield from _pods(pods)
        yield from _node(self._spent, sum(used for _, used in pods.values()))


def _pods(pods: dict[tuple[str, str], tuple[float, int]]) -> Iterator[Metric]:
    cpu = CounterMetricFamily("pod_cpu_usage_seconds", "CPU time of the pod.", labels=_POD)
    memory = GaugeMetricFamily("pod_memory_working_set_bytes", "In bytes.", labels=_POD)
    for place, (spent, used) in pods.items():
        cpu.add_metric(place, spent)
        memory.add_metric(place, used)
    yield from (cpu, memory)


def _node(spent: float, used: int) -> Iterator[Metric]:
    """The pods' sum, with what the agent itself uses."""
    own, now = psutil.Process(), time.time()
    cpu = CounterMetricFamily("node_cpu_usage_seconds", "CPU time of the node.", labels=[])
    cpu.add_metric([], spent + sum(own.cpu_times()[:2]), timestamp=now)
    memory = GaugeMetricFamily("node_memory_working_set_bytes", "In bytes.", labels=[])
    memory.add_metric([], used + own.memory_info().rss, timestamp=now)
    yield from (cpu, memory)
