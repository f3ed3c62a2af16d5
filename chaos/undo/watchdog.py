"""`gameday watchdog`: undoes the faults of dead runs, and expired ones.

A run is dead when its heartbeat is gone. This is a Job of the namespace, placed and running before
the first fault. It ends when the run is over and nothing is left to undo; `--forever` stays,
for whichever run comes.
"""

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from chaos.kube import Cluster, ClusterError, Json, Patience
from chaos.undo import lease as leases
from chaos.undo.recover import Recovered, sweep

JOB = "gameday-watchdog"
"""Its name in a cluster, and the value of the label `app` of its pod."""

LOOK_EVERY_S = 1.0
SWEEP_EVERY_S = 3.0  # for faults that expired though their run lives
PATIENCE = Patience(within_s=10.0, attempt_s=2.0)
"""One request that hangs must not spoil a whole sweep, which is a dozen of them."""

CLEAN_SWEEPS = 2  # in a row, and it is believed that nothing is left


class Heartbeat:
    """Is the run alive? By our own clock since its Lease last changed, as clocks may differ.

    `memory` is a file that outlives us: so whoever kills the watchdog gains no time for the fault.
    It is of use until the node starts anew, as our clock begins with it.
    """

    def __init__(
        self, memory: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock, self._memory = clock, memory
        self._seen, self._since = self._remembered()

    def alive(self, lease: Json | None) -> str:
        """The identity of the run that lives; "" where there is none."""
        if lease is None:
            return ""
        spec = lease.get("spec") or {}
        now = f"{leases.holder(lease)} {spec.get('renewTime')}"
        if now != self._seen:
            self._seen, self._since = now, self._clock()
            self._remember()
        silent = self._clock() - self._since
        return leases.holder(lease) if silent < leases.LASTS.total_seconds() else ""

    def _remembered(self) -> tuple[str, float]:
        now = self._clock()
        if self._memory is None or not self._memory.exists():
            return "", now
        try:
            seen, since = json.loads(self._memory.read_text("utf-8"))
            return str(seen), min(float(since), now)
        except (OSError, ValueError, TypeError):
            return "", now

    def _remember(self) -> None:
        if self._memory is None:
            return
        draft = self._memory.with_suffix(".new")
        draft.write_text(json.dumps([self._seen, self._since]), encoding="utf-8")
        draft.replace(self._memory)


class Watchdog:
    """Watches one namespace. `say` is its log."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        say: Callable[[str], None],
        heartbeat: Heartbeat,
        *,
        forever: bool,
    ) -> None:
        self._cluster, self._namespace, self._say = cluster, namespace, say
        self._forever = forever
        self._heartbeat = heartbeat
        self._swept_at = 0.0
        self._clean = 0

    def run(self, over: threading.Event) -> None:
        """Until `over`, or until nothing is left to watch."""
        while not over.is_set():
            try:
                if self._look():
                    self._say("the run is over and nothing is left")
                    return
            except ClusterError as error:
                self._say(str(error))
            over.wait(LOOK_EVERY_S)

    def _look(self) -> bool:
        """Is there nothing left to do?"""
        lease = self._cluster.find(leases.ref(self._namespace))
        alive = self._heartbeat.alive(lease)
        now = time.monotonic()
        idle = self._forever and lease is None and self._clean >= CLEAN_SWEEPS
        if (alive or idle) and now - self._swept_at < SWEEP_EVERY_S:
            return False
        self._swept_at = now
        found = sweep(self._cluster, self._namespace, alive)
        self._tell(found, alive)
        clean = not (found.undone or found.stuck or found.blind or found.live)
        self._clean = self._clean + 1 if clean and not alive else 0
        if alive or self._clean < CLEAN_SWEEPS:
            return False
        if lease is not None:  # the dead run's: the next one need not wait for it
            leases.remove(self._cluster, self._namespace, leases.holder(lease))
        return not self._forever

    def _tell(self, found: Recovered, alive: str) -> None:
        why = "expired" if alive else "its run is gone"
        for undone in found.undone:
            self._say(f"{undone.leftover}: {why}; {undone.said}")
            for note in undone.notes:
                self._say(note)
        for stuck in found.stuck:
            self._say(f"CANNOT BE UNDONE: {stuck}")
        for unseen in found.unseen if found.blind else ():
            self._say(unseen.reason)


def _log(text: str) -> None:
    print(datetime.now(UTC).isoformat(timespec="milliseconds"), text, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """`arguments` are those of this process where None."""
    parser = argparse.ArgumentParser(prog="gameday watchdog")
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--kubeconfig", help="default: as kubectl, or the pod's service account")
    parser.add_argument("--ready-file", type=Path, help="made once it watches")
    parser.add_argument("--memory", type=Path, help="a file: when the run was last seen alive")
    parser.add_argument("--forever", action="store_true", help="stay when nothing is left")
    options = parser.parse_args(arguments)
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    if options.ready_file is not None:  # of a container before this one
        options.ready_file.unlink(missing_ok=True)
    try:
        cluster = Cluster.connect(options.kubeconfig, patience=PATIENCE)
    except ClusterError as error:
        sys.exit(str(error))
    _log(f"watching namespace {options.namespace}")
    if options.ready_file is not None:
        options.ready_file.touch()
    heartbeat = Heartbeat(options.memory)
    Watchdog(cluster, options.namespace, _log, heartbeat, forever=options.forever).run(over)


if __name__ == "__main__":
    main()
