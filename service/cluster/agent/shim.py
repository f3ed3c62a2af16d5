"""One container: set up its root, start its command, keep its log, pass on signals.

Started as a script of its own with the standard library alone, so that it starts in milliseconds
and outlives nothing: `python -I -S shim.py SPEC`. SPEC is a JSON file (see container.py).

Besides the command itself there is the shim, outside, which writes the log and hands on the exit
code. The command is process 1 of the container's PID namespace, as with a real runtime: signals
from inside for which it has no handler do nothing to it. When the node agent dies the kernel kills
the shim, then the command, and with it everything in the namespace. Where the container has no PID
namespace of its own, a small init stands between the two.
"""

import ctypes
import json
import os
import select
import signal
import sys
import time
from typing import Any, NoReturn

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID = 0x20000, 0x10000000, 0x20000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 0x1, 0x20, 0x1000, 0x4000, 0x40000
PR_SET_PDEATHSIG = 1
FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
MAX_LINKS = 40  # as the kernel's own limit
NOT_STARTED = 128  # exit code when the command cannot be started, as container runtimes have it

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, doing: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{doing}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    arguments = [None if a is None else a.encode() for a in (source, target, kind)]
    _check(_libc.mount(*arguments, ctypes.c_ulong(flags), data.encode()), f"mount {target}")


def _die_with_parent(number: int = signal.SIGKILL) -> None:
    _libc.prctl(PR_SET_PDEATHSIG, number)


def _enter_namespaces(mode: str, *, host_pid: bool) -> None:
    flags = CLONE_NEWNS | (0 if host_pid else CLONE_NEWPID)
    uid, gid = os.getuid(), os.getgid()
    if mode == "user":
        flags |= CLONE_NEWUSER
    _check(_libc.unshare(flags), "unshare")
    if mode == "user":
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"0 {uid} 1"),
            ("gid_map", f"0 {gid} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    _mount("none", "/", None, MS_REC | MS_PRIVATE)


def _own_root(spec: dict[str, Any]) -> None:
    """An overlay of the host's root, with the host's other mounts and the pod's volumes in it."""
    root = spec["root"]
    scratch = spec["scratch"]
    mounts = _mount_points()
    try:
        _overlay(root, scratch)
    except OSError:  # e.g. the scratch directory is itself on an overlay: keep changes in memory
        _mount("tmpfs", scratch, "tmpfs", 0)
        _overlay(root, scratch)
    for point in mounts:
        target = root + point
        if os.path.isdir(target) and not scratch.startswith(point + "/"):
            _mount(point, target, None, MS_BIND | MS_REC)
    for volume in spec["mounts"]:
        target = _inside(root, volume["target"])
        _bind(volume["source"], target, read_only=volume["readOnly"])
    _mount("proc", root + "/proc", "proc", 0)
    os.chroot(root)
    os.chdir("/")


def _overlay(root: str, scratch: str) -> None:
    upper, work = scratch + "/upper", scratch + "/work"
    for path in (upper, work):
        os.makedirs(path, exist_ok=True)
    _mount("overlay", root, "overlay", 0, f"lowerdir=/,upperdir={upper},workdir={work}")


def _mount_points() -> list[str]:
    """Of the host, below the root: outermost ones only, without /proc."""
    found = []
    with open("/proc/self/mountinfo") as file:
        for line in file:
            point = line.split()[4].encode().decode("unicode_escape")
            if point not in ("/", "/proc") and not point.startswith("/proc/"):
                found.append(point)
    return [p for p in found if not any(p.startswith(q + "/") for q in found)]


def _inside(root: str, path: str) -> str:
    """`path` below `root`, its symbolic links followed as a process with that root would."""
    todo, done, hops = path.strip("/").split("/"), "", 0
    while todo:
        part = todo.pop(0)
        if part == "..":
            done = done.rpartition("/")[0]
        elif part not in ("", "."):
            full = f"{root}{done}/{part}"
            if os.path.islink(full) and hops < MAX_LINKS:
                hops += 1
                link = os.readlink(full)
                done = "" if link.startswith("/") else done
                todo = link.split("/") + todo
            else:
                done = f"{done}/{part}"
    return root + done


def _bind(source: str, target: str, *, read_only: bool) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "a"):
            pass
    _mount(source, target, None, MS_BIND | MS_REC)
    if read_only:
        _mount(source, target, None, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_REC)


def _exec(spec: dict[str, Any]) -> NoReturn:
    """Become the command. Never returns."""
    try:
        if spec["workingDir"]:
            os.chdir(spec["workingDir"])
        os.execvpe(spec["argv"][0], spec["argv"], spec["env"])  # noqa: S606 - no shell wanted
    except OSError as error:
        name = spec["argv"][0]
        os.write(2, f"cannot start {name!r}: {error.strerror}\n".encode())
    os._exit(NOT_STARTED)


def _ground(spec: dict[str, Any], set_up: int) -> list[int]:
    """The container's own root; tells `set_up` so. Returns its cgroups, open for joining."""
    cgroups = [os.open(f"{path}/cgroup.procs", os.O_WRONLY) for path in spec["cgroups"]]
    if spec["mode"] != "none":
        _own_root(spec)
    os.write(set_up, b"x")
    os.close(set_up)
    return cgroups


def _command(spec: dict[str, Any], cgroups: list[int]) -> NoReturn:
    """Become the command, in a session of its own and inside its cgroups."""
    os.setsid()
    if spec.get("tty"):
        _own_terminal(0)
    _die_with_parent()
    for number in (*FORWARDED, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    for descriptor in cgroups:
        os.write(descriptor, b"0")
        os.close(descriptor)
    _exec(spec)


def _first(spec: dict[str, Any], set_up: int) -> NoReturn:
    """The command itself as process 1, once it stands in the container's own root."""
    _die_with_parent()
    try:
        _command(spec, _ground(spec, set_up))
    except OSError as error:
        os.write(2, f"cannot set up the container: {error}\n".encode())
        os._exit(NOT_STARTED)


def _spawn(spec: dict[str, Any], set_up: int) -> int:
    """The command as a child. Returns its PID."""
    cgroups = _ground(spec, set_up)
    pid = os.fork()
    if pid == 0:
        _command(spec, cgroups)
    for descriptor in cgroups:
        os.close(descriptor)
    return pid


def _init(spec: dict[str, Any], set_up: int) -> NoReturn:
    """Without a PID namespace: start the command, pass signals on, end with the command's code.

    Writes to the descriptor `set_up` once it stands in the container's own root.
    """
    _die_with_parent()
    child = 0
    early: list[int] = []

    def forward(number: int, _frame: object) -> None:
        if child:
            try:
                os.kill(child, number)
            except ProcessLookupError:
                pass
        else:
            early.append(number)

    for number in FORWARDED:
        signal.signal(number, forward)
    try:
        child = _spawn(spec, set_up)
    except OSError as error:
        os.write(2, f"cannot set up the container: {error}\n".encode())
        os._exit(NOT_STARTED)
    for early_number in early:
        os.kill(child, early_number)
    while True:
        try:
            pid, status = os.wait()
        except InterruptedError:
            continue
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            _kill_session(child)
            os._exit(code if code >= 0 else 128 - code)


def _kill_session(leader: int) -> None:
    """What the command left running in its process group."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _own_terminal(descriptor: int) -> None:
    import fcntl
    import termios

    fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)


class _Log:
    """Lines with time and stream, as container runtimes write them (CRI logging format).

    With `at_once` parts of lines are written too: whoever is attached wants to see a prompt.
    """

    def __init__(self, path: str, *, at_once: bool = False) -> None:
        self._at_once = at_once
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        self._rest = {"stdout": b"", "stderr": b""}

    def add(self, stream: str, data: bytes, *, last: bool = False) -> None:
        *lines, rest = (self._rest[stream] + data).split(b"\n")
        if last and rest:
            lines.append(rest)
        part = rest if self._at_once and not last else b""
        self._rest[stream] = b"" if part else rest
        if lines or part:
            now = time.time_ns()
            seconds, nanos = divmod(now, 1_000_000_000)
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanos:09d}Z"
            head = f"{stamp} {stream} F ".encode()
            text = b"".join(head + line + b"\n" for line in lines)
            if part:
                text += f"{stamp} {stream} P ".encode() + part + b"\n"
            os.write(self._file, text)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # EIO: the last process on the terminal is gone
        return b""


def _keep_log(log: _Log, streams: dict[int, str], typed: tuple[int, int] | None) -> None:
    """Until all writers have closed their ends; `typed` input goes from one to the other."""
    poll = select.poll()
    for descriptor in streams:
        poll.register(descriptor, select.POLLIN)
    if typed:
        poll.register(typed[0], select.POLLIN)
    while streams:
        for descriptor, _ in poll.poll():
            data = _read(descriptor)
            if typed and descriptor == typed[0]:
                if data:
                    os.write(typed[1], data)
                else:
                    poll.unregister(descriptor)
                continue
            log.add(streams[descriptor], data, last=not data)
            if not data:
                poll.unregister(descriptor)
                os.close(descriptor)
                del streams[descriptor]


def main() -> None:
    """The shim: never more than one container, ends with its exit code."""
    parent = os.getppid()
    _die_with_parent()
    with open(sys.argv[1]) as file:
        spec = json.load(file)
    if os.getppid() != parent:  # the agent died before the kernel knew what to do then
        os._exit(NOT_STARTED)
    stdin, tty = bool(spec.get("stdin")), bool(spec.get("tty"))
    host_pid = bool(spec.get("hostPID"))
    log = _Log(spec["log"], at_once=stdin or tty)
    out, err = os.pipe(), os.pipe()
    if tty:
        out = err = os.openpty()
    try:
        if spec["mode"] != "none":
            _enter_namespaces(spec["mode"], host_pid=host_pid)
    except OSError as error:
        log.add("stderr", f"cannot isolate the container: {error}\n".encode())
        sys.exit(NOT_STARTED)
    wait, set_up = os.pipe()
    init = os.fork()  # process 1 of the container's PID namespace, where it has one
    if init == 0:
        entry = out[1] if tty else 0 if stdin else os.open("/dev/null", os.O_RDONLY)
        for source, target in ((entry, 0), (out[1], 1), (err[1], 2), (set_up, 3)):
            os.dup2(source, target)
        os.closerange(4, 256)
        if spec["mode"] == "none" or host_pid:
            _init(spec, 3)
        _first(spec, 3)
    for descriptor in {out[1], err[1], set_up}:
        os.close(descriptor)
    if os.read(wait, 1):  # who enters the container earlier would find the host's files
        with open(spec["pidFile"] + ".new", "w") as file:
            file.write(str(init))
        os.rename(spec["pidFile"] + ".new", spec["pidFile"])
    for number in FORWARDED:
        signal.signal(number, lambda n, _frame: os.kill(init, n))
    streams = {out[0]: "stdout"} if tty else {out[0]: "stdout", err[0]: "stderr"}
    _keep_log(log, streams, (0, out[0]) if tty and stdin else None)
    _, status = os.waitpid(init, 0)
    code = os.waitstatus_to_exitcode(status)
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
