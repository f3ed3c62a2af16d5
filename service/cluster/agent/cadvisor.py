"""/metrics/cadvisor: what containers use and may use, under cAdvisor's names and labels.

Source: github.com/google/cadvisor, docs/storage/prometheus.md. Series about the network and about
file systems are not there: containers share this machine's.

A kubelet's cAdvisor looks at each container at its own pace, 10 to 15 s apart, and stamps what it
saw with that time: whoever scrapes more often gets the same samples again. So does this one, where
it is given a pace; without one it looks at each scrape.
"""

import threading
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from service.cluster.agent.cgroups import LEAST_SHARES, PERIOD_US, SHARES_PER_CPU
from service.cluster.agent.usage import Running, running
from service.cluster.agent.worker import PodWorker

LABELS = ["container", "id", "image", "name", "namespace", "pod"]
COUNTERS = {
    "container_cpu_usage_seconds": "CPU time consumed in seconds.",
    "container_cpu_cfs_periods": "Periods in which the container wanted CPU.",
    "container_cpu_cfs_throttled_periods": "Periods in which it reached its quota.",
    "container_cpu_cfs_throttled_seconds": "How long it was held back, in seconds.",
    "container_oom_events": "Processes that were killed at the memory limit.",
}
GAUGES = {
    "container_memory_usage_bytes": "Memory in use, in bytes.",
    "container_memory_working_set_bytes": "Memory in use without idle file cache.",
    "container_memory_rss": "Anonymous memory, in bytes.",
    "container_memory_cache": "File cache, in bytes.",
    "container_spec_memory_limit_bytes": "Memory limit in bytes; 0 is none.",
    "container_spec_cpu_quota": "CPU quota in microseconds per period.",
    "container_spec_cpu_period": "CPU period in microseconds.",
    "container_spec_cpu_shares": "CPU share, 1024 for a whole CPU requested.",
    "container_start_time_seconds": "Start since the epoch.",
    "container_last_seen": "Of this reading, since the epoch.",
}


def _values(one: Running) -> Iterator[tuple[str, float]]:
    """(name, value) of everything that is known of the container."""
    container, usage, group = one.container, one.usage, one.container.group
    if usage is not None:
        yield "container_cpu_usage_seconds", usage.cpu_s
        yield "container_memory_usage_bytes", usage.memory
        yield "container_memory_working_set_bytes", usage.working_set
        yield "container_memory_rss", usage.rss
        yield "container_memory_cache", usage.cache
    yield "container_spec_memory_limit_bytes", container.memory_limit or 0
    yield "container_spec_cpu_period", PERIOD_US
    yield (
        "container_spec_cpu_shares",
        max(LEAST_SHARES, int(container.cpu_request * SHARES_PER_CPU)),
    )
    if group is not None:
        yield "container_oom_events", group.oom_kills()
    if container.cpu_limit:
        yield "container_spec_cpu_quota", container.cpu_limit * PERIOD_US
        if group is not None and (throttling := group.throttling()) is not None:
            yield "container_cpu_cfs_periods", throttling.periods
            yield "container_cpu_cfs_throttled_periods", throttling.throttled_periods
            yield "container_cpu_cfs_throttled_seconds", throttling.throttled_s
    yield "container_start_time_seconds", one.born
    yield "container_last_seen", one.seen


def _labels(one: Running) -> list[str]:
    metadata, container = one.pod.pod["metadata"], one.container
    return [
        container.name,
        f"/pods/{metadata['uid']}/{container.name}",
        container.spec["image"],
        container.container_id,
        metadata["namespace"],
        metadata["name"],
    ]


class Sample(NamedTuple):
    """All values of one container, as they were at `seen` (seconds since the epoch)."""

    seen: float
    labels: list[str]
    values: list[tuple[str, float]]


class Cadvisor:
    """Looks at a container at most every `pace_s` seconds; 0 is at each scrape."""

    def __init__(self, pace_s: float = 0.0) -> None:
        self._pace_s = pace_s
        self._kept: dict[str, Sample] = {}  # by the container's id
        self._lock = threading.Lock()

    def exposition(self, workers: Iterable[PodWorker]) -> bytes:
        """The page, in the text format."""
        registry = CollectorRegistry(auto_describe=False)
        samples = self.samples(running(workers))
        registry.register(_Collector(samples, stamped=self._pace_s > 0))
        return generate_latest(registry)

    def samples(self, found: Iterable[Running]) -> list[Sample]:
        """New ones where the last is older than the pace, else those of before."""
        with self._lock:
            kept = {}
            for one in found:
                key = one.container.container_id
                last = self._kept.get(key)
                if last is None or one.seen - last.seen >= self._pace_s:
                    last = Sample(one.seen, _labels(one), list(_values(one)))
                kept[key] = last
            self._kept = kept
            return list(kept.values())


class _Collector:
    def __init__(self, samples: list[Sample], *, stamped: bool) -> None:
        self._samples, self._stamped = samples, stamped

    def collect(self) -> Iterator[Metric]:
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {
            **{n: CounterMetricFamily(n, text, labels=LABELS) for n, text in COUNTERS.items()},
            **{n: GaugeMetricFamily(n, text, labels=LABELS) for n, text in GAUGES.items()},
        }
        for seen, labels, values in self._samples:
            for name, value in values:
                families[name].add_metric(labels, value, timestamp=seen if self._stamped else None)
        yield from families.values()
