"""A soft dependency: bounded calls, a circuit that spares requests its full time-out, a poller.

The circuit opens after two failures in a row (the very first try counts double) and from then on
fails every call at once. Only the poller closes it again, so no request ever pays for finding out
whether the far side is back. Pattern: circuit breaker (Nygard, "Release It!"), with the poller in
the place of the half-open state.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from enum import StrEnum

logger = logging.getLogger("bizra")

_FAILURES_TO_OPEN = 2


class State(StrEnum):
    """What is known of a dependency; UNKNOWN until it was tried for the first time."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


class DependencyError(Exception):
    """The dependency did not answer in time, refused, or its circuit is open."""


class Dependency:
    """The state of one dependency, changed by its calls and its poller.

    `errors` are the client library's exceptions that mean "away" (time-outs are added); others
    are bugs and pass through. `on_change` hears of every new state; `reason_of` puts an error into
    a few words for /health.
    """

    def __init__(
        self,
        name: str,
        *,
        timeout_s: float,
        errors: tuple[type[Exception], ...],
        on_change: Callable[[str, State], None],
        reason_of: Callable[[Exception], str] = lambda error: type(error).__name__,
    ) -> None:
        self.name = name
        self.state = State.UNKNOWN
        self.reason = ""
        self._timeout_s = timeout_s
        self._errors = errors
        self._reason_of = reason_of
        self._on_change = on_change
        self._failures = 0

    @contextlib.asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """The body runs at most `timeout_s`; DependencyError when it fails, or at once if down."""
        if self.state is State.DOWN:
            raise DependencyError(f"{self.name} is away: {self.reason}")
        async with self._bounded():
            yield

    async def poll(self, ping: Callable[[], Awaitable[None]], *, interval_s: float) -> None:
        """Ping for ever, every `interval_s` seconds; the first time at once."""
        while True:
            await self.check(ping)
            await asyncio.sleep(interval_s)

    async def check(self, ping: Callable[[], Awaitable[None]]) -> None:
        """One ping, even when the circuit is open: its success closes it. Never raises."""
        started = time.monotonic()
        try:
            async with self._bounded():
                await ping()
        except DependencyError:
            pass
        except Exception as error:  # the poller has to outlive whatever it finds
            logger.debug("unexpected answer of %s", self.name, exc_info=True)
            self._failed(type(error).__name__)
        logger.debug("%s polled in %.1f ms", self.name, 1000 * (time.monotonic() - started))

    @contextlib.asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout_s):
                yield
        except TimeoutError as error:
            reason = f"no answer within {self._timeout_s:g} s"
            self._failed(reason)
            raise DependencyError(f"{self.name}: {reason}") from error
        except self._errors as error:
            reason = self._reason_of(error)
            self._failed(reason)
            raise DependencyError(f"{self.name}: {reason}") from error
        else:
            self._failures = 0
            self._become(State.UP, "")

    def _failed(self, reason: str) -> None:
        self._failures += 1
        if self._failures >= _FAILURES_TO_OPEN or self.state is State.UNKNOWN:
            self._become(State.DOWN, reason)

    def _become(self, state: State, reason: str) -> None:
        self.reason = reason
        if state is self.state:
            return
        self.state = state
        logger.log(
            logging.INFO if state is State.UP else logging.WARNING,
            "%s is %s%s",
            self.name,
            state,
            f": {reason}" if reason else "",
        )
        self._on_change(self.name, state)
