"""Processes and a network of its own for a step, where the kernel allows it.

The standard library alone. In a PID namespace nothing outlives its first process, and nobody
outside can be seen or signalled. In a network namespace there is a loopback device and nothing
else: the ports that a step needs are listened on inside, and passed on by a process outside.
"""

import array
import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import threading

NEW_USER, NEW_PID, NEW_NET, NEW_IPC = 0x10000000, 0x20000000, 0x40000000, 0x08000000
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1
_libc = ctypes.CDLL(None, use_errno=True)


def enter() -> bool:
    """The caller's children are alone from here on, and so is its network. False where refused."""
    user, group = os.geteuid(), os.getegid()
    if _libc.unshare(NEW_USER | NEW_PID | NEW_NET | NEW_IPC):
        return False
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(probe, _GET_FLAGS, request))[1]
        fcntl.ioctl(probe, _SET_FLAGS, struct.pack("16sH14x", b"lo", flags | _UP))
    return True


def listen(ports: list[int], out: socket.socket) -> None:
    """Inside: the ports, handed to whoever passes them on."""
    doors = [socket.create_server(("127.0.0.1", port), backlog=64) for port in ports]
    files = array.array("i", [door.fileno() for door in doors])
    out.sendmsg([b"d"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])


def pass_on(ports: list[int], into: socket.socket) -> None:
    """Outside: connections to each of the ports inside reach the same port here. In threads."""
    _, files, _, _ = socket.recv_fds(into, 1, len(ports))
    for port, number in zip(ports, files, strict=True):
        door = socket.socket(fileno=number)
        threading.Thread(target=_serve, args=(door, port), daemon=True).start()


def _serve(door: socket.socket, port: int) -> None:
    with contextlib.suppress(OSError):
        while True:
            near, _ = door.accept()
            threading.Thread(target=_join, args=(near, port), daemon=True).start()


def _join(near: socket.socket, port: int) -> None:
    with contextlib.suppress(OSError), near, socket.create_connection(("127.0.0.1", port)) as far:
        back = threading.Thread(target=_copy, args=(far, near), daemon=True)
        back.start()
        _copy(near, far)
        back.join()


def _copy(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)
