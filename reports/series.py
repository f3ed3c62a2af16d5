"""A timeline thinned out to what a screen can show, never to its advantage."""

import math
from dataclasses import dataclass

from slo.model import Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Columns for drawing: times in seconds from the timeline's start, NaN where nothing was.

    Rates in requests per second, shares as ratios, latencies in seconds.
    """

    step_s: float
    time: tuple[float, ...]
    rate: tuple[float, ...]
    error_share: tuple[float, ...]
    p50_s: tuple[float, ...]
    p95_s: tuple[float, ...]


def resample(timeline: Timeline, points: int) -> Series:
    """At most `points` buckets, each the sum of the requests and the worst of the latencies.

    A quantile of the merged bucket cannot be had from the quantiles of its parts; the worst of
    them hides no spike.
    """
    size = len(timeline.requests)
    factor = max(1, math.ceil(size / points))
    groups = [slice(i, min(i + factor, size)) for i in range(0, size, factor)]
    requests = [sum(timeline.requests[g]) for g in groups]
    errors = [sum(timeline.errors[g]) for g in groups]
    lengths = [(g.stop - g.start) * timeline.step_s for g in groups]
    return Series(
        step_s=factor * timeline.step_s,
        time=tuple(g.start * timeline.step_s for g in groups),
        rate=tuple(n / length for n, length in zip(requests, lengths, strict=True)),
        error_share=tuple(e / n if n else math.nan for e, n in zip(errors, requests, strict=True)),
        p50_s=tuple(_worst(timeline.p50_s[g]) for g in groups),
        p95_s=tuple(_worst(timeline.p95_s[g]) for g in groups),
    )


def _worst(values: tuple[float | None, ...]) -> float:
    return max((v for v in values if v is not None), default=math.nan)
