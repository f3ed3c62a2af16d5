"""The loads of a game day: that on the target, and those on the services beside it."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from chaos.run import steadiness
from chaos.run.journal_writer import JournalWriter
from loadtests.runner import LoadHandle, LoadRunner
from loadtests.scenario import Scenario
from loadtests.tail import LoadProgress, together
from slo.evidence import journal as entries
from slo.evidence.samples import BESIDE
from slo.target_url import masked_url

NO_LOAD = LoadProgress(requests=0, errors=0, rate=0.0, error_rate=0.0, p95_s=None)


class Loaded(NamedTuple):
    """A service under load. `name` is "" for the target.

    `steady_error_rate` is a ratio, more is not steady; `steady_p95_s` the critical response time,
    None where nothing is promised.
    """

    name: str
    scenario: Scenario
    url: str
    steady_error_rate: float
    steady_p95_s: float | None = None


def scenarios_of(services: tuple[Loaded, ...]) -> str:
    """All in words, as a run is known by; "" where there is no load."""
    return ", ".join(
        f"{s.name}: {s.scenario.name}" if s.name else s.scenario.name for s in services
    )


class Loads:
    """One generator for each service, with a folder of its own below that of the run."""

    def __init__(
        self,
        services: tuple[Loaded, ...],
        run_dir: Path,
        journal: JournalWriter,
        now: Callable[[], datetime],
    ) -> None:
        self._services, self._run_dir = services, run_dir
        self._journal, self._now = journal, now
        self._running: dict[str, LoadHandle] = {}

    def start(self, *, seed: int, say: Callable[[str], None]) -> None:
        """Raises LoadError; those that had started are stopped by `stop`."""
        for name, scenario, url, *_ in self._services:
            folder = self._run_dir / (f"{BESIDE}/{name}" if name else "")
            folder.mkdir(parents=True, exist_ok=True)
            place = masked_url(url)
            self._journal.append(entries.LoadStarted(time=self._now(), url=place, service=name))
            self._running[name] = LoadRunner.start(scenario, url, folder, seed=seed)
            say(f"load {scenario.name} on {place}" + (f" ({name})" if name else ""))

    def stop(self) -> None:
        """Each says how it ended."""
        for name, load in self._running.items():
            load.stop()
            summary = load.result()
            self._journal.append(
                entries.LoadEnded(
                    time=self._now(),
                    service=name,
                    scheduled=summary.scheduled,
                    sent=summary.sent,
                    reason=summary.reason,
                    cpu_share=summary.cpu_share,
                )
            )
        self._running = {}

    def progress(self) -> LoadProgress:
        """Of all together, the worst of each counting."""
        if not self._running:
            return NO_LOAD
        return together([load.progress() for load in self._running.values()])

    def unsteady(self) -> str:
        """Why the users of one of them are not served well; "" when all are."""
        return self._first(
            lambda service, load: steadiness.of_requests(
                load.progress(), load.failures(), service.steady_error_rate
            )
        )

    def past_critical(self, seconds: float) -> str:
        """Which was surely past a critical threshold in the last seconds; "" when none was."""
        return self._first(
            lambda service, load: steadiness.of_baseline(
                load.recent(seconds),
                load.failures(),
                error_rate=service.steady_error_rate,
                p95_s=service.steady_p95_s,
            )
        )

    def _first(self, why: Callable[[Loaded, LoadHandle], str]) -> str:
        for service in self._services:
            found = why(service, self._running[service.name])
            if found:
                return f"{service.name}: {found}" if service.name else found
        return ""
