"""What the charts and the endpoint table show: requests over time, and by endpoint."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from slo.evidence.experiment_log import ExperimentLog
from slo.indicators.client import KINDS, Requests
from slo.latency_rule import rank
from slo.model import EndpointResult, ErrorKind, Timeline, TimelineMark
from slo.stats.intervals import Floats, quantile_of

MAX_BUCKETS = 3600
_SHOWN = (0.5, 0.95, 0.99)
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)


def timeline(found: Requests | None, start: datetime, end: datetime) -> Timeline:
    """Buckets of one second, or of as many as keep them at MAX_BUCKETS at most."""
    if found is None or len(found) == 0:
        return Timeline(start=start, step_s=1.0, requests=(), errors=(), p50_s=(), p95_s=())
    first = min(start.timestamp(), float(found.due[0]))
    length = max(end.timestamp(), float(found.due[-1])) - first
    step = next((s for s in _STEPS_S if length / s <= MAX_BUCKETS), _STEPS_S[-1])
    count = int(length // step) + 1
    bucket = ((found.due - first) // step).astype(np.int64)
    latencies = found.response_time[found.timed]
    # Requests are ordered by due, so that each bucket is a slice; sorted, a quantile is a look-up.
    edges = np.searchsorted(bucket[found.timed], np.arange(count + 1)).tolist()
    for a, b in pairwise(edges):
        latencies[a:b].sort()
    return Timeline(
        start=datetime.fromtimestamp(first, UTC),
        step_s=float(step),
        requests=tuple(np.bincount(bucket, minlength=count).tolist()),
        errors=tuple(np.bincount(bucket[found.failed], minlength=count).tolist()),
        p50_s=_quantiles(latencies, edges, 0.5),
        p95_s=_quantiles(latencies, edges, 0.95),
    )


def _quantiles(latencies: Floats, edges: Sequence[int], q: float) -> tuple[float | None, ...]:
    return tuple(
        float(latencies[a + rank(b - a, q) - 1]) if b > a else None for a, b in pairwise(edges)
    )


def endpoints(found: Requests | None) -> tuple[EndpointResult, ...]:
    """Each endpoint over the whole run, by name."""
    if found is None:
        return ()
    # How many of each kind there are of each endpoint, by one pass over the requests.
    cells = len(found.names) * len(KINDS)
    counts = np.bincount(found.endpoint.astype(np.int64) * len(KINDS) + found.kind, minlength=cells)
    table = counts.reshape(len(found.names), len(KINDS))
    return tuple(
        _endpoint(name, table[i], found.response_time[(found.endpoint == i) & found.timed])
        for i, name in enumerate(found.names)
        if table[i].any()
    )


def _endpoint(name: str, counts: NDArray[np.int64], latencies: Floats) -> EndpointResult:
    p50, p95, p99 = (quantile_of(latencies, q) if latencies.size else None for q in _SHOWN)
    return EndpointResult(
        endpoint=name,
        requests=int(counts.sum()),
        errors={
            kind: int(count)
            for kind, count in sorted(zip(KINDS, counts, strict=True))
            if kind != ErrorKind.NONE.value and count
        },
        p50_s=p50,
        p95_s=p95,
        p99_s=p99,
    )


def marks(story: ExperimentLog, recovered: datetime | None) -> tuple[TimelineMark, ...]:
    """The moments of one experiment, in order of time."""
    moments = {
        entry.event.removeprefix("fault.").removesuffix(".started"): entry.time
        for entry in (
            *(story.refused, story.injected, story.confirmed),
            *(story.procedure, story.undone),
        )
        if entry is not None
    }
    if recovered is not None:
        moments["recovered"] = recovered
    found = [
        TimelineMark(time=time, experiment=story.name, label=label)
        for label, time in moments.items()
    ]
    return tuple(sorted(found, key=lambda mark: mark.time))
