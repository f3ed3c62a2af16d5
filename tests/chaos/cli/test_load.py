"""`gameday load` as a user types it, against a service of the test's own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from service.gameday import RUNBOOK
from slo.evidence.samples import read_parquet
from tests.loadtests.service import Handler, eventually, service

GAMEDAY = str(Path(sys.executable).parent / "gameday")
SCENARIO = """\
name: short
requests: [{path: /}]
arrivals: constant
stages: [{rate: 100, duration: 2s}]
request_timeout: 2s
max_in_flight: 50
"""
Load = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    (tmp_path / "short.yaml").write_text(SCENARIO)

    def run(
        *arguments: str | Path, scenario: tuple[str, ...] = ("short.yaml",)
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [GAMEDAY, "load", *scenario, *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | {"COLUMNS": "120"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def said(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence."""
    (line,) = done.stderr.strip().splitlines()
    return line


def test_a_promise_of_the_runbook_that_is_broken_is_code_1(load: Load) -> None:
    def half(handler: Handler) -> None:
        handler.text(status=500 if len(handler.server.seen) % 2 else 200)

    with service(half) as there:
        done = load("--url", there.url, "--runbook", RUNBOOK, "--json")
        shown = load("--url", there.url, "--runbook", RUNBOOK)
    assert done.returncode == shown.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert told["outcome"] == "fail"
    assert told["scheduled"] == 200
    outcomes = {p["objective"]: p["outcome"] for p in told["promises"]}
    assert outcomes["error_rate"] == "fail"
    assert "fail         Error Rate" in shown.stdout


def test_nobody_there_is_one_sentence_and_code_3(load: Load) -> None:
    with service() as there:
        gone = there.url
    done = load("--url", gone.replace("//", "//user:secret@"))
    assert done.returncode == 3
    assert "cannot be reached: Connection refused" in said(done)
    assert "secret" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("--url", "ftp://shop.example"),
        ("--url", "http://shop.example/?debug=1"),
        ("--url", "http://127.0.0.1:1", "--insecure", "--ca-file", "ca.pem"),
        ("--url", "http://127.0.0.1:1", "--ca-file", "nothing.pem"),
        ("--url", "http://127.0.0.1:1", "--out", "short.yaml/below"),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(load: Load, arguments: tuple[str, ...]) -> None:
    done = load(*arguments)
    assert done.returncode == 2
    assert said(done).startswith("gameday: ")


def test_an_address_is_loaded_at_a_rate_without_any_file(load: Load) -> None:
    at = ("--rate", "30", "--duration", "2s", "--json")
    with service() as there:
        done = load("--url", f"{there.url}/items?page=2", *at, scenario=())
        paths = {seen.path for seen in there.seen}
    assert json.loads(done.stdout)["sent"] > 30, done.stderr
    assert paths == {"/items?page=2"}


def test_a_locustfile_is_loaded_at_a_rate(load: Load, tmp_path: Path) -> None:
    text = """
from locust import HttpUser, task
class Reader(HttpUser):
    @task
    def read(self):
        self.client.get("/read")
"""
    (tmp_path / "users.py").write_text(text)
    at = ("--rate", "50", "--duration", "1s", "--locustfile", "users.py", "--json")
    with service() as there:
        done = load("--url", f"{there.url}/base", *at, scenario=())
        paths = {seen.path for seen in there.seen}
    assert done.stderr == ""
    assert paths == {"/base/read"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("short.yaml", "--rate", "5"), "either a scenario or --rate"),
        ((), "either a scenario or --rate"),
        (("short.yaml", "--locustfile", "users.py"), "--locustfile goes with --rate"),
        (("--rate", "5", "--locustfile", "gone.py"), "there is no file gone.py"),
        (("--rate", "1e6"), "less than or equal to 10000"),
        (("--rate", "5"), "a load at a rate has no end of its own"),
        (("--rate", "5", "--embedded"), "either --url URL or --embedded"),
    ],
)
def test_a_rate_that_does_not_fit_is_one_sentence(
    load: Load, arguments: tuple[str, ...], sentence: str
) -> None:
    done = load("--url", "http://127.0.0.1:1", scenario=arguments)
    assert done.returncode == 2
    assert sentence in said(done)


def test_redirects_are_said(load: Load) -> None:
    with service(lambda h: h.text(status=302, location="/login")) as there:
        done = load("--url", there.url)
        assert len(there.seen) == 200
    assert "200 answers were redirects, which are not followed" in done.stdout


def test_what_an_interrupted_load_has_measured_is_kept_and_shown(tmp_path: Path) -> None:
    (tmp_path / "short.yaml").write_text(SCENARIO.replace(", duration: 2s", ""))
    with service() as there:
        started = subprocess.Popen(
            [
                GAMEDAY,
                "load",
                "short.yaml",
                "--url",
                there.url,
                "--duration",
                "5m",
                "--out",
                "kept",
                "--json",
            ],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            eventually(lambda: len(there.seen) > 50)
            started.send_signal(signal.SIGINT)
            told = json.loads(started.communicate(timeout=60)[0])
        finally:
            started.kill()
            started.wait()
    assert started.returncode == 130
    assert "was interrupted" in told["reason"]
    assert told["sent"] == len(read_parquet(tmp_path / "kept/samples.parquet")) > 50
