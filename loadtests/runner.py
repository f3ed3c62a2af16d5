"""Starts the load generator in a process of its own, and watches what it writes."""

import csv
import json
import selectors
import signal
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from pathlib import Path

from loadtests.isolation import ROOT
from loadtests.scenario import Scenario
from slo.latency_rule import latency_counts

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
RECENT_S = 5.0
KEPT_S = 30.0


class LoadError(Exception):
    """The generator cannot start, or cannot use the locustfile; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class LoadSummary:
    """`sent`: requests made; `scheduled`: with those that the generator owed. "" as `reason`: well.

    `cpu_share` is the generator's own use of one core, None when it died before it could say.
    `waiting` arrivals never got a user, as all were busy or the generator was. `outside` counts
    requests outside of iterations (on_start, on_stop), which are not among the samples.
    """

    scheduled: int
    sent: int
    reason: str
    cpu_share: float | None = None
    waiting: int = 0
    outside: int = 0
    outside_failed: int = 0


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """`requests` and `errors` since the start; the rest over the last RECENT_S seconds.

    `rate` in requests/s, `error_rate` a ratio, `p95_s` from the intended start, of the requests
    whose latency counts (slo.latency_rule); None without any.
    """

    requests: int
    errors: int
    rate: float
    error_rate: float
    p95_s: float | None


@dataclass(frozen=True, slots=True)
class Recent:
    """Requests that ended within some seconds before now.

    `times` are those whose latency counts (slo.latency_rule), which those of failed ones may, in
    seconds from the intended start, ascending.
    """

    requests: int
    failed: int
    times: tuple[float, ...]


class _Tail:
    """Reads what the worker appended since the last time."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset, self._rest = path, 0, ""
        self.requests = self.errors = 0
        self.failures: Counter[str] = Counter()
        # End, response time where it counts, failed.
        self._recent: deque[tuple[float, float | None, bool]] = deque()

    def read(self) -> LoadProgress:
        if self._path.exists():
            with self._path.open(encoding="utf-8") as file:
                file.seek(self._offset)
                text = file.read()
                self._offset = file.tell()
            *lines, self._rest = (self._rest + text).split("\n")
            for due, start, latency, endpoint, status, error in csv.reader(lines):
                end = float(start) + float(latency)
                failed = error != "none"
                counts = latency_counts(int(status), error)
                self.requests += 1
                self.errors += failed
                self.failures[endpoint] += failed
                self._recent.append((end, end - float(due) if counts else None, failed))
        oldest = time.time() - KEPT_S
        while self._recent and self._recent[0][0] < oldest:
            self._recent.popleft()
        recent = self.recent(RECENT_S)
        times, count = recent.times, recent.requests
        return LoadProgress(
            requests=self.requests,
            errors=self.errors,
            rate=count / RECENT_S,
            error_rate=recent.failed / count if count else 0.0,
            p95_s=times[min(len(times) - 1, int(0.95 * len(times)))] if times else None,
        )

    def recent(self, seconds: float) -> Recent:
        since = time.time() - seconds
        # Those that ended last stand last, within the slack of one process that writes them.
        found = list(takewhile(lambda r: r[0] >= since, reversed(self._recent)))
        times = sorted(t for _, t, _ in found if t is not None)
        return Recent(len(found), sum(failed for *_, failed in found), tuple(times))


class LoadHandle:
    """A generator that runs. Not for use by several threads."""

    def __init__(self, process: subprocess.Popen[str], scenario: Scenario, run_dir: Path) -> None:
        self._process, self._scenario = process, scenario
        self._tail, self._summary = _Tail(run_dir / SAMPLES), run_dir / SUMMARY
        self._log = run_dir / LOG

    @property
    def pid(self) -> int:
        return self._process.pid

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
        if self.running:
            self._process.send_signal(signal.SIGTERM)
            try:  # once for what is in flight, once for the users' on_stop
                self._process.wait(2 * self._scenario.request_timeout.total_seconds() + 15)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    def result(self) -> LoadSummary:
        """After stop(), or when it ended by itself."""
        _remove_if_empty(self._log)
        try:
            counts = json.loads(self._summary.read_text())
        except (OSError, ValueError):
            seen = self._tail.read().requests
            code = self._process.returncode
            return LoadSummary(seen, seen, f"the load generator died (exit code {code})")
        finally:
            self._summary.unlink(missing_ok=True)
        return LoadSummary(**counts)


class LoadRunner:
    """Starts load generators."""

    @staticmethod
    def start(scenario: Scenario, url: str, run_dir: Path, *, seed: int) -> LoadHandle:
        """Samples go to `run_dir`/samples-0.csv. Raises LoadError."""
        run_dir = run_dir.absolute()
        spec = {
            "scenario": scenario.model_dump_json(),
            "url": url.rstrip("/"),
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
        if refusal := _refusal(process, run_dir / LOG):
            process.kill()
            process.wait()
            raise LoadError(refusal)
        return LoadHandle(process, scenario, run_dir)


def _refusal(process: subprocess.Popen[str], log: Path) -> str:
    """Why the generator does not start, in one sentence; "" when it is ready."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        line = process.stdout.readline() if selector.select(READY_WITHIN_S) else ""
    if not line:
        lines = log.read_text(errors="replace").strip().splitlines()
        return f"the load generator did not start: {lines[-1] if lines else 'silent'}"
    refused: str = json.loads(line).get("refused", "")
    if refused:
        _remove_if_empty(log)
        (log.parent / SUMMARY).unlink(missing_ok=True)
        (log.parent / SAMPLES).unlink(missing_ok=True)
    return refused


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
    deadline = time.monotonic() + duration.total_seconds() if duration else None
    try:
        while handle.running and (deadline is None or time.monotonic() < deadline):
            time.sleep(0.5)
            on_progress(handle.progress())
    finally:
        handle.stop()
    return handle.result()
