"""Waits for a moment, to some tens of microseconds.

The event loop's own timers are whole milliseconds and fire late, by one and more; at a response
time of a few milliseconds that is a good part of it. The kernel's timer (timerfd) wakes the loop as
soon as it is time, and costs next to nothing. See benchmarks/release_times.py.
"""

import ctypes
import os
import time
from types import TracebackType
from typing import Self

import gevent
from gevent.event import Event

CLOSE_S = 0.005  # from here on the kernel's timer; before that an event may end the waiting


class _Time(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Timer(ctypes.Structure):
    _fields_ = (("interval", _Time), ("value", _Time))


class Alarm:
    """A timer of the kernel's. Raises OSError where there are no files left."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        self._watcher = gevent.get_hub().loop.io(self._fd, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._watcher.stop()
        self._watcher.close()
        os.close(self._fd)

    def wait(self, moment: float, ends: Event) -> bool:
        """Until `moment` by time.monotonic(); True if `ends` was set before it."""
        delay = moment - time.monotonic()
        if delay > CLOSE_S and ends.wait(delay - CLOSE_S):
            return True
        delay = moment - time.monotonic()
        if delay > 0:
            timer = _Timer(_Time(0, 0), _Time(int(delay), int(delay % 1 * 1e9) or 1))
            if self._libc.timerfd_settime(self._fd, 0, ctypes.byref(timer), None) == 0:
                gevent.get_hub().wait(self._watcher)
                os.read(self._fd, 8)
        else:
            gevent.sleep(0)  # others have their turn
        return bool(ends.is_set())
