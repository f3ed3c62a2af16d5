"""What both images need from Linux: to die with the parent."""

import ctypes
import signal

_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)  # loaded before any fork


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Have the kernel send this process `number` when its parent ends, however it ends (prctl(2)).

    The setting outlives exec, not fork. "Parent" is the thread that started this process, so start
    it from one that lives on. Safe between fork and exec.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
