"""Keep a child's listening socket to the loopback interface, when the child itself does not.

FalkorDB binds its Bolt port to all addresses and lets in everybody. A parent may borrow its child's
socket (pidfd_getfd(2), Linux 5.6) and bind it to a device (SO_BINDTODEVICE, socket(7)): from then
on the kernel takes connections that arrive over loopback and no others.
"""

import ctypes
import os
import socket
from pathlib import Path

_PIDFD_GETFD = 438  # the same number on every architecture

_libc = ctypes.CDLL(None, use_errno=True)


def confine_to_loopback(pid: int, port: int) -> None:
    """Bind the listening sockets of process `pid` on `port` to "lo".

    Raises OSError where the kernel or a sandbox forbids it, or when there is no such socket.
    """
    confined = 0
    for descriptor in _sockets(pid):
        with _borrow(pid, descriptor) as found:
            if _listens(found, port):
                found.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
                confined += 1
    if not confined:
        raise OSError(f"process {pid} does not listen on port {port}")


def _sockets(pid: int) -> list[int]:
    """The descriptors of a process that are sockets."""
    return [
        int(entry.name)
        for entry in Path(f"/proc/{pid}/fd").iterdir()
        if str(entry.readlink()).startswith("socket:")
    ]


def _borrow(pid: int, descriptor: int) -> socket.socket:
    process = os.pidfd_open(pid)
    try:
        borrowed: int = _libc.syscall(_PIDFD_GETFD, process, descriptor, 0)
    finally:
        os.close(process)
    if borrowed < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return socket.socket(fileno=borrowed)


def _listens(found: socket.socket, port: int) -> bool:
    internet = found.family in (socket.AF_INET, socket.AF_INET6)
    listening = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    return bool(internet and listening and found.getsockname()[1] == port)
