"""The runner that the kill campaign kills: a whole session with one fault, without load."""

import json
import os
import random
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from pydantic import TypeAdapter

from chaos.faults import AnyFault, Scene
from chaos.faults.injection import Tag
from chaos.kube import Cluster, Patience, Ref
from chaos.plan.model import PlanWatchdog
from chaos.run.fault_lifecycle import FaultLifecycle, Task
from chaos.run.journal_writer import JournalWriter
from chaos.run.preflight import preflight
from slo.evidence.journal import Entry
from tests.chaos.cluster_fixture import NS
from tests.chaos.faults.test_faults import EXAMPLES

FAULT: TypeAdapter[AnyFault] = TypeAdapter(AnyFault)
PATIENCE = Patience(within_s=40.0, attempt_s=2.0)
HOLD_S = 0.4  # how long a fault lasts when its runner is left alone


class Trip:
    """Counts boundaries, and kills this process at the one that was chosen."""

    def __init__(self, at: int) -> None:
        self._at, self.count, self.intent = at, 0, 0
        self._lock = threading.Lock()

    def __call__(self) -> None:
        if threading.current_thread().name == "heartbeat":
            return  # its requests come whenever they come
        with self._lock:
            self.count += 1
            if self.count == self._at:
                os.kill(os.getpid(), signal.SIGKILL)


class TracedCluster(Cluster):
    """With a boundary before and after every request."""

    trip: ClassVar[Trip]

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


class TracedJournal(JournalWriter):
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
    TracedCluster.trip = trip  # of this process, whatever the patience of its cluster
    cluster = TracedCluster.connect(kubeconfig, patience=PATIENCE)
    fault = example(kind, namespace)
    quiet = lambda _: None  # noqa: E731
    now = lambda: datetime.now(UTC)  # noqa: E731
    watchdog = PlanWatchdog(enabled=False)  # the campaign has its own
    with (
        TracedJournal(path, trip) as journal,
        preflight(cluster, namespace, fault_id, watchdog, quiet),
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
        drill = FaultLifecycle(task, scene, journal, quiet, now)
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
