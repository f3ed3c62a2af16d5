"""The samples while they are written: what the last seconds were like."""

import csv
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from slo.latency_rule import OWN_FAULTS, latency_counts, quantile_at

RECENT_S = 5.0
KEPT_S = 30.0


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """`requests` and `errors` since the start; the rest over the last RECENT_S seconds.

    `due` counts with the requests those that the generator did not make (slo.latency_rule).
    `rate` in requests/s, `error_rate` a ratio, `p95_s` from the intended start, of the requests
    whose latency counts (slo.latency_rule); None without any.
    """

    requests: int
    errors: int
    rate: float
    error_rate: float
    p95_s: float | None
    due: int = 0


def together(each: Sequence[LoadProgress]) -> LoadProgress:
    """Of several loads: requests add up, of error rate and latency the worst one counts.

    No latency where one of them has none yet.
    """
    times = [p.p95_s for p in each]
    return LoadProgress(
        requests=sum(p.requests for p in each),
        errors=sum(p.errors for p in each),
        rate=sum(p.rate for p in each),
        error_rate=max(p.error_rate for p in each),
        p95_s=None if None in times else max(t for t in times if t is not None),
        due=sum(p.due for p in each),
    )


@dataclass(frozen=True, slots=True)
class Recent:
    """Requests that ended within some seconds before now.

    `times` are those whose latency counts (slo.latency_rule), which those of failed ones may, in
    seconds from the intended start, ascending.
    """

    requests: int
    failed: int
    times: tuple[float, ...]


class Tail:
    """Reads what the worker appended since the last time."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset, self._rest = path, 0, ""
        self.requests = self.errors = self.due = 0
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
                self.due += 1
                if error in OWN_FAULTS:
                    continue
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
            p95_s=quantile_at(times, 0.95),
            due=self.due,
        )

    def recent(self, seconds: float) -> Recent:
        since = time.time() - seconds
        # Those that ended last stand last, within the slack of one process that writes them.
        found = list(takewhile(lambda r: r[0] >= since, reversed(self._recent)))
        times = sorted(t for _, t, _ in found if t is not None)
        return Recent(len(found), sum(failed for *_, failed in found), tuple(times))


def rows_of(path: Path) -> Iterator[list[str]]:
    """The rows of a file of samples without a last one that was cut short."""
    if path.exists():
        *lines, _torn = path.read_text(encoding="utf-8").split("\n")
        yield from csv.reader(lines)
