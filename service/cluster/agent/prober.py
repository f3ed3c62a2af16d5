"""Tries a pod's probes when they are due, and reports what came of it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from service.cluster.agent.actions import Enter
from service.cluster.agent.probes import Answer, Probe


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


class Prober:
    """A thread for each probe, so that none waits for another; `report` is called from them."""

    def __init__(self, name: str, report: Callable[[Result], None]) -> None:
        self._name, self._report = name, report
        self._stops: dict[str, threading.Event] = {}

    def watch(self, container: str, watched: Watched | None) -> None:
        """From now on these probes of the container; None: none."""
        if (before := self._stops.pop(container, None)) is not None:
            before.set()
        if watched is None:
            return
        stop = self._stops[container] = threading.Event()
        for probe in watched.probes:
            threading.Thread(
                target=self._run,
                args=(container, watched, probe, stop),
                name=f"probe-{self._name}-{probe.kind}",
                daemon=True,
            ).start()

    def stop(self) -> None:
        for stop in self._stops.values():
            stop.set()

    def _run(self, container: str, watched: Watched, probe: Probe, stop: threading.Event) -> None:
        while not stop.wait(max(0.0, probe.due - time.monotonic())):
            answer, verdict = probe.attempt(watched.enter)
            if not stop.is_set():
                self._report(Result(container, watched.run, probe, answer, verdict))
