"""The load generator's own process, started by loadtests.runner.

It reads what to do as one JSON object from its standard input, and answers on its standard output,
in one line, that it is ready or why it refuses. What a locustfile prints goes to the log.
"""

from loadtests.clients import limit_time, patch_clients  # isort: skip - first, it patches

import contextlib
import ctypes
import io
import json
import logging
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Iterator
from itertools import chain, takewhile
from pathlib import Path
from typing import Any, TextIO

import gevent
from gevent.event import Event

from loadtests.accounting import due_times
from loadtests.alarm import Alarm
from loadtests.isolation import release_our_names
from loadtests.locustfile import LocustfileError, environment_of, shares_of, user_classes_in
from loadtests.pool import UserPool, patch_locust
from loadtests.recorder import Clock, Recorder
from loadtests.redirects import patch_redirects
from loadtests.scenario import Scenario
from loadtests.stalls import STALL_S, Stalls
from loadtests.tls import patch_sessions, trust
from loadtests.yaml_user import user_of
from slo.model import ErrorKind

PR_SET_PDEATHSIG, PR_SET_TIMERSLACK = 1, 29
LOG_MOST = 256 * 1024  # characters: a task that fails says so with a traceback, each time
# What keeps arrivals waiting is the generator itself if it uses up its core, or if it comes late to
# so many of them itself, because others use up the machine.
BUSY_CPU = 0.8
LATE_S, LATE_SHARE = 0.1, 0.25


class BoundedLog(io.TextIOBase):
    """Passes on the first LOG_MOST characters."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._left = stream, LOG_MOST

    def write(self, text: str) -> int:
        if self._left > 0:
            self._left -= len(text)
            self._stream.write(text if self._left > 0 else "\nThe rest is left out.\n")
            self._stream.flush()
        return len(text)

    def fileno(self) -> int:
        return self._stream.fileno()


class Worker:
    """One scenario against one URL. `stopping` ends it: no new iterations."""

    def __init__(
        self,
        scenario: Scenario,
        url: str,
        *,
        seed: int,
        recorder: Recorder,
        clock: Clock,
        stalls: Stalls,
    ) -> None:
        self._scenario, self._seed, self._recorder = scenario, seed, recorder
        self._stalls = stalls
        self._timeout_s = scenario.request_timeout.total_seconds()
        self._clock = clock
        self.stopping = Event()
        # Arrivals that came, those that it came late to, and those that it was too late for.
        self._handed = self._late = self._overslept = 0
        self._environment, shares = _prepared(scenario, url)
        self._environment.stop_timeout = self._timeout_s + 1
        self._environment.events.request.add_listener(recorder.on_request)
        self._pool = UserPool(
            self._environment,
            shares,
            limit=scenario.max_in_flight,
            patience_s=self._timeout_s,
            seed=seed,
            recorder=recorder,
            clock=clock,
        )
        patch_locust(lambda: self._pool)

    def start(self) -> None:
        """Fires `test_start`, and the first users log in. Raises LocustfileError."""
        events = self._environment.events
        events.test_start.fire(environment=self._environment)
        events.test_stopping.add_listener(lambda **_: self.stopping.set())  # runner.quit()
        if why := self._pool.warm_up(self._timeout_s + 1):
            raise LocustfileError(f"{self._scenario.locustfile or 'requests'}: {why}")
        count = len(self._environment.runner.user_greenlets)
        events.spawning_complete.fire(user_count=count)

    def run(self, begun: float) -> dict[str, Any]:
        """Until the scenario ends or `stopping` is set, and what is in flight is over.

        `begun` is the moment that the schedule counts from. Returns the summary that LoadSummary is
        made of.
        """
        cpu = time.process_time()
        schedule = due_times(self._scenario, self._seed, begun)
        with Alarm() as alarm:
            for due in schedule:
                if alarm.wait(time.monotonic() + due - self._clock(), self.stopping):
                    self._owe(chain((due,), schedule))
                    break
                late = self._clock() - due
                self._handed += 1
                self._late += late > LATE_S
                if late > STALL_S:  # all at once now would be another load than the scenario's
                    self._recorder.not_sent(due)
                    self._overslept += 1
                else:
                    self._pool.arrive(due)
        self._drain()
        share = (time.process_time() - cpu) / max(1e-9, self._clock() - begun)
        return self._summary(share)

    def _owe(self, schedule: Iterator[float]) -> None:
        """The load has been told to stop: what it was too late for until now was not sent."""
        until = self._clock() - LATE_S  # what is due this very moment is not late
        for due in takewhile(lambda d: d <= until, schedule):
            self._recorder.not_sent(due)

    def _drain(self) -> None:
        """Arrivals that wait may still begin within one time limit, and are over with it."""
        deadline = self._clock() + self._timeout_s + 1
        while self._pool.waiting and self._clock() < deadline and not self.stopping.is_set():
            self.stopping.wait(0.02)
        self._pool.close()
        while self._pool.busy and self._clock() < deadline:
            gevent.sleep(0.02)
        self._pool.abandon()

    def _summary(self, cpu_share: float) -> dict[str, Any]:
        self._stalls.beat()
        self._recorder.close()
        recorder = self._recorder
        waiting = recorder.kinds[ErrorKind.NOT_SENT]
        return {
            "scheduled": recorder.rows,
            "sent": recorder.made,
            "waiting": waiting,
            "reason": "; ".join(self._own_faults(waiting, cpu_share)),
            "cpu_share": cpu_share,
            "outside": recorder.outside,
            "outside_failed": recorder.outside_failed,
        }

    def _own_faults(self, waiting: int, cpu_share: float) -> Iterator[str]:
        """What the generator did wrong itself, each in a sentence."""
        recorder, due = self._recorder, self._recorder.rows
        for shortage, count in recorder.shortages.most_common(1):
            yield f"the load generator could not send {count} requests: {shortage} on its machine"
        if self._stalls.spans:
            longest = max(end - start for start, end in self._stalls.spans)
            yield (
                f"the load generator stood still for {longest:.1f} s: {self._overslept} of {due}"
                f" requests that were due were not sent, and {recorder.spoiled} could not be timed"
            )
        late = self._late / max(1, self._handed)
        others = waiting - (self._overslept if self._stalls.spans else 0)
        if others > 0 and (cpu_share >= BUSY_CPU or late >= LATE_SHARE or self._overslept):
            yield (
                f"the load generator could not keep up: {others} of {due} requests that were due"
                f" were never sent; it used {cpu_share:.0%} of a core, and was late itself for"
                f" {late:.0%}"
            )

    def quit(self) -> None:
        """Users stop, with their on_stop; `test_stop`, `quitting` and `quit` are fired."""
        self._environment.runner.quit()
        events = self._environment.events
        events.quitting.fire(environment=self._environment, reverse=True)
        events.quit.fire(exit_code=self._environment.process_exit_code or 0)


def _prepared(scenario: Scenario, url: str) -> tuple[Any, dict[Any, float]]:
    """Locust's Environment, and the shares of its user classes. Raises LocustfileError."""
    file = scenario.locustfile
    if file is None:
        try:
            classes: list[Any] = [user_of(scenario.requests)]
        except KeyError as error:
            name = error.args[0]
            raise LocustfileError(f"the environment variable {name} is not set") from error
        except ValueError as error:
            raise LocustfileError(str(error)) from error
    else:
        classes = user_classes_in(file)
    environment = environment_of(
        file, classes, url, tags=scenario.tags, exclude_tags=scenario.exclude_tags
    )
    shares = shares_of(file, environment.user_classes, scenario.mix, scenario.max_in_flight)
    for user_class in shares:
        limit_time(user_class, scenario.request_timeout.total_seconds())
        trust(user_class, verify=scenario.verify is not False, ca_file=scenario.ca_file)
    return environment, shares


def _own_channel() -> TextIO:
    """The standard output for us alone; what others print there goes to the log."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr = BoundedLog(sys.stderr)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    return channel


def _allow_many_connections() -> None:
    """Up to what the system allows at all; each connection is an open file."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> None:
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(PR_SET_TIMERSLACK, 1)  # nanosecond, where the kernel's own choice is 50,000
    spec = json.loads(sys.stdin.read())
    channel = _own_channel()
    scenario = Scenario.model_validate_json(spec["scenario"])
    random.seed(f"{spec['seed']}/users")  # Locust's choice of tasks, and most locustfiles' bodies
    patch_clients()
    patch_redirects()
    patch_sessions(verify=scenario.verify is not False, ca_file=scenario.ca_file)
    release_our_names()
    _allow_many_connections()
    with (
        Path(spec["samples"]).open("w", newline="", encoding="utf-8") as file,
        Path(spec["summary"]).open("w", encoding="utf-8") as summary,  # while there are files left
    ):
        clock = Clock()
        stalls = Stalls(clock)
        recorder = Recorder(file, clock, stalls)
        try:
            worker = Worker(
                scenario,
                spec["url"],
                seed=spec["seed"],
                recorder=recorder,
                clock=clock,
                stalls=stalls,
            )
            for number in (signal.SIGTERM, signal.SIGINT):
                gevent.signal_handler(number, worker.stopping.set)
            worker.start()
        except LocustfileError as error:
            print(json.dumps({"refused": " ".join(str(error).split())}), file=channel, flush=True)
            return
        begun = clock()
        stalls.restart()
        meanwhile = [gevent.spawn(recorder.keep_flushing), gevent.spawn(stalls.keep_beating)]
        print(json.dumps({"begun": begun}), file=channel, flush=True)
        came_of_it = worker.run(begun)
        gevent.killall(meanwhile)
        json.dump(came_of_it, summary)
        summary.flush()
        with contextlib.suppress(gevent.GreenletExit):
            worker.quit()
