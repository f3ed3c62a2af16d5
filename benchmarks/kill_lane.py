"""A lane of the kill campaign: one namespace, one kill after the other."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from kill_victim import PATIENCE, Trip, run
from kubernetes import config

from chaos.kube import Cluster, ClusterError, Json, Ref, kind_of
from chaos.undo import lease as leases
from chaos.undo.leftovers import MARKED, leftovers
from chaos.undo.marks import EXPIRES, LABEL, UNDO
from chaos.undo.recover import recover
from slo.evidence.journal import read_journal
from tests.chaos.cluster_fixture import shop, state

RATES = {"409": 0.08, "429": 0.05, "500": 0.08, "timeout": 0.02}
AFTER_THE_INTENT = 0.8  # of the boundaries; before it there is only the way there
WHOLE_WITHIN_S = 180.0
CLEAN_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kill. `at` is the boundary's number, or 0 for a moment of `after_s` seconds."""

    kind: str
    by: str  # recover, watchdog
    errors: bool
    watchdog_killed: bool
    at: int
    after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`died_after` is the last entry of the journal; `left` is empty when all was as before."""

    lane: int
    kind: str
    by: str
    errors: bool
    watchdog_killed: bool
    boundary: bool
    died_after: str
    undone_s: float | None  # from the kill until no mark was left, where there was one
    left: str


class Lane:
    def __init__(
        self, number: int, kubeconfig: str, seed: int, kinds: list[str], work: Path
    ) -> None:
        self._kinds = kinds
        self._number, self._kubeconfig, self._work = number, kubeconfig, work
        self._seed = f"{seed}/{number}"
        self._namespace = f"lane-{number}"
        self._cluster = Cluster.connect(kubeconfig, patience=PATIENCE)
        self._look_at = _spared(kubeconfig)
        self._runs = 0
        self._watchdog: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        for manifest in shop():
            self._cluster.create(self._moved(manifest))
        self._await_whole()
        self._before = state(self._cluster, self._namespace)
        # How many boundaries each fault has, and how long it takes, when nobody kills.
        self._boundaries: dict[str, tuple[int, int]] = {}
        self._takes_s: dict[str, float] = {}
        for kind in self._kinds:
            self._await_whole()
            begun = time.monotonic()
            self._boundaries[kind] = self._unharmed(kind)
            self._takes_s[kind] = time.monotonic() - begun

    def _moved(self, manifest: Json) -> Json:
        metadata = manifest["metadata"]
        if manifest["kind"] == "Namespace":
            return {**manifest, "metadata": {**metadata, "name": self._namespace}}
        return {**manifest, "metadata": {**metadata, "namespace": self._namespace}}

    def _unharmed(self, kind: str) -> tuple[int, int]:
        """The boundaries of the intent and of the end, once its measurements allow to inject it."""
        deadline = time.monotonic() + WHOLE_WITHIN_S
        while True:
            intent, count, said = self._once(kind)
            if count:
                return intent, count
            if time.monotonic() > deadline:
                raise SystemExit(
                    f"{kind} cannot be injected, so it is not put to the proof: {said}"
                )
            time.sleep(1)

    def _once(self, kind: str) -> tuple[int, int, str]:
        read, write = os.pipe()
        fault, path = self._next(kind)
        pid = os.fork()
        if pid == 0:
            trip = Trip(0)
            run(self._kubeconfig, self._namespace, kind, fault, path, trip)
            os.write(write, f"{trip.intent} {trip.count}".encode())
            os._exit(0)
        os.close(write)
        os.waitpid(pid, 0)
        intent, count = (int(word) for word in (os.read(read, 100) or b"0 0").split())
        os.close(read)
        told = read_journal(path)
        if left := self._look(fault):
            raise SystemExit(f"{kind} leaves something behind even unharmed: {left}")
        if "fault.injected" not in [e.event for e in told]:
            return 0, 0, "; ".join(str(e) for e in told)
        return intent, count, ""

    def _next(self, kind: str) -> tuple[str, Path]:
        self._runs += 1
        fault = f"l{self._number}n{self._runs}"
        return fault, self._work / f"{fault}-{kind}.jsonl"

    def cases(self, kills: int, watchdog: float, errors: float) -> Iterator[Case]:
        """`watchdog` and `errors` are shares of the cases."""
        dice = random.Random(self._seed)
        for number in range(kills):
            kind = self._kinds[(number + self._number) % len(self._kinds)]
            boundary = dice.random() < 0.7
            by = "watchdog" if dice.random() < watchdog else "recover"
            intent, last = self._boundaries[kind]
            first = intent if dice.random() < AFTER_THE_INTENT else 1
            yield Case(
                kind=kind,
                by=by,
                errors=dice.random() < errors,
                watchdog_killed=by == "watchdog" and dice.random() < 0.25,
                at=dice.randint(first, last) if boundary else 0,
                after_s=dice.uniform(0, self._takes_s[kind]),
            )

    def kill(self, case: Case) -> Result | None:
        """None where the runner had ended before its time had come: that is no kill."""
        self._await_whole()
        fault, path = self._next(case.kind)
        with self._hiccups(on=case.errors), self._watched(on=case.by == "watchdog"):
            pid = os.fork()
            if pid == 0:
                self._die(case, fault, path)
            if not case.at:
                time.sleep(case.after_s)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
                return None
            undone_s, left = self._undo(case, fault)
        left = left or self._look(fault)
        if left:
            self._clean_by_force()
        entries = read_journal(path) if path.exists() else ()
        path.unlink(missing_ok=True)
        return Result(
            lane=self._number,
            kind=case.kind,
            by=case.by,
            errors=case.errors,
            watchdog_killed=case.watchdog_killed,
            boundary=bool(case.at),
            died_after=entries[-1].event if entries else "nothing",
            undone_s=undone_s,
            left=left,
        )

    def _die(self, case: Case, fault: str, path: Path) -> None:
        """In the runner's process."""
        try:
            run(self._kubeconfig, self._namespace, case.kind, fault, path, Trip(case.at))
        finally:
            os._exit(0)

    def _undo(self, case: Case, fault: str) -> tuple[float | None, str]:
        """By `recover`, or by waiting for the watchdog."""
        killed_at = time.monotonic()
        there = self._marks()
        if case.by == "recover":
            found = recover(self._cluster, self._namespace, force=True)
            left = "; ".join(str(s) for s in found.stuck)
            return (time.monotonic() - killed_at if there else None), left
        if case.watchdog_killed:
            time.sleep(random.Random(fault).uniform(0, 6))
            self._restart_watchdog()
        deadline = killed_at + CLEAN_WITHIN_S
        undone_at = killed_at
        while time.monotonic() < deadline:
            if self._marks():
                undone_at = time.monotonic()
            elif self._look_at.find(leases.ref(self._namespace)) is None:
                return (undone_at - killed_at if there else None), ""
            time.sleep(0.1)
        return None, f"the watchdog did not clean up within {CLEAN_WITHIN_S:g} s"

    def _marks(self) -> bool:
        return bool(leftovers(self._look_at, self._namespace)[0])

    def _look(self, fault: str) -> str:
        """What is left of a fault; "" when everything is as before."""
        deadline = time.monotonic() + CLEAN_WITHIN_S
        while left := self._difference(fault):
            if time.monotonic() > deadline:
                return left
            time.sleep(0.1)  # deleted pods take a moment to go
        return ""

    def _difference(self, fault: str) -> str:
        now = state(self._look_at, self._namespace)
        for name in sorted({*self._before, *now}):
            if self._before.get(name) != now.get(name):
                return f"{name}: was {self._before.get(name)}, is {now.get(name)}"
        for kind in (kind_of(name) for name in (*MARKED, "ReplicaSet")):
            # What has no namespace may have the mark of another lane's fault.
            words = (UNDO, EXPIRES, LABEL) if kind.namespaced else (UNDO + fault, EXPIRES + fault)
            with suppress(ClusterError):  # not installed
                for obj in self._look_at.objects(kind, self._namespace):
                    if any(word in json.dumps(obj["metadata"]) for word in words):
                        return f"a mark on {Ref.to(obj)}"
        if self._look_at.find(leases.ref(self._namespace)) is not None:
            return "the Lease"
        return processes_of(fault)

    def _clean_by_force(self) -> None:
        """So that one leftover is counted once."""
        for kind in ("Deployment", "StatefulSet"):
            for obj in self._cluster.objects(kind_of(kind), self._namespace):
                self._cluster.delete(Ref.to(obj))
        for name in ("Deployment", "StatefulSet", "Pod"):
            while self._cluster.objects(kind_of(name), self._namespace):
                time.sleep(0.2)
        for manifest in shop():
            with suppress(ClusterError):
                self._cluster.create(self._moved(manifest))
        self._await_whole()
        self._before = state(self._cluster, self._namespace)

    def _await_whole(self) -> None:
        deadline = time.monotonic() + WHOLE_WITHIN_S
        while missing := self._missing():
            if time.monotonic() > deadline:
                raise SystemExit(f"lane {self._number}: not whole again: {missing}")
            time.sleep(0.1)

    def _missing(self) -> str:
        for kind in ("Deployment", "StatefulSet"):
            for obj in self._cluster.objects(kind_of(kind), self._namespace):
                name = obj["metadata"]["name"]
                workload = self._cluster.workload(self._namespace, name, kind)
                pods = self._cluster.pods(self._namespace, workload.selector)
                if not (len(pods) == workload.desired and all(p.ready for p in pods)):
                    return f"{kind} {name}"
        return ""

    @contextmanager
    def _hiccups(self, *, on: bool) -> Iterator[None]:
        if on:
            self._shake()
        try:
            yield
        finally:
            if on:
                self._cluster.delete(Ref.of("Hiccup", self._namespace, "campaign"))

    def _shake(self) -> None:
        kind = kind_of("Hiccup")
        manifest = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"name": "campaign", "namespace": self._namespace},
            "spec": {"rates": RATES, "seed": self._runs, "until": "2100-01-01T00:00:00Z"},
        }
        self._cluster.create(manifest)

    @contextmanager
    def _watched(self, *, on: bool) -> Iterator[None]:
        if on:
            self._start_watchdog()
        try:
            yield
        finally:
            self._stop_watchdog()

    def _start_watchdog(self) -> None:
        """The same program as in the cluster, there when the runner begins."""
        ready = self._work / f"ready-{self._number}"
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "chaos.undo.watchdog", "--forever"]
        command += ["--memory", str(self._work / f"heartbeat-{self._number}.json")]
        where = ["--namespace", self._namespace, "--kubeconfig", self._kubeconfig]
        with (self._work / f"watchdog-{self._number}.log").open("ab") as log:
            self._watchdog = subprocess.Popen(
                [*command, *where, "--ready-file", str(ready)], stdout=log, stderr=log
            )
        while not ready.exists():
            assert self._watchdog.poll() is None, "the watchdog does not start"
            time.sleep(0.02)

    def _stop_watchdog(self) -> None:
        if self._watchdog is not None:
            self._watchdog.kill()
            self._watchdog.wait()
            self._watchdog = None

    def _restart_watchdog(self) -> None:
        """Killed, and started again, as the kubelet would."""
        self._stop_watchdog()
        self._start_watchdog()


def _spared(kubeconfig: str) -> Cluster:
    """The cluster as its own parts see it, whom hiccups spare: so that looking takes no time."""
    api = config.new_client_from_config(kubeconfig)
    api.set_default_header("Impersonate-User", "system:onlooker")
    api.set_default_header("Impersonate-Group", "system:masters")
    return Cluster(api, PATIENCE)


def processes_of(fault: str) -> str:
    """Pods are processes of this machine: whatever a fault left running carries its id."""
    wanted = f"GAMEDAY_FAULT={fault}\0".encode()
    for process in Path("/proc").iterdir():
        # A process may end while it is looked at.
        with suppress(OSError):
            if process.name.isdigit() and wanted in (process / "environ").read_bytes() + b"\0":
                return f"process {process.name} of the fault"
    return ""
