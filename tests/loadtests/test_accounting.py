"""Everything that was due is a row: answered, failed, or not made."""

import io
import os
import signal
import time
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.accounting import due_times, owed, written
from loadtests.recorder import Clock, Iteration, Recorder, Row
from loadtests.runner import LoadRunner, LoadSummary
from loadtests.scenario import Scenario
from loadtests.stalls import Stalls
from slo.evidence.samples import Samples, read_raw
from slo.model import ErrorKind
from tests.loadtests.service import (
    Handler,
    drip,
    eventually,
    played,
    scenario,
    service,
)
from tests.loadtests.service import written as file_of

GET = """
class Shopper(FastHttpUser):
    @task
    def get(self):
        self.client.get("/")
"""


def shopping(tmp_path: Path, **fields: object) -> Scenario:
    return scenario(locustfile=file_of(tmp_path, GET), **fields)


def balanced(summary: LoadSummary, samples: Samples) -> Counter[str]:
    """Checks the sum; how often there was each outcome."""
    kinds = Counter(samples.error)
    made = kinds.total() - kinds["not sent"] - kinds["generator"]
    assert summary.scheduled == kinds.total()
    assert summary.sent == made == len(samples.of_the_service())
    assert summary.waiting == kinds["not sent"]
    assert len(samples.not_made()) == kinds["not sent"] + kinds["generator"]
    return kinds


def test_answers_that_drip_for_ever_are_timeouts_and_the_load_ends(tmp_path: Path) -> None:
    """Ten arrivals find two places, each taken for a whole time limit."""
    with service(drip) as there:
        chosen = shopping(
            tmp_path,
            stages=[{"rate": 10, "duration": "1s"}],
            request_timeout="1s",
            max_in_flight=2,
        )
        begun = time.monotonic()
        summary, samples = played(chosen, there.url, tmp_path)
        took = time.monotonic() - begun
    kinds = balanced(summary, samples)
    assert summary.scheduled == 10
    assert kinds["timeout"] >= 4
    assert set(kinds) == {"timeout", "not sent"}
    assert summary.reason == ""  # it is the service that keeps them
    assert took < 30


@pytest.mark.parametrize("users", ["a locustfile", "requests"])
def test_four_of_a_hundred_that_drip_are_four_timeouts(tmp_path: Path, users: str) -> None:
    def some(handler: Handler) -> None:
        if len(handler.server.seen) % 25 == 0:
            drip(handler)
        else:
            handler.text()

    with service(some) as there:
        fields = {"stages": [{"rate": 50, "duration": "2s"}], "request_timeout": "500ms"}
        made = {"requests": [{"path": "/"}]} if users == "requests" else None
        chosen = scenario(**fields, **made) if made else shopping(tmp_path, **fields)
        summary, samples = played(chosen, there.url, tmp_path)
    assert balanced(summary, samples) == {"none": 96, "timeout": 4}


def test_a_generator_that_is_stopped_for_a_while_says_so_and_owes_its_share(
    tmp_path: Path,
) -> None:
    with service() as there:
        chosen = shopping(tmp_path, stages=[{"rate": 20, "duration": "6s"}])
        handle = LoadRunner.start(chosen, there.url, tmp_path, seed=1)
        eventually(lambda: handle.progress().requests > 10)
        os.kill(handle.pid, signal.SIGSTOP)
        time.sleep(3)  # how long it is stopped, not how long something may take
        os.kill(handle.pid, signal.SIGCONT)
        eventually(lambda: not handle.running)
        handle.stop()
        summary = handle.result()
    kinds = balanced(summary, read_raw(tmp_path))
    assert "stood still for" in summary.reason
    assert summary.scheduled == 120
    assert kinds["not sent"] >= 30


def test_a_generator_that_stays_stopped_is_woken_to_account_for_itself(tmp_path: Path) -> None:
    with service() as there:
        chosen = shopping(tmp_path, stages=[{"rate": 20}])
        handle = LoadRunner.start(chosen, there.url, tmp_path, seed=1)
        eventually(lambda: handle.progress().requests > 10)
        os.kill(handle.pid, signal.SIGSTOP)
        time.sleep(2)  # as above
        handle.stop()
        summary = handle.result()
    kinds = balanced(summary, read_raw(tmp_path))
    assert "stood still for" in summary.reason
    assert kinds["not sent"] >= 15


def test_a_generator_that_is_killed_owes_what_was_due_until_the_load_was_stopped(
    tmp_path: Path,
) -> None:
    with service() as there:
        chosen = shopping(tmp_path, stages=[{"rate": 20}])
        handle = LoadRunner.start(chosen, there.url, tmp_path, seed=1)
        eventually(lambda: handle.progress().requests > 10)
        os.kill(handle.pid, signal.SIGKILL)
        eventually(lambda: not handle.running)
        time.sleep(1)  # as above
        handle.stop()
        summary = handle.result()
    samples = read_raw(tmp_path)
    kinds = balanced(summary, samples)
    assert "died (exit code -9)" in summary.reason
    assert kinds["not sent"] >= 20
    assert np.allclose(np.diff(samples.intended_start), 1 / 20, atol=1e-4)


def test_what_this_machine_lacks_is_no_error_of_the_services(
    tmp_path: Path,
) -> None:
    """A name that nobody knows: the generator's own fault, named, and out of the errors."""
    summary, samples = played(
        shopping(tmp_path), "http://nobody-has-this-name.invalid:80", tmp_path
    )
    kinds = balanced(summary, samples)
    assert set(kinds) == {"generator"}
    assert "could not send 50 requests: the name of the service was not resolved" in summary.reason


def test_no_files_left_is_no_error_of_the_services(tmp_path: Path) -> None:
    """The file itself takes all but a few of the process's open files."""
    text = """
    import resource
    from locust import *
    @events.test_start.add_listener
    def few(**_):
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
    class Shopper(FastHttpUser):
        @task
        def get(self):
            self.client.get("/")
    """

    def slow(handler: Handler) -> None:
        time.sleep(1)
        handler.text()

    with service(slow) as there:
        chosen = scenario(locustfile=file_of(tmp_path, text), max_in_flight=200)
        summary, samples = played(chosen, there.url, tmp_path)
    kinds = balanced(summary, samples)
    assert set(kinds) == {"none", "generator"}
    assert "Too many open files" in summary.reason


# What can become of an arrival, step by step.
STEPS = st.sampled_from(["fine", "fails", "own", "raises", "hangs", "end"])


@settings(deadline=None)
@given(st.lists(st.lists(STEPS, max_size=5), max_size=30), st.integers(0, 10))
def test_due_is_answered_and_failed_and_not_made(lives: list[list[str]], unsent: int) -> None:
    """Whatever happens in iterations, each arrival has its row, and the sums agree."""
    clock, file = Clock(), io.StringIO()
    recorder = Recorder(file, clock, Stalls(clock))
    arrivals, silent = [], 0
    for number, life in enumerate(lives):
        due = 1e9 + number
        arrivals.append(due)
        silent += not live(recorder, Iteration(due, clock()), life)
    for number in range(unsent):
        arrivals.append(2e9 + number)
        recorder.not_sent(arrivals[-1])
    recorder.close()
    rows = [line.split(",") for line in file.getvalue().splitlines()]
    kinds = Counter(ErrorKind(row[-1]) for row in rows)
    assert kinds == recorder.kinds
    assert recorder.rows == len(rows)
    own = kinds[ErrorKind.GENERATOR] + kinds[ErrorKind.NOT_SENT]
    assert recorder.made == len(rows) - own
    due_rows = Counter(row[0] for row in rows)
    seen = [due for due in arrivals if due_rows[written(due)] == 1]
    assert len(seen) == len(arrivals) - silent


def live(recorder: Recorder, iteration: Iteration, steps: list[str]) -> bool:
    """Through the steps until one ends it; whether there has been anything to record."""
    outcomes = {"fine": ErrorKind.NONE, "fails": ErrorKind.RESET, "own": ErrorKind.GENERATOR}
    for step in steps:
        if step in outcomes:
            row = Row(iteration.begun, 0.01, "GET /", 0, outcomes[step])
            recorder.add(iteration, row)
        elif step == "raises":
            recorder.task_failed(iteration, "Shopper.get", ValueError())
            break
        elif step == "hangs":
            recorder.given_up(iteration, "Shopper.get", 1.0)
            return True
        else:
            break
    recorder.ended(iteration)
    return iteration.first is not None


@settings(deadline=None)
@given(
    rates=st.lists(st.floats(0, 50), min_size=1, max_size=3),
    process=st.sampled_from(["constant", "poisson"]),
    seed=st.integers(0, 100),
    begun=st.floats(1e9, 2e9),
    share=st.floats(0, 1),
)
def test_what_is_recorded_and_what_is_owed_is_the_schedule(
    rates: list[float], process: str, seed: int, begun: float, share: float
) -> None:
    stages = [{"rate": rate, "duration": "3s"} for rate in rates]
    chosen = scenario(requests=[{"path": "/"}], stages=stages, arrivals=process)
    until = begun + share * chosen.length_s
    due = [d for d in due_times(chosen, seed, begun) if d <= until]
    keep = Random(seed)
    recorded = {written(d) for d in due if keep.random() < 0.5}
    left = [written(d) for d in owed(chosen, seed, begun=begun, until=until, recorded=recorded)]
    assert recorded.isdisjoint(left)
    assert recorded | set(left) == {written(d) for d in due}
