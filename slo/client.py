"""The client's view: indicators from every single request of the load.

A request's response time counts from the moment when it was *due* by the schedule to its last byte:
a stalled service cannot hide the queue in front of it ("coordinated omission", Tene, "How NOT to
Measure Latency", 2013). A request belongs to the window in which it was due.

Latency is that of requests that were answered below 500, and of timeouts, with the time that they
waited: a service does not become faster by not answering, nor by failing fast. All failures of
whatever kind are in the error rate.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from slo.model import ErrorKind, Indicator
from slo.samples import Samples
from slo.stats import Floats, quantile, quantile_interval, wilson_interval

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Columns, ordered by `due` (seconds since the epoch). Durations in seconds.

    `response_time` counts from due, `service_time` from the actual start. `timed` marks those that
    have a latency worth the name, `failed` those without an answer below 400.
    """

    due: Floats
    response_time: Floats
    service_time: Floats
    failed: Flags
    timed: Flags

    def __len__(self) -> int:
        return int(self.due.size)

    def between(self, start: float, end: float) -> "Requests":
        """Those that were due in start <= t < end."""
        a, b = np.searchsorted(self.due, (start, end), side="left")
        return Requests(
            due=self.due[a:b],
            response_time=self.response_time[a:b],
            service_time=self.service_time[a:b],
            failed=self.failed[a:b],
            timed=self.timed[a:b],
        )

    def where(self, chosen: Flags) -> "Requests":
        """Those that are marked, in the same order."""
        return Requests(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    def from_start(self) -> "Requests":
        """As if each had been due when it started: without what a late generator added."""
        return replace(self, response_time=self.service_time)

    def latencies(self) -> Floats:
        """Response times that count for latency, ascending."""
        return np.sort(self.response_time[self.timed])

    def error_rate(self) -> float | None:
        return float(self.failed.mean()) if len(self) else None


def requests(samples: Samples) -> Requests:
    """The samples as the verdict sees them."""
    order = np.argsort(samples.intended_start, kind="stable")
    due = samples.intended_start[order]
    service_time = samples.latency[order]
    status, error = samples.status[order], samples.error[order]
    answered = (status > 0) & (status < 500)  # noqa: PLR2004 - HTTP
    return Requests(
        due=due,
        response_time=samples.start[order] - due + service_time,
        service_time=service_time,
        failed=error != ErrorKind.NONE.value,
        timed=answered | (error == ErrorKind.TIMEOUT.value),
    )


NO_REQUESTS = "no request was due in this phase"


def latency(found: Requests, q: float) -> Indicator:
    """The q-quantile of response times."""
    if len(found) == 0:
        return Indicator(value=None, count=0, missing=NO_REQUESTS)
    times = found.latencies()
    if times.size == 0:
        return Indicator(value=None, count=0, missing="no request was answered below 500")
    return Indicator(
        value=quantile(times, q), count=int(times.size), interval=quantile_interval(times, q)
    )


def error_rate(found: Requests) -> Indicator:
    """The share of requests without an answer below 400."""
    if len(found) == 0:
        return Indicator(value=None, count=0, missing=NO_REQUESTS)
    failures = int(found.failed.sum())
    return Indicator(
        value=failures / len(found),
        count=len(found),
        interval=wilson_interval(failures, len(found)),
    )
