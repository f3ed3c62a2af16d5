"""Kills or stops the processes of containers, from a pod that sees all processes of the node.

Runs by any Python, as `python3 -c "$(cat signals.py)" '{"how": "freeze", "containers": [...]}'`, so
it uses the standard library alone and imports nothing of ours. `kill` ends once every process has
its SIGKILL. `freeze` waits until it is ended, or until `until` (seconds since 1970), and lets them
go on: safe to be begun again at any point.
"""

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

PASSES = 5  # for processes that are started meanwhile


def processes(containers: Sequence[str]) -> set[int]:
    """Those whose control group is one of the containers'.

    On a node without such groups: those that were started from a specification named after the
    container, ID.json, and all below them. Nothing less will do: the monitors of real runtimes have
    the id among their arguments as well, and are not the container's.
    """
    return _in_groups(containers) or _below(containers)


def _in_groups(containers: Sequence[str]) -> set[int]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/cgroup"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            groups = path.read_text()
            if any(each in groups for each in containers):
                found.add(int(path.parent.name))
    return found


def _below(containers: Sequence[str]) -> set[int]:
    parents, found = {}, set()
    for path in Path("/proc").glob("[0-9]*"):
        pid = int(path.name)
        if pid == os.getpid():  # our own arguments name them, too
            continue
        with contextlib.suppress(OSError):
            parents[pid] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            arguments = (path / "cmdline").read_bytes().split(b"\0")
            if any(a.endswith(f"/{each}.json".encode()) for a in arguments for each in containers):
                found.add(pid)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def send(containers: Sequence[str], number: signal.Signals) -> int:
    """To all of them; returns how many there were."""
    sent: set[int] = set()
    for _ in range(PASSES):
        new = processes(containers) - sent
        if not new:
            break
        for pid in sorted(new):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        sent |= new
    return len(sent)


def main() -> None:
    setting = json.loads(sys.argv[1])
    containers = setting["containers"]
    ended = threading.Event()  # by the deletion of the pod
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    for each in containers:
        if not processes([each]):
            sys.exit(f"no process of container {each} is seen on this node")
    if setting["how"] == "kill":
        print("killed", send(containers, signal.SIGKILL), "processes")
        return
    try:
        if time.time() < setting["until"]:  # begun again later than that, it only lets them go on
            print("stopped", send(containers, signal.SIGSTOP), "processes", flush=True)
        ended.wait(max(0.0, setting["until"] - time.time()))
    finally:
        send(containers, signal.SIGCONT)
    ended.wait()


if __name__ == "__main__":
    main()
