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
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from pathlib import Path

from loadtests.scenario import Scenario

READY_WITHIN_S = 60.0
RECENT_S = 5.0
KEPT_S = 30.0


class LoadError(Exception):
    """The generator cannot be started; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class LoadSummary:
    """`scheduled`: requests due until the end; `sent`: requests made. `reason` is "" when well.

    `cpu_share` is the generator's own use of one core, None when it died before it could say.
    """

    scheduled: int
    sent: int
    reason: str
    cpu_share: float | None = None


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """`requests` and `errors` since the start; the rest over the last RECENT_S seconds.

    `rate` in requests/s, `error_rate` a ratio, `p95_s` from the intended start, None without
    answers.
    """

    requests: int
    errors: int
    rate: float
    error_rate: float
    p95_s: float | None


@dataclass(frozen=True, slots=True)
class Recent:
    """Requests that ended within some seconds before now: how many failed, and how long the others
    took, in seconds from the intended start, ascending.
    """

    failed: int
    times: tuple[float, ...]

    @property
    def requests(self) -> int:
        return self.failed + len(self.times)


class _Tail:
    """Reads what the worker appended since the last time."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset, self._rest = path, 0, ""
        self.requests = self.errors = 0
        self.failures: Counter[str] = Counter()
        self._recent: deque[tuple[float, float, bool]] = deque()  # end, response time, failed

    def read(self) -> LoadProgress:
        if self._path.exists():
            with self._path.open(encoding="utf-8") as file:
                file.seek(self._offset)
                text = file.read()
                self._offset = file.tell()
            *lines, self._rest = (self._rest + text).split("\n")
            for due, start, latency, endpoint, _, error in csv.reader(lines):
                end = float(start) + float(latency)
                failed = error != "none"
                self.requests += 1
                self.errors += failed
                self.failures[endpoint] += failed
                self._recent.append((end, end - float(due), failed))
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
        times = sorted(t for _, t, failed in found if not failed)
        return Recent(sum(failed for *_, failed in found), tuple(times))


class LoadHandle:
    """A generator that runs. Not for use by several threads."""

    def __init__(
        self, process: subprocess.Popen[str], scenario: Scenario, samples: Path, summary: Path
    ) -> None:
        self._process, self._scenario = process, scenario
        self._tail, self._summary = _Tail(samples), summary

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
        """No new requests; those in flight end by themselves or at their time limit."""
        if self.running:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(self._scenario.request_timeout.total_seconds() + 15)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    def result(self) -> LoadSummary:
        """After stop(), or when it ended by itself."""
        try:
            counts = json.loads(self._summary.read_text())
        except (OSError, ValueError):
            seen = self._tail.read().requests
            code = self._process.returncode
            return LoadSummary(seen, seen, f"the load generator died (exit code {code})")
        self._summary.unlink()
        return LoadSummary(counts["scheduled"], counts["sent"], "", counts["cpu_share"])


class LoadRunner:
    """Starts load generators."""

    @staticmethod
    def start(scenario: Scenario, url: str, run_dir: Path, *, seed: int) -> LoadHandle:
        """Samples go to `run_dir`/samples-0.csv. Raises LoadError."""
        run_dir = run_dir.absolute()
        spec, samples = run_dir / "load.json", run_dir / "samples-0.csv"
        summary, log = run_dir / "load-summary.json", run_dir / "load.log"
        spec.write_text(
            json.dumps(
                {
                    "scenario": scenario.model_dump_json(),
                    "url": url.rstrip("/"),
                    "seed": seed,
                    "samples": str(samples),
                    "summary": str(summary),
                }
            )
        )
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "loadtests.worker", str(spec)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # a Ctrl-C at the terminal is for gameday alone
            )
        if not _says_ready(process):
            process.kill()
            process.wait()
            lines = log.read_text(errors="replace").strip().splitlines()
            raise LoadError(f"the load generator did not start: {lines[-1] if lines else 'silent'}")
        spec.unlink()
        if not log.read_bytes():
            log.unlink()
        return LoadHandle(process, scenario, samples, summary)


def _says_ready(process: subprocess.Popen[str]) -> bool:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        return bool(selector.select(READY_WITHIN_S)) and process.stdout.readline() == "ready\n"


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
