"""The client's view: indicators from every single request of the load.

A request's response time counts from the moment when it was *due* by the schedule to its last byte:
a stalled service cannot hide the queue in front of it ("coordinated omission", Tene, "How NOT to
Measure Latency", 2013). A request belongs to the window in which it was due.

Which requests have a latency that counts says slo.latency_rule. All failures of whatever kind are
in the error rate.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from slo.evidence.categories import Categories
from slo.evidence.samples import SEPARATOR, Samples
from slo.latency_rule import latencies_count
from slo.model import ErrorKind, Objective, Unit
from slo.stats.estimates import Quantiles, Share
from slo.stats.intervals import Floats

ERROR_RATE, RESPONSE_TIME = "error_rate", "response_time"
Flags = NDArray[np.bool_]
Codes = NDArray[np.int32]
_BESIDE = re.compile(rf"([a-z0-9][a-z0-9-]*){SEPARATOR}")
KINDS = tuple(k.value for k in ErrorKind)


def service_of(endpoint: str) -> str:
    """The one beside the target that it is an endpoint of; "" for the target itself."""
    found = _BESIDE.match(endpoint)
    return found[1] if found else ""


def of_services(
    objectives: Iterable[Objective], services: Collection[str]
) -> tuple[Objective, ...]:
    """With the name of the service before what is measured of it.

    "Search Error Rate" is search_error_rate to the runbook's reader, or error_rate where no other
    row is of that; where a service `search` is loaded beside the target, it is "search/error_rate".
    """

    def named(objective: Objective) -> Objective:
        title = re.sub(r"\W+", "_", objective.title.casefold())
        for service in services:
            word = service.replace("-", "_") + "_"
            own = objective.name.removeprefix(word)
            if title.startswith(word) and client_view(own) is not None:
                return replace(objective, name=f"{service}/{own}")
        return objective

    return tuple(map(named, objectives))


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Columns, ordered by `due` (seconds since the epoch). Durations in seconds.

    `response_time` counts from due, `service_time` from the actual start. `timed` marks those that
    have a latency worth the name, `failed` those without an answer below 400, `absent` those
    answered with "not found". `endpoint` is a position in `names`, which are sorted, `kind` one in
    KINDS.
    """

    due: Floats
    response_time: Floats
    service_time: Floats
    failed: Flags
    absent: Flags
    timed: Flags
    endpoint: Codes
    kind: Codes
    names: tuple[str, ...]

    def __len__(self) -> int:
        return int(self.due.size)

    def between(self, start: float, end: float) -> "Requests":
        """Those that were due in start <= t < end."""
        a, b = np.searchsorted(self.due, (start, end), side="left")
        return self.where(slice(a, b))

    def within(self, windows: Sequence[tuple[float, float]]) -> "Requests":
        """Those that were due in any of the windows, each once."""
        chosen = np.zeros(len(self), dtype=np.bool_)
        for start, end in windows:
            a, b = np.searchsorted(self.due, (start, end), side="left")
            chosen[a:b] = True
        return self.where(chosen)

    def of(self, endpoints: Collection[int]) -> "Requests":
        """Those to the endpoints with these positions in `names`."""
        wanted = np.zeros(len(self.names), dtype=np.bool_)
        wanted[list(endpoints)] = True
        return self.where(wanted[self.endpoint])

    def to_service(self, service: str) -> "Requests":
        """Those to one that is loaded beside the target, or with "" to the target itself."""
        wanted = [i for i, name in enumerate(self.names) if service_of(name) == service]
        return self if len(wanted) == len(self.names) else self.of(wanted)

    def where(self, chosen: slice | Flags) -> "Requests":
        """Those that are marked, in the same order; a slice copies nothing."""
        # Positions are found once, instead of once for each column.
        at = chosen if isinstance(chosen, slice) else np.flatnonzero(chosen)
        return Requests(
            due=self.due[at],
            response_time=self.response_time[at],
            service_time=self.service_time[at],
            failed=self.failed[at],
            absent=self.absent[at],
            timed=self.timed[at],
            endpoint=self.endpoint[at],
            kind=self.kind[at],
            names=self.names,
        )

    def from_start(self) -> "Requests":
        """As if each had been due when it started: without what a late generator added."""
        return replace(self, response_time=self.service_time)

    def latencies(self) -> Floats:
        """Response times that count for latency, ascending."""
        return np.sort(self.response_time[self.timed])

    def error_rate(self) -> float | None:
        return float(self.failed.mean()) if len(self) else None


def requests(samples: Samples) -> Requests:
    """The samples that say something about the service, as the verdict sees them."""
    samples = samples.of_the_service().ordered()
    due, service_time, status = samples.intended_start, samples.latency, samples.status
    succeeded = samples.error.are(ErrorKind.NONE.value)
    endpoint = samples.endpoint.used()
    return Requests(
        due=due,
        response_time=samples.start - due + service_time,
        service_time=service_time,
        failed=~succeeded,
        absent=(status == 404) | (status == 410),  # noqa: PLR2004 - HTTP: not found, gone
        timed=latencies_count(status, succeeded, samples.error.are(ErrorKind.TIMEOUT.value)),
        endpoint=endpoint.codes,
        kind=_kinds(samples.error),
        names=endpoint.names,
    )


def _kinds(error: Categories) -> Codes:
    places = np.array([KINDS.index(name) for name in error.names], dtype=np.int32)
    return places[error.codes]


class ClientView(NamedTuple):
    """What the load measures of itself: the error rate, or with a `quantile` the response time.

    `service` is one that is loaded beside the target, "" the target itself.
    """

    definition: str
    quantile: float | None = None
    service: str = ""

    @property
    def unit(self) -> Unit:
        return Unit.RATIO if self.quantile is None else Unit.SECONDS

    def evidence(self, found: Requests) -> Quantiles | Share | str:
        """Over these requests, or why there is none."""
        found = self.asked(found)
        return error_rate(found) if self.quantile is None else latency(found, self.quantile)

    def asked(self, found: Requests) -> Requests:
        """Those to the service."""
        return found.to_service(self.service)


_ERROR_RATE = ClientView(
    "share of requests without an answer below 400: 4xx, 5xx, timeouts, refused and reset"
    " connections"
)


def client_view(name: str) -> ClientView | None:
    """By the objective's name, for every system alike; None for what users do not see.

    "search/error_rate" is that of a service which is loaded beside the target.
    """
    service, slash, own = name.rpartition("/")
    if slash:
        found = client_view(own)
        return found and found._replace(service=service)
    if name == ERROR_RATE:
        return _ERROR_RATE
    match = re.fullmatch(rf"{RESPONSE_TIME}_p(\d+(?:\.\d+)?)", name)
    if match is None or not 0 < float(match[1]) < 100:  # noqa: PLR2004 - percent
        return None
    quantile = float(match[1]) / 100
    return ClientView(
        f"{quantile:.4g} quantile of the time from when a request was due to its last byte; of"
        " requests that were answered below 500, and of timeouts with the time they waited",
        quantile,
    )


NO_REQUESTS = "no traffic: no request was due in this phase"


def latency(found: Requests, q: float) -> Quantiles | str:
    """The q-quantile of response times, or why there is none."""
    if len(found) == 0:
        return NO_REQUESTS
    times = found.latencies()
    return Quantiles(times, q) if times.size else "no request was answered below 500"


def error_rate(found: Requests) -> Share | str:
    """The share of requests without an answer below 400, or why there is none."""
    return Share(int(found.failed.sum()), len(found)) if len(found) else NO_REQUESTS
