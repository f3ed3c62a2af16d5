"""What the charts and the endpoint table show: requests over time, and by endpoint."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np

from slo.chronicle import Story
from slo.client import Requests
from slo.model import EndpointResult, ErrorKind, Mark, Timeline
from slo.samples import Samples
from slo.stats import Floats, quantile, rank

MAX_BUCKETS = 3600
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
    # Sorted by bucket and within it by latency, so that each quantile is one look-up.
    timed = bucket[found.timed]
    order = np.lexsort((found.response_time[found.timed], timed))
    latencies, edges = (
        found.response_time[found.timed][order],
        np.searchsorted(timed[order], np.arange(count + 1)),
    )
    return Timeline(
        start=datetime.fromtimestamp(first, UTC),
        step_s=float(step),
        requests=tuple(np.bincount(bucket, minlength=count).tolist()),
        errors=tuple(np.bincount(bucket[found.failed], minlength=count).tolist()),
        p50_s=_quantiles(latencies, edges.tolist(), 0.5),
        p95_s=_quantiles(latencies, edges.tolist(), 0.95),
    )


def _quantiles(latencies: Floats, edges: Sequence[int], q: float) -> tuple[float | None, ...]:
    return tuple(
        float(latencies[a + rank(b - a, q) - 1]) if b > a else None for a, b in pairwise(edges)
    )


def endpoints(samples: Samples | None, found: Requests | None) -> tuple[EndpointResult, ...]:
    """Each endpoint over the whole run, by name."""
    if samples is None or found is None:
        return ()
    order = np.argsort(samples.intended_start, kind="stable")  # as in `found`
    names, which = np.unique(samples.endpoint[order].astype(str), return_inverse=True)
    errors = samples.error[order].astype(str)
    return tuple(
        _endpoint(str(name), errors[which == i], found.response_time[(which == i) & found.timed])
        for i, name in enumerate(names)
    )


def _endpoint(name: str, errors: np.ndarray, latencies: Floats) -> EndpointResult:
    kinds, counts = np.unique(errors, return_counts=True)
    ascending = np.sort(latencies)
    p50, p95, p99 = (quantile(ascending, q) if ascending.size else None for q in (0.5, 0.95, 0.99))
    return EndpointResult(
        endpoint=name,
        requests=int(errors.size),
        errors={
            str(kind): int(count)
            for kind, count in zip(kinds, counts, strict=True)
            if kind != ErrorKind.NONE.value
        },
        p50_s=p50,
        p95_s=p95,
        p99_s=p99,
    )


def marks(story: Story, recovered: datetime | None) -> tuple[Mark, ...]:
    """The moments of one experiment, in order of time."""
    moments = {
        entry.event.removeprefix("fault."): entry.time
        for entry in (story.refused, story.injected, story.confirmed, story.undone)
        if entry is not None
    }
    if recovered is not None:
        moments["recovered"] = recovered
    found = [Mark(time=time, experiment=story.name, label=label) for label, time in moments.items()]
    return tuple(sorted(found, key=lambda mark: mark.time))
