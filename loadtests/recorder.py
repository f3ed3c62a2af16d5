"""One row for every request that a user makes in an iteration.

An iteration is what one arrival starts: the next task of an idle user. Its first request was due
when the iteration was; so what a user had to wait for a place counts into that response time. Later
ones are due when they are sent. Requests outside of iterations (a login in `on_start`, a logout in
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

from loadtests.failures import error_kind, own_shortage
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

    `failed`: a request or the task has failed, and stands among the rows.
    """

    due: float
    begun: float
    first: Row | None = None
    failed: bool = False


@dataclass(slots=True, eq=False)
class Seat:
    """One user of the pool, as seen by its greenlet and all that this one spawns."""

    user: Any
    kind: Any  # loadtests.pool.Kind
    started: bool = False  # on_start is over
    leaving: bool = False
    task: str = ""  # the task that runs, or ran last
    in_task: bool = True  # code of the locustfile runs, not Locust's own loop
    iteration: Iteration | None = None
    wake: Event = field(default_factory=Event)


def current_seat() -> Seat | None:
    """Of the user in whose greenlet, or in a child of it, this is called."""
    seat: Seat | None = (getattr(gevent.getcurrent(), "spawn_tree_locals", None) or {}).get(SEAT)
    return seat


class Recorder:
    """`rows` written; `outside` and `outside_failed` count requests outside of iterations."""

    def __init__(self, file: TextIO, clock: Clock) -> None:
        self._file, self._clock = file, clock
        self._writer = csv.writer(file, lineterminator="\n")
        self.rows = 0
        self.closed = False  # what comes now is left out
        self.outside, self.outside_failed = 0, 0
        self.shortages: Counter[str] = Counter()  # what this machine ran out of, and how often

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
        error = error_kind(status, exception)
        if error is ErrorKind.OTHER and (shortage := own_shortage(exception)):
            self.shortages[shortage] += 1
        self._add(seat.iteration, Row(start, latency, f"{request_type} {name}", status, error))

    def _add(self, iteration: Iteration | None, row: Row) -> None:
        """The earliest of an iteration waits for its end: an earlier one may be on its way."""
        if iteration is None:
            self._write(row.start, row)
            return
        iteration.failed = iteration.failed or row.error is not ErrorKind.NONE
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
        row = Row(iteration.begun, latency, task, 0, error_kind(0, error))
        self._add(iteration, row)

    def ended(self, iteration: Iteration) -> None:
        """No request of the iteration is on its way any more."""
        if iteration.first is not None:
            self._write(iteration.due, iteration.first)

    def _write(self, due: float, row: Row) -> None:
        if self.closed:
            return
        cells = f"{due:.6f}", f"{row.start:.6f}", f"{row.latency:.6f}"
        self._writer.writerow([*cells, row.endpoint, row.status, row.error.value])
        self.rows += 1

    def keep_flushing(self) -> None:
        while True:
            gevent.sleep(FLUSH_EVERY_S)
            self._file.flush()

    def close(self) -> None:
        """All rows are in the file; what comes later is left out."""
        self.closed = True
        self._file.flush()
