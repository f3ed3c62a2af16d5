"""The load generator against a real server that can misbehave on demand."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from loadtests.runner import LoadError, LoadRunner
from loadtests.scenario import Scenario
from slo.evidence.samples import read_raw
from tests.loadtests.service import Handler, eventually, played, scenario, service

SHOP = """
from locust import FastHttpUser, task

class Shopper(FastHttpUser):
    @task
    def pay(self):
        self.client.post("/pay", json={})
    @task
    def health(self):
        self.client.get("/health")
"""


@pytest.fixture
def chosen(tmp_path: Path) -> Callable[..., Scenario]:
    """A scenario without an end, of two endpoints."""
    file = tmp_path / "locustfile.py"
    file.write_text(SHOP)

    def made(*, timeout: str = "10s", in_flight: int = 500) -> Scenario:
        return scenario(
            locustfile=file,
            stages=[{"rate": 50}],
            request_timeout=timeout,
            max_in_flight=in_flight,
        )

    return made


def stall(handler: Handler) -> None:
    time.sleep(1.5)
    handler.text()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def load_for(seconds: float, url: str, run_dir: Path, chosen: Scenario) -> None:
    summary, samples = played(chosen, url, run_dir, seconds=seconds)
    assert summary.reason == ""
    assert summary.scheduled == summary.sent == len(samples)


def test_every_request_is_kept_with_all_its_columns(
    tmp_path: Path, chosen: Callable[..., Scenario]
) -> None:
    with service() as there:
        before = time.time()
        load_for(2, there.url, tmp_path, chosen())
        after = time.time()
    samples = read_raw(tmp_path)
    assert len(samples) > 20
    assert set(samples.endpoint) == {"POST /pay", "GET /health"}
    assert set(samples.error) == {"none"}
    assert set(samples.status) == {200}
    assert np.all(np.diff(samples.intended_start) >= 0)
    assert before - 1 < samples.intended_start[0] < samples.intended_start[-1] < after + 1
    assert np.all(samples.start >= samples.intended_start - 0.005)


def test_a_stalled_server_does_not_slow_the_arrivals(
    tmp_path: Path, chosen: Callable[..., Scenario]
) -> None:
    """Intended starts are spaced by the schedule although each answer takes 1.5 s."""
    with service(stall) as there:
        load_for(3, there.url, tmp_path, chosen())
    samples = read_raw(tmp_path)
    assert np.allclose(np.diff(samples.intended_start), 1 / 50, atol=1e-4)
    assert samples.latency.min() >= 1.4


def test_requests_that_find_no_place_wait_and_are_seen_to_be_late(
    tmp_path: Path, chosen: Callable[..., Scenario]
) -> None:
    """One at a time, 1.5 s each: the second is due at once and starts more than a second late."""
    with service(stall) as there:
        played(chosen(in_flight=1, timeout="10s"), there.url, tmp_path, seconds=4)
    samples = read_raw(tmp_path).of_the_service()
    assert (samples.start - samples.intended_start).max() > 1


def test_arrivals_that_no_user_had_time_for_are_counted(
    tmp_path: Path, chosen: Callable[..., Scenario]
) -> None:
    """The service keeps the only user busy: that is not the generator's fault, and it is said."""
    with service(stall) as there:
        summary, _ = played(chosen(in_flight=1), there.url, tmp_path, seconds=2)
    assert summary.waiting > 50
    assert summary.scheduled == summary.sent + summary.waiting
    assert summary.reason == ""


BUSY = """
import time
from locust import FastHttpUser, task

class Busy(FastHttpUser):
    @task
    def compute(self):
        end = time.thread_time() + 0.1
        while time.thread_time() < end:
            pass
        self.client.get("/")
"""


def test_a_generator_that_cannot_keep_up_says_so(tmp_path: Path) -> None:
    """Each iteration needs 100 ms of the processor, and 40 of them are due each second."""
    file = tmp_path / "locustfile.py"
    file.write_text(BUSY)
    busy = scenario(locustfile=file, stages=[{"rate": 40}], request_timeout="500ms")
    with service() as there:
        summary, samples = played(busy, there.url, tmp_path, seconds=3)
    assert "the load generator could not keep up: " in summary.reason
    assert summary.scheduled == len(samples) > summary.sent + 50
    assert summary.sent == len(samples.of_the_service())


@pytest.mark.parametrize(("mode", "kind"), [("500", "5xx"), ("404", "4xx")])
def test_bad_answers_are_errors_of_their_kind(
    tmp_path: Path, mode: str, kind: str, chosen: Callable[..., Scenario]
) -> None:
    with service(lambda handler: handler.text(status=int(mode))) as there:
        load_for(1, there.url, tmp_path, chosen())
    assert set(read_raw(tmp_path).error) == {kind}


def test_a_timeout_and_a_refusal_are_told_apart(
    tmp_path: Path, chosen: Callable[..., Scenario]
) -> None:
    with service(stall) as there:
        load_for(1.5, there.url, tmp_path, chosen(timeout="500ms"))
    assert set(read_raw(tmp_path).error) == {"timeout"}
    nobody = tmp_path / "nobody"
    nobody.mkdir()
    load_for(1, f"http://127.0.0.1:{free_port()}", nobody, chosen())
    assert set(read_raw(nobody).error) == {"refused"}


def test_progress_tells_of_the_last_seconds(
    tmp_path: Path, chosen: Callable[..., Scenario]
) -> None:
    with service() as there:
        handle = LoadRunner.start(chosen(), there.url, tmp_path, seed=1)
        try:
            eventually(lambda: handle.progress().requests > 30)
            seen = handle.progress()
            assert seen.rate > 0
            assert seen.error_rate == 0
            assert seen.p95_s is not None
            assert handle.recent(20).requests > 30 > handle.recent(0).requests
        finally:
            handle.stop()
    assert handle.result().reason == ""


def test_a_generator_that_dies_says_so_and_loses_nothing_written(
    tmp_path: Path, chosen: Callable[..., Scenario]
) -> None:
    with service() as there:
        handle = LoadRunner.start(chosen(), there.url, tmp_path, seed=1)
        eventually(lambda: handle.progress().requests > 20)
        os.kill(handle.pid, signal.SIGKILL)
        handle.stop()
    result = handle.result()
    assert "died" in result.reason
    assert len(read_raw(tmp_path)) > 20


def test_a_generator_that_cannot_start_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: Callable[..., Scenario]
) -> None:
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    with pytest.raises(LoadError, match="did not start"):
        LoadRunner.start(chosen(), "http://127.0.0.1:1", tmp_path, seed=1)


PARENT = """
import json, sys, time
from pathlib import Path
from loadtests.runner import LoadRunner
from loadtests.scenario import Scenario
chosen = Scenario.model_validate_json(sys.argv[1])
handle = LoadRunner.start(chosen, sys.argv[2], Path(sys.argv[3]), seed=1)
print(handle.pid, flush=True)
sys.stdin.read()
"""


def test_the_generator_does_not_outlive_a_killed_parent(
    tmp_path: Path, chosen: Callable[..., Scenario]
) -> None:
    with service() as there:
        command = [
            sys.executable,
            "-c",
            PARENT,
            chosen().model_dump_json(),
            there.url,
            str(tmp_path),
        ]
        parent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert Path(f"/proc/{worker}").exists()
        parent.kill()
        parent.wait()
        eventually(lambda: not _lives(worker))


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_the_same_seed_makes_the_same_schedule(
    tmp_path: Path, chosen: Callable[..., Scenario]
) -> None:
    endpoints = []
    with service() as there:
        for name in ("a", "b"):
            directory = tmp_path / name
            directory.mkdir()
            load_for(1, there.url, directory, chosen())
            endpoints.append(list(read_raw(directory).endpoint[:20]))
    assert endpoints[0] == endpoints[1]
