"""/metrics/cadvisor: what containers use and may use, under cAdvisor's names and labels."""

import contextlib
from collections.abc import Iterable, Iterator

import psutil
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from service.cluster.agent.cgroups import PERIOD_US, Usage
from service.cluster.agent.container import Container
from service.cluster.agent.worker import PodWorker

LABELS = ["container", "id", "image", "name", "namespace", "pod"]


class _Families:
    def __init__(self) -> None:
        self.cpu = CounterMetricFamily(
            "container_cpu_usage_seconds", "CPU time consumed in seconds.", labels=LABELS
        )
        gauges = {
            "container_memory_usage_bytes": "Memory in use, in bytes.",
            "container_memory_working_set_bytes": "Memory in use without idle file cache.",
            "container_spec_memory_limit_bytes": "Memory limit in bytes; 0 is none.",
            "container_spec_cpu_quota": "CPU quota in microseconds per period.",
            "container_spec_cpu_period": "CPU period in microseconds.",
            "container_start_time_seconds": "Start since the epoch.",
        }
        self.gauges = {
            name: GaugeMetricFamily(name, text, labels=LABELS) for name, text in gauges.items()
        }

    def add(
        self, labels: list[str], container: Container, usage: Usage | None, born: float
    ) -> None:
        if usage is not None:
            self.cpu.add_metric(labels, usage.cpu_s)
            self.gauges["container_memory_usage_bytes"].add_metric(labels, usage.memory)
            self.gauges["container_memory_working_set_bytes"].add_metric(labels, usage.working_set)
        limit = container.memory_limit or 0
        self.gauges["container_spec_memory_limit_bytes"].add_metric(labels, limit)
        self.gauges["container_spec_cpu_period"].add_metric(labels, PERIOD_US)
        if container.cpu_limit:
            quota = container.cpu_limit * PERIOD_US
            self.gauges["container_spec_cpu_quota"].add_metric(labels, quota)
        self.gauges["container_start_time_seconds"].add_metric(labels, born)


class _Collector:
    def __init__(self, workers: Iterable[PodWorker]) -> None:
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        families = _Families()
        for worker in self._workers:
            metadata = worker.pod["metadata"]
            for container in worker.containers:
                process = container.process
                if process is None:
                    continue
                labels = [
                    container.name,
                    f"/pods/{metadata['uid']}/{container.name}",
                    container.spec["image"],
                    container.container_id,
                    metadata["namespace"],
                    metadata["name"],
                ]
                with contextlib.suppress(psutil.Error):
                    born = psutil.Process(process.pid).create_time()
                    families.add(labels, container, _usage(container, process.pid), born)
        yield families.cpu
        yield from families.gauges.values()


def _usage(container: Container, shim: int) -> Usage | None:
    """From the container's cgroup, else summed over its processes."""
    if container.group is not None:
        return container.group.usage()
    spent, used = 0.0, 0
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(shim).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                spent += times.user + times.system
                used += process.memory_info().rss
    return Usage(spent, used, used)


def exposition(workers: Iterable[PodWorker]) -> bytes:
    """The page, in the text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(list(workers)))
    return generate_latest(registry)
