"""Starts the load generator in a process of its own, and watches what it writes."""

import csv
import json
import selectors
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from math import inf
from pathlib import Path

from loadtests.accounting import NO_REQUEST, owed, written
from loadtests.isolation import ROOT
from loadtests.scenario import Scenario
from loadtests.tail import LoadProgress, Recent, Tail, rows_of
from slo.model import ErrorKind
from slo.target_url import UrlError, checked_url

# The worker's packages are found by their place, and not by the working directory or PYTHONPATH,
# where the user may have packages of the same names.
_START = """
import importlib.util, sys
for name in ("slo", "loadtests"):
    place = f"{sys.argv[1]}/{name}"
    spec = importlib.util.spec_from_file_location(
        name, f"{place}/__init__.py", submodule_search_locations=[place]
    )
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
from loadtests.worker import main
main()
"""
READY_WITHIN_S = 60.0
SAMPLES, SUMMARY, LOG = "samples-0.csv", "load-summary.json", "load.log"  # in the run directory
LOST = "samples-1.csv"  # what a generator that died still owed


class LoadError(Exception):
    """The generator cannot start, or cannot use the locustfile; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class LoadSummary:
    """`scheduled`: requests that were due; `sent`: those that were made. "" as `reason`: well.

    Each of `scheduled` is a sample. `waiting` of them were never sent, as all users were busy or
    the generator was; what is missing to `scheduled` beside these it spoiled itself. `cpu_share` is
    the generator's own use of one core, None when it died before it could say. `outside` counts
    requests outside of iterations (on_start, on_stop), which are not among the samples.
    """

    scheduled: int
    sent: int
    reason: str
    cpu_share: float | None = None
    waiting: int = 0
    outside: int = 0
    outside_failed: int = 0


class LoadHandle:
    """A generator that runs. Not for use by several threads."""

    def __init__(
        self,
        process: subprocess.Popen[str],
        scenario: Scenario,
        run_dir: Path,
        *,
        seed: int,
        begun: float,
    ) -> None:
        self._process, self._scenario = process, scenario
        self._seed, self._begun, self._until = seed, begun, inf
        self._run_dir = run_dir
        self._tail, self._summary = Tail(run_dir / SAMPLES), run_dir / SUMMARY
        self._log = run_dir / LOG

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def overtime_s(self) -> float:
        """What it needs at most to end: once for what is in flight, once for the users' on_stop."""
        return 2 * self._scenario.request_timeout.total_seconds() + 15

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def progress(self) -> LoadProgress:
        return self._tail.read()

    def failures(self) -> Counter[str]:
        """How many requests to each endpoint have failed since the start."""
        self._tail.read()
        return +self._tail.failures

    def recent(self, seconds: float) -> Recent:
        """The last `seconds`, of which KEPT_S are kept."""
        self._tail.read()
        return self._tail.recent(seconds)

    def stop(self) -> None:
        """No new iterations; those in flight end, or are given up at their time limit."""
        self._until = min(self._until, time.time())
        if self.running:
            self._process.send_signal(signal.SIGTERM)
            self._process.send_signal(signal.SIGCONT)  # or one that was stopped never hears of it
            try:
                self._process.wait(self.overtime_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    def result(self) -> LoadSummary:
        """After stop(), or when it ended by itself."""
        _remove_if_empty(self._log)
        try:
            counts = json.loads(self._summary.read_text())
        except (OSError, ValueError):
            return self._death()
        finally:
            self._summary.unlink(missing_ok=True)
        return LoadSummary(**counts)

    def _death(self) -> LoadSummary:
        """What was due until the load was stopped and has no row gets one, in a file of its own."""
        recorded = {row[0] for row in rows_of(self._run_dir / SAMPLES)}
        until = min(self._until, time.time())
        lost = list(
            owed(self._scenario, self._seed, begun=self._begun, until=until, recorded=recorded)
        )
        with (self._run_dir / LOST).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(
                [written(due), written(due), "0", NO_REQUEST, "0", ErrorKind.NOT_SENT.value]
                for due in lost
            )
        seen = self._tail.read()
        due, code = seen.due + len(lost), self._process.returncode
        return LoadSummary(
            due,
            seen.requests,
            f"the load generator died (exit code {code}): of {len(lost)} of {due} requests that"
            " were due there is no result",
            waiting=seen.due - seen.requests + len(lost),
        )


class LoadRunner:
    """Starts load generators."""

    @staticmethod
    def start(scenario: Scenario, url: str, run_dir: Path, *, seed: int) -> LoadHandle:
        """Samples go to `run_dir`/samples-0.csv. Raises LoadError."""
        run_dir = run_dir.absolute()
        try:
            url = checked_url(url)
        except UrlError as error:
            raise LoadError(str(error)) from error
        spec = {
            "scenario": scenario.model_dump_json(),
            "url": url,
            "seed": seed,
            "samples": str(run_dir / SAMPLES),
            "summary": str(run_dir / SUMMARY),
        }
        with (run_dir / LOG).open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START, str(ROOT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # a Ctrl-C at the terminal is for gameday alone
            )
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it died already, and the log says why
            process.stdin.write(json.dumps(spec))
            process.stdin.close()
        begun = _begun(process, run_dir / LOG)
        if isinstance(begun, str):
            process.kill()
            process.wait()
            raise LoadError(begun)
        return LoadHandle(process, scenario, run_dir, seed=seed, begun=begun)


def _begun(process: subprocess.Popen[str], log: Path) -> float | str:
    """When the load began, in seconds since the epoch, or in one sentence why it does not."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        line = process.stdout.readline() if selector.select(READY_WITHIN_S) else ""
    if not line:
        lines = log.read_text(errors="replace").strip().splitlines()
        return f"the load generator did not start: {lines[-1] if lines else 'silent'}"
    said: dict[str, float | str] = json.loads(line)
    if "refused" in said:
        _remove_if_empty(log)
        (log.parent / SUMMARY).unlink(missing_ok=True)
        (log.parent / SAMPLES).unlink(missing_ok=True)
        return said["refused"]
    return said["begun"]


def _remove_if_empty(log: Path) -> None:
    if log.exists() and not log.stat().st_size:
        log.unlink()


def run_load(
    scenario: Scenario,
    url: str,
    run_dir: Path,
    *,
    seed: int,
    duration: timedelta | None,
    on_progress: Callable[[LoadProgress], None],
) -> LoadSummary:
    """A scenario alone, until it ends or for `duration`. Raises LoadError."""
    handle = LoadRunner.start(scenario, url, run_dir, seed=seed)
    length = duration.total_seconds() if duration else scenario.length_s + handle.overtime_s
    deadline = time.monotonic() + length
    try:
        while handle.running and time.monotonic() < deadline:
            time.sleep(0.5)
            on_progress(handle.progress())
    finally:
        handle.stop()
    return handle.result()
