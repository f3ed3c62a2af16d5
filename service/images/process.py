"""What images need from Linux: to die with the parent, and a port that nobody uses."""

import ctypes
import signal
import socket

_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)  # loaded before any fork


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Have the kernel send this process `number` when its parent ends, however it ends (prctl(2)).

    The setting outlives exec, not fork. "Parent" is the thread that started this process, so start
    it from one that lives on. Safe between fork and exec.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
