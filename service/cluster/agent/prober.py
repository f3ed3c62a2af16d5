"""Tries a pod's probes when they are due, and reports what came of it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from service.cluster.agent.probes import Answer, Enter, Probe


@dataclass(frozen=True, slots=True)
class Result:
    """One try. `verdict` is None while the threshold is not reached."""

    container: str
    run: int
    probe: Probe
    answer: Answer
    verdict: bool | None


@dataclass(frozen=True, slots=True)
class Watched:
    """A running container's probes; `run` tells its restarts apart."""

    run: int
    probes: tuple[Probe, ...]
    enter: Enter
    started: bool


class Prober:
    """One thread for all containers of a pod; `report` is called from it."""

    def __init__(self, name: str, report: Callable[[Result], None]) -> None:
        self._report = report
        self._watched: dict[str, Watched] = {}
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=f"probe-{name}", daemon=True)
        self._thread.start()

    def watch(self, container: str, watched: Watched | None) -> None:
        """From now on these probes of the container; None: none."""
        with self._changed:
            if watched is None:
                self._watched.pop(container, None)
            else:
                self._watched[container] = watched
            self._changed.notify()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopped:
                    return
                due = self._due()
                wait = due[0] - time.monotonic() if due else None
                if due is None or (wait is not None and wait > 0):
                    self._changed.wait(wait)
                    continue
            _, name, watched, probe = due
            answer, verdict = probe.attempt(watched.enter)
            self._report(Result(name, watched.run, probe, answer, verdict))

    def _due(self) -> tuple[float, str, Watched, Probe] | None:
        """The next probe: only the startup probe until that has succeeded."""
        found = [
            (probe.due, name, watched, probe)
            for name, watched in self._watched.items()
            for probe in watched.probes
            if (probe.kind == "startup") is not watched.started
        ]
        return min(found, key=lambda f: f[0], default=None)
