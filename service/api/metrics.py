"""Metric names and labels, as the runbook writes them (sections 4 and 9; SYSTEM.md)."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.process_collector import ProcessCollector

from service.api.dependency import State

# A `_created` series beside each bucket set, which nothing here reads.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's

# Both thresholds of "Response Time (p95)" are bucket bounds: 100 ms and 500 ms.
_REQUEST_BUCKETS = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.075,
    0.1,
    0.15,
    0.25,
    0.5,
    0.75,
    1.0,
    2.5,
    5.0,
    10.0,
)
# Likewise "FAISS Query Time", 50 ms and 200 ms, and the public alert's 5 ms.
_QUERY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5)


class Metrics:
    """One registry with everything that the service exports."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "bizra_requests_total",
            "Requests by method, route template and status.",
            ["method", "endpoint", "status"],
            registry=self.registry,
        )
        self.duration = Histogram(
            "bizra_request_duration_seconds",
            "Seconds from the request's head to the end of its answer.",
            ["method", "endpoint"],
            buckets=_REQUEST_BUCKETS,
            registry=self.registry,
        )
        self.query_duration = Histogram(
            "bizra_faiss_query_duration_seconds",
            "Seconds of one FAISS search, without embedding and waiting.",
            buckets=_QUERY_BUCKETS,
            registry=self.registry,
        )
        self.index_size = Gauge(
            "bizra_faiss_index_size", "Vectors in the FAISS index.", registry=self.registry
        )
        self.attestations = Gauge(
            "bizra_active_attestations_total",
            "Attestations in the graph when it was last reached; NaN until then.",
            registry=self.registry,
        )
        self.attestations.set(float("nan"))
        self.dependency_up = Gauge(
            "bizra_dependency_up",
            "1 when the dependency answers, 0 when it does not.",
            ["dependency"],
            registry=self.registry,
        )

    def dependency_changed(self, name: str, state: State) -> None:
        self.dependency_up.labels(name).set(1 if state is State.UP else 0)
