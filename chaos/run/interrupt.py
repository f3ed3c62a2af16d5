"""Signals that end a run: the first one starts the undoing, later ones do not stop it."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class InterruptedRunError(BaseException):
    """Raised in the main thread by the first signal. Not an Exception: nothing may swallow it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def exit_code(self) -> int:
        """What shells say of a process that a signal ended: 128 + its number."""
        return 128 + self.number


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn the first ending signal into InterruptedRunError; ignore the ones that follow."""

    def on_signal(number: int, _frame: FrameType | None) -> None:
        for ending in ENDING:
            signal.signal(ending, signal.SIG_IGN)
        raise InterruptedRunError(number)

    before = {number: signal.signal(number, on_signal) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
