"""Started once for each step as `python -I -S jail.py SPEC`: gives up rights, then becomes bash.

The standard library alone, because it runs outside our environment. What it gives up, the kernel
keeps from everything that it starts: files outside the listed ones (Landlock), programs outside the
listed ones, connections to other ports, signals to processes outside, endless files and memory.
SPEC is JSON: `command`, `directory`, `environment`, `read`, `write` and `execute` (paths), `ports`,
`unconfined`.

Source: kernel.org/doc/html/latest/userspace-api/landlock.html (system calls 444 to 446).
"""

import ctypes
import json
import os
import resource
import signal
import sys

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
RULE_PATH, RULE_PORT = 1, 2
VERSION = 1  # a flag: ask for the version of the interface

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
READ = READ_FILE | READ_DIR
ALL_BY_VERSION = ((1, (1 << 13) - 1), (2, 1 << 13), (3, 1 << 14), (5, 1 << 15))
FILE_ONLY = EXECUTE | WRITE_FILE | READ_FILE | 1 << 14 | 1 << 15
CONNECT = 2  # since version 4
SCOPE_SIGNALS_AND_SOCKETS = 3  # since version 6

FILE_SIZE, MEMORY = 256 << 20, 4 << 30  # bytes; a Go program reserves a lot of addresses

_libc = ctypes.CDLL(None, use_errno=True)


class Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class PathRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


class PortRule(ctypes.Structure):
    _fields_ = (("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64))


def version() -> int:
    """Of the kernel's Landlock; 0 where there is none."""
    found: int = _libc.syscall(CREATE_RULESET, None, 0, VERSION)
    return max(0, found)


def _call(number: int, *arguments: object) -> int:
    found: int = _libc.syscall(number, *arguments)
    if found < 0:
        raise OSError(ctypes.get_errno(), "the kernel refuses the confinement")
    return found


def confine(read: list[str], write: list[str], execute: list[str], ports: list[int]) -> None:
    """From here on nothing but these, for this process and all that it starts. Raises OSError."""
    known = version()
    if not known:
        raise OSError("this kernel has no Landlock")
    everything = sum(rights for since, rights in ALL_BY_VERSION if known >= since)
    rules = Ruleset(everything, CONNECT if known >= 4 else 0, 0)  # noqa: PLR2004
    size = 8 if known < 4 else 16  # noqa: PLR2004
    if known >= 6:  # noqa: PLR2004
        rules.scoped, size = SCOPE_SIGNALS_AND_SOCKETS, 24
    ruleset = _call(CREATE_RULESET, ctypes.byref(rules), size, 0)
    for paths, rights in ((read, READ), (write, everything & ~EXECUTE), (execute, EXECUTE | READ)):
        for path in paths:
            _allow(ruleset, path, rights & everything)
    if rules.net:
        for port in ports:
            rule = PortRule(CONNECT, port)
            _call(ADD_RULE, ruleset, RULE_PORT, ctypes.byref(rule), 0)
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _call(RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # not there, so nothing to allow
    if not os.path.isdir(path):
        rights &= FILE_ONLY
    rule = PathRule(rights, place)
    _call(ADD_RULE, ruleset, RULE_PATH, ctypes.byref(rule), 0)
    os.close(place)


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        spec = json.load(file)
    os.chdir(spec["directory"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_SIZE, FILE_SIZE))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if not spec["unconfined"]:
        confine(spec["read"], spec["write"], spec["execute"], spec["ports"])
    os.execve(spec["command"][0], spec["command"], spec["environment"])  # noqa: S606


if __name__ == "__main__":
    main()
