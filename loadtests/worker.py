"""The load generator's own process: `python -m loadtests.worker SPEC`.

An open model on top of Locust: a pacer releases each request when it is due, into a bounded pool
of greenlets. When all of them are busy, requests wait and are seen to be late (start after
intended start); none is dropped in silence.
"""

from locust.env import Environment  # first: it patches the process

import csv  # isort: skip
import ctypes
import json
import signal
import sys
import time
from pathlib import Path
from random import Random
from typing import Any, TextIO

import gevent
from gevent.event import Event
from gevent.local import local
from gevent.pool import Pool

from loadtests.arrivals import arrivals
from loadtests.failures import error_kind
from loadtests.scenario import Scenario
from loadtests.users import ReferenceUser

PR_SET_PDEATHSIG = 1
FLUSH_EVERY_S = 0.25


class Clock:
    """Wall-clock seconds, UTC, that never jump: one reading of both clocks, then monotonic."""

    def __init__(self) -> None:
        self._wall, self._monotonic = time.time(), time.monotonic()

    def __call__(self) -> float:
        return self._wall + (time.monotonic() - self._monotonic)


class Recorder:
    """One row for every request that Locust reports."""

    def __init__(self, file: TextIO, clock: Clock) -> None:
        self._file, self._clock = file, clock
        self._writer = csv.writer(file, lineterminator="\n")
        self.due = local()  # per greenlet: when its request was due
        self.sent = 0

    def on_request(  # the signature of Locust's event
        self,
        *,
        request_type: str,
        name: str,
        response_time: float,
        response: Any = None,
        exception: BaseException | None = None,
        **_: object,
    ) -> None:
        latency = response_time / 1000
        status = getattr(response, "status_code", 0) or 0
        error = exception or getattr(response, "error", None)
        kind = error_kind(status, error)
        start = self._clock() - latency
        endpoint = f"{request_type} {name}"
        due = f"{self.due.at:.6f}"
        self._writer.writerow([due, f"{start:.6f}", f"{latency:.6f}", endpoint, status, kind.value])
        self.sent += 1

    def keep_flushing(self) -> None:
        while True:
            gevent.sleep(FLUSH_EVERY_S)
            self._file.flush()


class Worker:
    def __init__(self, scenario: Scenario, url: str, seed: int, recorder: Recorder) -> None:
        self._scenario, self._seed, self._recorder = scenario, seed, recorder
        timeout = scenario.request_timeout.total_seconds()
        user_class = type(
            "User",
            (ReferenceUser,),
            {
                "host": url,
                "network_timeout": timeout,
                "connection_timeout": timeout,
                "concurrency": scenario.max_in_flight,
                "random": Random(f"{seed}/bodies"),  # noqa: S311 - repeatable on purpose
            },
        )
        environment = Environment(user_classes=[user_class])
        environment.events.request.add_listener(recorder.on_request)
        self._user = user_class(environment)
        self._pool = Pool(scenario.max_in_flight)
        self.stopping = Event()
        self.scheduled = 0

    def run(self, clock: Clock) -> None:
        """Until the scenario ends or `stopping` is set; then what is in flight is waited for."""
        choose = Random(f"{self._seed}/mix")  # noqa: S311 - repeatable on purpose
        names = sorted(self._scenario.mix)
        weights = [self._scenario.mix[n] for n in names]
        stages = [s.stage() for s in self._scenario.stages]
        begun = clock()
        for offset in arrivals(stages, self._scenario.arrivals, self._seed):
            due = begun + offset
            wait = due - clock()
            if self.stopping.wait(max(0.0, wait)):
                break
            self.scheduled += 1
            (name,) = choose.choices(names, weights)
            self._pool.spawn(self._send, due, name)  # waits when the pool is full
        self._pool.join(self._scenario.request_timeout.total_seconds() + 1)

    def _send(self, due: float, name: str) -> None:
        self._recorder.due.at = due
        getattr(self._user, name)()


def main() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    spec = json.loads(Path(sys.argv[1]).read_text())
    scenario = Scenario.model_validate_json(spec["scenario"])
    clock = Clock()
    with Path(spec["samples"]).open("w", newline="", encoding="utf-8") as file:
        recorder = Recorder(file, clock)
        worker = Worker(scenario, spec["url"], spec["seed"], recorder)
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, worker.stopping.set)
        flushing = gevent.spawn(recorder.keep_flushing)
        print("ready", flush=True)
        begun, cpu = clock(), time.process_time()
        worker.run(clock)
        flushing.kill()
    summary = {
        "scheduled": worker.scheduled,
        "sent": recorder.sent,
        "cpu_share": (time.process_time() - cpu) / max(1e-9, clock() - begun),
    }
    Path(spec["summary"]).write_text(json.dumps(summary))


if __name__ == "__main__":
    main()
