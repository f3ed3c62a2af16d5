"""Waking a thread that sleeps in select, from any other thread."""

import contextlib
import socket


class Waker:
    """Register it with a selector for reading.

    A socket object rather than a bare descriptor: waking what has been closed does nothing, where a
    bare number may by then belong to somebody else's file.
    """

    def __init__(self) -> None:
        self._inner, self._outer = socket.socketpair()
        for end in (self._inner, self._outer):
            end.setblocking(False)

    def fileno(self) -> int:
        return self._inner.fileno()

    def wake(self) -> None:
        with contextlib.suppress(OSError):  # closed, or already full of wake-up calls
            self._outer.send(b"x")

    def drain(self) -> None:
        """Take in all calls so far."""
        with contextlib.suppress(BlockingIOError):
            self._inner.recv(65536)

    def close(self) -> None:
        self._inner.close()
        self._outer.close()
