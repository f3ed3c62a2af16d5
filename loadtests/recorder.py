"""One row for every request that a user makes in an iteration.

An iteration is what one arrival starts: the next task of an idle user. Its first request was due
when the iteration was; so what a user had to wait for a place counts into that response time. Later
ones are due when they are sent. What was due and has no result is a row as well, so that nothing
that was due is missing: due = answered + failed + not made.

Requests outside of iterations (a login in `on_start`, a logout in
`on_stop`) are counted and not recorded: no arrival of the schedule has caused them, and how many
there are says how many users there are, not how the service is used.
"""

import csv
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, TextIO

import gevent
from gevent.event import Event

from loadtests.accounting import NO_REQUEST, written
from loadtests.failures import error_kind, own_shortage
from loadtests.stalls import Stalls
from slo.latency_rule import OWN_FAULTS
from slo.model import ErrorKind

SEAT = "gameday seat"  # in a greenlet's spawn_tree_locals, so that its children have it, too
FLUSH_EVERY_S = 0.25


class Clock:
    """Wall-clock seconds, UTC, that never jump: one reading of both clocks, then monotonic."""

    def __init__(self) -> None:
        self._wall, self._monotonic = time.time(), time.monotonic()

    def __call__(self) -> float:
        return self._wall + (time.monotonic() - self._monotonic)


@dataclass(slots=True)
class Row:
    start: float
    latency: float
    endpoint: str
    status: int
    error: ErrorKind


@dataclass(slots=True)
class Iteration:
    """`due` by the schedule, `begun` by a user. `first` is its earliest request so far.

    `failed`: a request or the task has failed, and stands among the rows. `seen` is when a request
    of it last began or ended.
    """

    due: float
    begun: float
    first: Row | None = None
    failed: bool = False
    seen: float = 0.0

    def __post_init__(self) -> None:
        self.seen = self.begun


@dataclass(slots=True, eq=False)
class Seat:
    """One user of the pool, as seen by its greenlet and all that this one spawns."""

    user: Any
    kind: Any  # loadtests.pool.Kind
    started: bool = False  # on_start is over
    leaving: bool = False
    task: str = ""  # the task that runs, or ran last
    in_task: bool = True  # code of the locustfile runs, not Locust's own loop
    limited: int = 0  # requests under way that have a time limit of their own
    request: str = ""  # the last of those
    greenlet: Any = None
    iteration: Iteration | None = None
    wake: Event = field(default_factory=Event)


def current_seat() -> Seat | None:
    """Of the user in whose greenlet, or in a child of it, this is called."""
    seat: Seat | None = (getattr(gevent.getcurrent(), "spawn_tree_locals", None) or {}).get(SEAT)
    return seat


class Recorder:
    """`kinds` counts the rows written; `outside`, `outside_failed`: requests outside of iterations.

    `spoiled` requests were under way while the generator stood still.
    """

    def __init__(self, file: TextIO, clock: Clock, stalls: Stalls) -> None:
        self._file, self._clock, self._stalls = file, clock, stalls
        self._writer = csv.writer(file, lineterminator="\n")
        self.kinds: Counter[ErrorKind] = Counter()
        self.spoiled = 0
        self.closed = False  # what comes now is left out
        self.outside, self.outside_failed = 0, 0
        self.shortages: Counter[str] = Counter()  # what this machine ran out of, and how often

    @property
    def rows(self) -> int:
        """All that was due, with or without a result."""
        return self.kinds.total()

    @property
    def made(self) -> int:
        """Requests of which the service has had its chance."""
        return self.rows - sum(self.kinds[kind] for kind in OWN_FAULTS)

    def on_request(  # the signature of Locust's event
        self,
        *,
        request_type: str,
        name: str,
        response_time: float | None,
        response: Any = None,
        exception: BaseException | None = None,
        start_time: float | None = None,
        **_: object,
    ) -> None:
        seat = current_seat()
        if seat is None or seat.leaving or not seat.started:
            self.outside += 1
            self.outside_failed += exception is not None
            return
        latency = (response_time or 0.0) / 1000
        start = self._clock() - latency
        if start_time is not None:  # with catch_response the event comes later than the answer
            start = min(start, start_time + self._clock() - time.time())
        status = getattr(response, "status_code", 0)
        status = status if isinstance(status, int) else 0
        error = self._kind(start, latency, status, exception)
        if seat.iteration is not None:
            seat.iteration.seen = self._clock()
        self.add(seat.iteration, Row(start, latency, f"{request_type} {name}", status, error))

    def _kind(
        self, start: float, latency: float, status: int, error: BaseException | None
    ) -> ErrorKind:
        kind = error_kind(status, error)
        if kind is ErrorKind.GENERATOR:
            self.shortages[own_shortage(error)] += 1
        elif self._stalls.touched(start, start + latency):
            self.spoiled += 1
            return ErrorKind.GENERATOR
        return kind

    def add(self, iteration: Iteration | None, row: Row) -> None:
        """The earliest of an iteration waits for its end: an earlier one may be on its way."""
        if iteration is None:
            self._write(row.start, row)
            return
        iteration.failed |= row.error is not ErrorKind.NONE
        earlier = iteration.first
        if earlier is None:
            iteration.first = row
        elif row.start < earlier.start:
            iteration.first = row
            self._write(earlier.start, earlier)
        else:
            self._write(row.start, row)

    def task_failed(self, iteration: Iteration, task: str, error: BaseException) -> None:
        """An exception has ended the iteration: a failure under the task's name.

        Not where a request of the same iteration has failed and is recorded: it is the same harm.
        """
        if iteration.failed:
            return
        latency = self._clock() - iteration.begun
        kind = self._kind(iteration.begun, latency, 0, error)
        self.add(iteration, Row(iteration.begun, latency, task, 0, kind))

    def not_sent(self, due: float) -> None:
        """An arrival that no user came to."""
        self._write(due, Row(due, 0.0, NO_REQUEST, 0, ErrorKind.NOT_SENT))

    def given_up(self, iteration: Iteration, task: str, limit_s: float) -> None:
        """The load is over, and a user still waits for something that is not known to be a request.

        A time-out if it has had its time; else nobody knows what would have come of it.
        """
        waited = self._clock() - iteration.begun
        if iteration.first is None:
            kind = ErrorKind.TIMEOUT if waited >= limit_s else ErrorKind.NOT_SENT
            self.add(iteration, Row(iteration.begun, waited, task or NO_REQUEST, 0, kind))
        self.ended(iteration)

    def ended(self, iteration: Iteration) -> None:
        """No request of the iteration is on its way any more."""
        if iteration.first is not None:
            self._write(iteration.due, iteration.first)

    def _write(self, due: float, row: Row) -> None:
        if self.closed:
            return
        cells = written(due), written(row.start), f"{row.latency:.6f}"
        self._writer.writerow([*cells, row.endpoint, row.status, row.error.value])
        self.kinds[row.error] += 1

    def keep_flushing(self) -> None:
        while True:
            gevent.sleep(FLUSH_EVERY_S)
            self._file.flush()

    def close(self) -> None:
        """All rows are in the file; what comes later is left out."""
        self.closed = True
        self._file.flush()
