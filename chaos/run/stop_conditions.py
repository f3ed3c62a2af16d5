"""Stop conditions: what must not happen during a game day, whatever the fault.

A condition is evaluated every so often; it is breached once it was met `times` times in a row.
What cannot be evaluated is no all-clear: a PromQL condition that has no answer `times` times in a
row is a breach as well, as nobody watches any more.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from chaos.plan.model import StopCondition
from loadtests.tail import LoadProgress
from slo.observe.answers import PrometheusError
from slo.observe.prometheus import Prometheus


@dataclass(slots=True)
class Streak:
    """How often in a row; pure but for its own count."""

    times: int
    count: int = 0

    def add(self, *, met: bool) -> bool:
        """Is it confirmed?"""
        self.count = self.count + 1 if met else 0
        return self.count >= self.times


class StopConditions:
    """Watches all stop conditions from entering to leaving this context.

    `breach` says which was breached first, "" while none is. `seen` gives the load's last seconds;
    None before there are any.
    """

    def __init__(
        self,
        conditions: tuple[StopCondition, ...],
        seen: Callable[[], LoadProgress | None],
        prometheus: Prometheus,
    ) -> None:
        self._seen, self._prometheus = seen, prometheus
        self.breach = ""
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=(each,), name="guard", daemon=True)
            for each in conditions
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(1)

    def _watch(self, condition: StopCondition) -> None:
        met, blind = Streak(condition.times), Streak(condition.times)
        while not self._over.wait(condition.every.total_seconds()):
            try:
                value = self.value(condition)
            except PrometheusError as error:
                value, why = None, str(error)
            else:
                why = "no data"
            crossed = value is not None and condition.crossed(value)
            if met.add(met=crossed):
                self._stop(f"{condition}: it is {value:g}, {condition.times} times in a row")
            # The load has moments without requests; Prometheus must always have an answer.
            if blind.add(met=value is None and condition.promql is not None):
                self._stop(f"{condition} cannot be evaluated: {why}")

    def _stop(self, why: str) -> None:
        self.breach = self.breach or why

    def value(self, condition: StopCondition) -> float | None:
        """What it is now; None without an answer. Raises PrometheusError."""
        if condition.promql is not None:
            values = self._prometheus.instant(condition.promql, datetime.now(UTC))
            return max((v.value for v in values), default=None, key=condition.badness)
        seen = self._seen()
        if seen is None or seen.rate == 0:
            return None
        return seen.error_rate if condition.sli == "error_rate" else seen.p95_s
