"""Kills the runner over and over, and looks whether anything is left of its faults.

    python benchmarks/kill_campaign.py --kills 1000 --seed 7

Real SIGKILLs of real runner processes on an embedded cluster of small pods, in several namespaces
at once. A kill comes at a seeded boundary (before or after any request to the API, any command in
a container, any entry of the journal) or at a seeded moment between them, over all fault kinds of
the registry. Then either `recover` is called, or only the watchdog is there; in a part of the
cases the API server answers 409, 429, 500 or not at all during injection and undoing, and the
watchdog is killed as well. Afterwards every object must be as before (spec, data, labels,
annotations), no Lease, mark or process of a fault may be there, and all pods must be ready.

Each lane is a process of its own that prints one line of JSON for each kill. Exit code 1 when
anything was left, or when there were fewer kills than asked for. The last line is the summary.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for the tests' examples of faults

from pydantic import TypeAdapter

from chaos import lease as leases
from chaos.cluster import Cluster, ClusterError, Json, Patience, Ref, kind_of
from chaos.drill import Drill, Task
from chaos.faults import FAULTS, AnyFault, Scene
from chaos.injection import Tag
from chaos.journal import Journal
from chaos.marks import EXPIRES, LABEL, UNDO
from chaos.plan import PlanWatchdog
from chaos.recover import recover
from chaos.session import session
from chaos.undo import MARKED, leftovers
from service.cluster import embedded
from slo.journal import Entry, read_journal
from tests.chaos.cluster_fixture import NS, shop, state
from tests.chaos.test_faults import EXAMPLES

ALL_KINDS = sorted(set(EXAMPLES) & set(FAULTS))
FAULT: TypeAdapter[AnyFault] = TypeAdapter(AnyFault)
PATIENCE = Patience(within_s=40.0, attempt_s=2.0)
RATES = {"409": 0.08, "429": 0.05, "500": 0.08, "timeout": 0.02}
AFTER_THE_INTENT = 0.8  # of the boundaries; before it there is only the way there
HOLD_S = 0.4  # how long a fault lasts when its runner is left alone
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


# The runner that is killed


class Trip:
    """Counts boundaries, and kills this process at the one that was chosen."""

    def __init__(self, at: int) -> None:
        self._at, self.count, self.intent = at, 0, 0

    def __call__(self) -> None:
        if threading.current_thread().name == "heartbeat":
            return  # its requests come whenever they come
        self.count += 1
        if self.count == self._at:
            os.kill(os.getpid(), signal.SIGKILL)


class TracedCluster(Cluster):
    """With a boundary before and after every request."""

    trip: Trip

    def _send(self, *arguments: Any, **named: Any) -> bytes:
        self.trip()
        answer = super()._send(*arguments, **named)
        self.trip()
        return answer

    def execute(self, *arguments: Any, **named: Any) -> Any:
        self.trip()
        output = super().execute(*arguments, **named)
        self.trip()
        return output


class TracedJournal(Journal):
    def __init__(self, path: Path, trip: Trip) -> None:
        super().__init__(path)
        self._trip = trip

    def append(self, entry: Entry) -> None:
        self._trip()
        self._trip.intent = self._trip.intent or self._trip.count
        super().append(entry)
        self._trip()


def run(  # noqa: PLR0917
    kubeconfig: str, namespace: str, kind: str, fault_id: str, path: Path, trip: Trip
) -> None:
    """One fault from the session to the proof that it was put back, without load."""
    cluster = TracedCluster.connect(kubeconfig, patience=PATIENCE)
    assert isinstance(cluster, TracedCluster)
    cluster.trip = trip
    fault = example(kind, namespace)
    quiet = lambda _: None  # noqa: E731
    now = lambda: datetime.now(UTC)  # noqa: E731
    watchdog = PlanWatchdog(enabled=False)  # the campaign has its own
    with (
        TracedJournal(path, trip) as journal,
        session(cluster, namespace, fault_id, watchdog, quiet),
    ):
        scene = Scene(
            cluster=cluster,
            namespace=namespace,
            workload="web",
            seed=random.Random(fault_id),
            max_share=1.0,
            url=url_of(cluster, namespace),
        )
        tag = Tag(
            id=fault_id,
            run=fault_id,
            experiment="campaign",
            kind=kind,
            namespace=namespace,
            expires=now() + timedelta(minutes=10),
        )
        task = Task(
            experiment="campaign",
            fault=fault,
            tag=tag,
            after=timedelta(0),
            lasts=timedelta(seconds=HOLD_S),
        )
        drill = Drill(task, scene, journal, quiet, now)
        drill.start()
        while not drill.settled:
            time.sleep(0.02)
        drill.end()
        drill.close(cut_short=True)


def example(kind: str, namespace: str) -> AnyFault:
    """The tests' example, which speaks of their namespace, in another one."""
    text = json.dumps({"kind": kind, **EXAMPLES[kind]})
    return FAULT.validate_json(text.replace(f".{NS}.svc", f".{namespace}.svc"))


def url_of(cluster: Cluster, namespace: str) -> str:
    """Of the one workload among the examples' that answers HTTP, if there is one."""
    if cluster.find(Ref.of("Service", namespace, "speaker")) is None:
        return ""
    return cluster.service_url(namespace, "speaker", 8000)


# A lane: one namespace, one kill after the other


class Lane:
    def __init__(
        self, number: int, kubeconfig: str, seed: int, kinds: list[str], work: Path
    ) -> None:
        self._kinds = kinds
        self._number, self._kubeconfig, self._work = number, kubeconfig, work
        self._seed = f"{seed}/{number}"
        self._namespace = f"lane-{number}"
        self._cluster = Cluster.connect(kubeconfig, patience=PATIENCE)
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

    def cases(self, kills: int) -> Iterator[Case]:
        dice = random.Random(self._seed)
        for number in range(kills):
            kind = self._kinds[(number + self._number) % len(self._kinds)]
            boundary = dice.random() < 0.7
            by = "watchdog" if dice.random() < 0.25 else "recover"
            intent, last = self._boundaries[kind]
            first = intent if dice.random() < AFTER_THE_INTENT else 1
            yield Case(
                kind=kind,
                by=by,
                errors=dice.random() < 0.2,
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
            elif self._cluster.find(leases.ref(self._namespace)) is None:
                return (undone_at - killed_at if there else None), ""
            time.sleep(0.1)
        return None, f"the watchdog did not clean up within {CLEAN_WITHIN_S:g} s"

    def _marks(self) -> bool:
        return bool(leftovers(self._cluster, self._namespace)[0])

    def _look(self, fault: str) -> str:
        """What is left of a fault; "" when everything is as before."""
        deadline = time.monotonic() + CLEAN_WITHIN_S
        while left := self._difference(fault):
            if time.monotonic() > deadline:
                return left
            time.sleep(0.1)  # deleted pods take a moment to go
        return ""

    def _difference(self, fault: str) -> str:
        now = state(self._cluster, self._namespace)
        for name in sorted({*self._before, *now}):
            if self._before.get(name) != now.get(name):
                return f"{name}: was {self._before.get(name)}, is {now.get(name)}"
        for kind in (kind_of(name) for name in (*MARKED, "ReplicaSet")):
            # What has no namespace may have the mark of another lane's fault.
            words = (UNDO, EXPIRES, LABEL) if kind.namespaced else (UNDO + fault, EXPIRES + fault)
            with suppress(ClusterError):  # not installed
                for obj in self._cluster.objects(kind, self._namespace):
                    if any(word in json.dumps(obj["metadata"]) for word in words):
                        return f"a mark on {Ref.to(obj)}"
        if self._cluster.find(leases.ref(self._namespace)) is not None:
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
        command = [sys.executable, "-m", "chaos.watchdog", "--forever"]
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


def processes_of(fault: str) -> str:
    """Pods are processes of this machine: whatever a fault left running carries its id."""
    wanted = f"GAMEDAY_FAULT={fault}\0".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if wanted in path.read_bytes() + b"\0":
                return f"process {path.parent.name} of the fault"
    return ""


def run_lane(options: argparse.Namespace) -> None:
    work, kinds = Path(options.work), options.kinds.split(",")
    lane = Lane(options.lane, options.kubeconfig, options.seed, kinds, work)
    lane.prepare()
    print(json.dumps({"ready": options.lane}), flush=True)
    done = 0
    over = time.monotonic() + 60 * options.minutes
    for case in lane.cases(10 * options.kills):
        if time.monotonic() > over:
            return
        result = lane.kill(case)
        if result is None:
            continue
        print(json.dumps(asdict(result)), flush=True)
        done += 1
        if done == options.kills:
            return


# All lanes


def campaign(options: argparse.Namespace) -> int:
    begun = time.monotonic()
    results: list[Json] = []
    lock = threading.Lock()
    with tempfile.TemporaryDirectory(prefix="gameday-kills-") as work:
        directory = Path(work) / "cluster"
        kubeconfig = embedded.up(deploy_service=False, directory=directory).kubeconfig
        try:
            shares = [
                options.kills // options.lanes + (n < options.kills % options.lanes)
                for n in range(options.lanes)
            ]
            lanes = [
                start_lane(number, share, str(kubeconfig), work, options)
                for number, share in enumerate(shares)
                if share
            ]

            def read(lane: subprocess.Popen[str]) -> None:
                assert lane.stdout is not None
                for line in lane.stdout:
                    found = json.loads(line)
                    if "ready" in found:
                        continue
                    with lock:
                        results.append(found)
                        tell(results, options, begun)

            readers = [threading.Thread(target=read, args=(lane,)) for lane in lanes]
            for reader in readers:
                reader.start()
            for reader in readers:
                reader.join()
            codes = [lane.wait() for lane in lanes]
        finally:
            embedded.down(directory)
    return conclude(results, codes, options, time.monotonic() - begun)


def start_lane(
    number: int, kills: int, kubeconfig: str, work: str, options: argparse.Namespace
) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--lane", str(number), "--kubeconfig", kubeconfig]
    command += ["--kills", str(kills), "--seed", str(options.seed), "--work", work]
    command += ["--kinds", options.kinds, "--minutes", str(options.minutes)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def tell(results: list[Json], options: argparse.Namespace, begun: float) -> None:
    last = results[-1]
    if last["left"]:
        print(f"LEFT BEHIND: {json.dumps(last)}", flush=True)
    if len(results) % options.every == 0:
        left = sum(bool(r["left"]) for r in results)
        took = time.monotonic() - begun
        print(f"{len(results)} kills, {left} leftovers, {took:.0f} s", flush=True)


def conclude(
    results: list[Json], codes: list[int], options: argparse.Namespace, took: float
) -> int:
    if options.out:
        Path(options.out).write_text("".join(json.dumps(r) + "\n" for r in results))
    left = sum(bool(r["left"]) for r in results)
    print("\n".join(table(results)))
    for name, killed in (("the watchdog alone", False), ("the watchdog, killed once", True)):
        some = [
            r["undone_s"]
            for r in results
            if r["by"] == "watchdog" and r["undone_s"] and r["watchdog_killed"] is killed
        ]
        if some:
            print(
                f"from the runner's death to undone by {name}: median"
                f" {statistics.median(some):.1f} s, slowest {max(some):.1f} s of {len(some)}"
            )
    failed = left or len(results) < options.kills or any(codes)
    print(
        f"{len(results)} of {options.kills} kills, {len({r['kind'] for r in results})} of"
        f" {len(FAULTS)} fault kinds, {left} left something behind,"
        f" {took:.0f} s, seed {options.seed}"
    )
    return 1 if failed else 0


def table(results: list[Json]) -> list[str]:
    """Kills, and leftovers in brackets, by fault and by how it was undone."""
    columns = {
        "recover": lambda r: r["by"] == "recover" and not r["errors"],
        "recover, API errors": lambda r: r["by"] == "recover" and r["errors"],
        "watchdog": lambda r: r["by"] == "watchdog" and not (r["errors"] or r["watchdog_killed"]),
        "watchdog, API errors": lambda r: (
            r["by"] == "watchdog" and r["errors"] and not r["watchdog_killed"]
        ),
        "watchdog killed": lambda r: r["watchdog_killed"],
    }
    lines = ["| fault | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for kind in sorted({r["kind"] for r in results}):
        cells = []
        for wanted in columns.values():
            some = [r for r in results if r["kind"] == kind and wanted(r)]
            left = sum(bool(r["left"]) for r in some)
            cells.append(f"{len(some)}" + (f" ({left} LEFT)" if left else ""))
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    died = Counter(r["died_after"] for r in results)
    lines.append("")
    broken = sum(r["undone_s"] is not None for r in results)
    lines.append(f"{broken} died with a fault's mark in place")
    lines.append("died after: " + ", ".join(f"{k} {n}" for k, n in died.most_common()))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lanes", type=int, default=6, help="namespaces at once")
    parser.add_argument("--minutes", type=float, default=60, help="no kill begins later")
    parser.add_argument("--every", type=int, default=50, help="a line of progress every so many")
    parser.add_argument("--kinds", default=",".join(ALL_KINDS), help="faults, with commas between")
    parser.add_argument("--out", help="one line of JSON for each kill")
    parser.add_argument("--lane", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--kubeconfig", help=argparse.SUPPRESS)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.lane is not None:
        run_lane(options)
    else:
        sys.exit(campaign(options))


if __name__ == "__main__":
    main()
