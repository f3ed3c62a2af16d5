"""Started once for each step as `python -I -S jail.py SPEC`: runs bash with few rights, to its end.

The standard library alone, because it runs outside our environment. What bash does not have, the
kernel keeps from everything that bash starts: files and programs outside the listed ones, other
ports (Landlock); other kinds of sockets, other processes (seccomp, namespaces); capabilities;
endless files, memory and processes. The process that is started here stays outside and sees to the
end: when bash ends, or when it is asked to (SIGTERM), all that the step started is killed.
SPEC is JSON: `command`, `directory`, `environment`, `read`, `write` and `execute` (paths), `ports`,
`unconfined`. With `--fences` instead, it says as JSON what this kernel allows.

Source: kernel.org/doc/html/latest/userspace-api/landlock.html (system calls 444 to 446).
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

if __name__ == "__main__":
    sys.path.append(os.path.abspath(__file__ + "/../../../.."))

from chaos.prove.shell import namespaces, syscalls

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 24, 36, 38
RULE_PATH, RULE_PORT = 1, 2
VERSION = 1  # a flag: ask for the version of the interface

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
READ = READ_FILE | READ_DIR
ALL_BY_VERSION = ((1, (1 << 13) - 1), (2, 1 << 13), (3, 1 << 14), (5, 1 << 15))
FILE_ONLY = EXECUTE | WRITE_FILE | READ_FILE | 1 << 14 | 1 << 15
CONNECT = 2  # since version 4
SCOPE_SIGNALS_AND_SOCKETS = 3  # since version 6

FILE_SIZE, MEMORY = 256 << 20, 4 << 30  # bytes; a Go program reserves a lot of addresses
PROCESSES, FILES = 512, 1024  # threads count as processes
CGROUPS = "/sys/fs/cgroup"
END_S = 10.0

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


def drop_capabilities() -> None:
    """Root keeps its files, and nothing else that makes it root. Raises OSError."""
    for number in range(64):
        _libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)  # fails behind the last one
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    if _libc.capset(header, (ctypes.c_uint32 * 6)()):
        raise OSError(ctypes.get_errno(), "the kernel does not take capabilities away")


def limit(*, alone: bool) -> None:
    """Processes are counted in the namespace, or else together with this user's others."""
    others = 0 if alone else _threads_of_user()
    for kind, wanted in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, FILE_SIZE),
        (resource.RLIMIT_DATA, MEMORY),
        (resource.RLIMIT_NOFILE, FILES),
        (resource.RLIMIT_NPROC, PROCESSES + others),
    ):
        hard = resource.getrlimit(kind)[1]
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (most, most))


def _threads_of_user() -> int:
    found = 0
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == os.geteuid():
                found += len(os.listdir(f"/proc/{name}/task"))
    return found


class Group:
    """A control group for what root starts, whose processes no other limit counts. Else nothing."""

    def __init__(self) -> None:
        name = f"gameday-step-{os.getpid()}"
        whole = os.path.exists(f"{CGROUPS}/cgroup.controllers")
        root = CGROUPS if whole else f"{CGROUPS}/pids"
        self.path = ""
        if os.geteuid() == 0:
            with contextlib.suppress(OSError):
                os.mkdir(f"{root}/{name}")
                self.path = f"{root}/{name}"
                self._write("pids.max", PROCESSES)
                if whole:
                    self._write("memory.max", MEMORY)

    def _write(self, name: str, value: int) -> None:
        with contextlib.suppress(OSError), open(f"{self.path}/{name}", "w", encoding="ascii") as f:
            f.write(str(value))

    @property
    def works(self) -> bool:
        return bool(self.path) and os.path.exists(f"{self.path}/pids.max")

    def enter(self) -> None:
        if self.path:
            self._write("cgroup.procs", os.getpid())

    def members(self) -> list[int]:
        try:
            with open(f"{self.path}/cgroup.procs", encoding="ascii") as file:
                return [int(line) for line in file]
        except OSError:
            return []

    def remove(self) -> None:
        if self.path:
            with contextlib.suppress(OSError):
                os.rmdir(self.path)


def descendants() -> list[int]:
    """Of this process: whoever loses its parent becomes ours, as we are a subreaper."""
    found, left = [], [os.getpid()]
    while left:
        try:
            with open(f"/proc/{left[0]}/task/{left[0]}/children", encoding="ascii") as file:
                found += (more := [int(word) for word in file.read().split()])
                left += more
        except OSError:
            pass
        del left[0]
    return found


def end_all(group: Group) -> None:
    """Nobody who could start another is left."""
    deadline = time.monotonic() + END_S
    while (there := {*descendants(), *group.members()}) and time.monotonic() < deadline:
        for pid in there:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.005)
    group.remove()


def main() -> None:
    if sys.argv[1] == "--fences":
        print(json.dumps(fences()))
        return
    with open(sys.argv[1], encoding="utf-8") as file:
        spec = json.load(file)
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    group = Group()
    code = 1
    try:
        outside, inside = socket.socketpair()
        child = os.fork()
        if not child:
            outside.close()
            _as_child(lambda: _alone(spec, group, inside))
        inside.close()
        if outside.recv(1) == b"n":
            namespaces.pass_on(spec["ports"], outside)
        code = _code(os.waitpid(child, 0)[1])
    finally:
        end_all(group)
    sys.exit(code)


def _as_child(work: Callable[[], int]) -> None:
    """A child never returns into its parent's code."""
    code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        code = work()
    except BaseException as error:  # noqa: BLE001
        print(f"gameday: the step cannot be confined: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


def _alone(spec: dict[str, Any], group: Group, parent: socket.socket) -> int:
    """In namespaces of its own where there are any; then the first process, then bash."""
    group.enter()
    entered = not spec["unconfined"] and namespaces.enter()
    parent.send(b"n" if entered else b"-")
    if entered:
        namespaces.listen(spec["ports"], parent)
    parent.close()
    if not entered:
        return _run(lambda: _bash(spec, alone=False))
    return _run(lambda: _run(lambda: _bash(spec, alone=True)))


def _run(work: Callable[[], int]) -> int:
    """The exit code of a child that does it. Whoever else ends meanwhile is only buried."""
    child = os.fork()
    if not child:
        _as_child(work)
    while True:
        ended, status = os.wait()
        if ended == child:
            return _code(status)


def _bash(spec: dict[str, Any], *, alone: bool) -> int:
    os.chdir(spec["directory"])
    if not spec["unconfined"]:
        limit(alone=alone)
        drop_capabilities()
        confine(spec["read"], spec["write"], spec["execute"], spec["ports"])
        if syscalls.is_known():
            syscalls.refuse()
    os.execve(spec["command"][0], spec["command"], spec["environment"])  # noqa: S606


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def fences() -> list[dict[str, str]]:
    """What there is, and what a step could do without it: "" where the fence stands."""
    known, group = version(), Group()
    alone = _probe(namespaces.enter)
    pids = group.works
    group.remove()
    return [
        {"fence": name, "open": "" if stands else without}
        for name, stands, without in (
            ("files and programs", known >= 1, "reaches all files and programs of this user"),
            ("TCP ports", known >= 4 or alone, "connects to any TCP port"),  # noqa: PLR2004
            ("other sockets", syscalls.is_known() or alone, "uses UDP and local sockets"),
            ("signals", known >= 6 or alone, "ends other processes of this user"),  # noqa: PLR2004
            ("other processes", syscalls.is_known() or alone, "reads processes of this user"),
            (
                "number of processes",
                pids or (os.geteuid() != 0),
                "starts any number of processes, as root's are not counted without control groups",
            ),
            ("its end", alone or pids, "may leave a process whose parent it has killed"),
        )
    ]


def _probe(work: Callable[[], bool]) -> bool:
    child = os.fork()
    if not child:
        _as_child(lambda: 0 if work() else 1)
    return os.waitpid(child, 0)[1] == 0


if __name__ == "__main__":
    main()
