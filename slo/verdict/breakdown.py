"""Each endpoint in each phase, as clients saw it: every figure with its count and interval."""

import numpy as np

from slo.indicators.client import KINDS, Requests, error_rate, latency
from slo.model import EndpointPhase, ErrorKind, Phase
from slo.stats.estimates import Share, indicator


def breakdown(phases: list[Phase], found: Requests | None) -> tuple[EndpointPhase, ...]:
    """Endpoints by name, phases in their order; endpoints that the run never asked are left out."""
    if found is None:
        return ()
    return tuple(
        _one(name, phase, found.between(phase.start.timestamp(), phase.end.timestamp()).of((i,)))
        for i, name in enumerate(found.names)
        for phase in phases
    )


def _one(name: str, phase: Phase, due: Requests) -> EndpointPhase:
    counts = np.bincount(due.kind, minlength=len(KINDS)).tolist()
    length = (phase.end - phase.start).total_seconds()
    unavailable = int(np.count_nonzero(due.failed & (due.kind != _REFUSED_BY_RULE)))
    there = Share(len(due) - unavailable, len(due)) if len(due) else "no traffic"
    return EndpointPhase(
        endpoint=name,
        phase=phase.kind,
        requests=len(due),
        rate=len(due) / length if length else 0.0,
        errors={k: n for k, n in zip(KINDS, counts, strict=True) if n and k != ErrorKind.NONE},
        error_rate=indicator(error_rate(due)),
        available=indicator(there),
        p50=indicator(latency(due, 0.5)),
        p95=indicator(latency(due, 0.95)),
        p99=indicator(latency(due, 0.99)),
    )


_REFUSED_BY_RULE = KINDS.index(ErrorKind.CLIENT_ERROR.value)
"""A 4xx is an answer: the service was there."""
