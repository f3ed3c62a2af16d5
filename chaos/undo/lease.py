"""One game day a namespace at a time, its heartbeat, and the switch that ends it from anywhere.

All three are one Lease (coordination.k8s.io): who holds it runs, its renewTime is the heartbeat,
and an annotation on it asks the run to end. Every write is made for the version that was read.
"""

import threading
import time
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from chaos.kube import Cluster, ClusterError, Json, Patience, Ref
from chaos.undo.fields import put

NAME = "gameday"
ABORT = "gameday.dev/abort"
LASTS = timedelta(seconds=8)
"""So long after its last heartbeat a run counts as dead; a dead run's faults are undone."""

RENEW_EVERY_S = 1.0
GIVE_UP_S = LASTS.total_seconds() - 2 * RENEW_EVERY_S
"""So long without a heartbeat of our own, and we end before others take us for dead."""

_CONFLICT = 409


class LeaseError(Exception):
    """Another game day runs here, or ours lost its Lease; the message is one sentence."""


def ref(namespace: str) -> Ref:
    return Ref.of("Lease", namespace, NAME)


def holder(lease: Json | None) -> str:
    """The identity of the run that holds it; "" for none."""
    return ((lease or {}).get("spec") or {}).get("holderIdentity") or ""


def expired(lease: Json, now: datetime) -> bool:
    """By its own account, so it depends on both clocks; a malformed time counts as expired."""
    spec = lease.get("spec") or {}
    try:
        renewed = datetime.fromisoformat(spec["renewTime"])
        return renewed + timedelta(seconds=spec["leaseDurationSeconds"]) <= now
    except (KeyError, TypeError, ValueError, OverflowError):
        return True


class Held:
    """The Lease of a namespace, held by run `identity` from entering to leaving this context.

    A thread renews it. `ended` says why the run has to end, "" while nothing speaks against it.
    """

    def __init__(self, cluster: Cluster, namespace: str, identity: str) -> None:
        # A heartbeat that comes late is worth nothing, so it is not waited for for long.
        self._cluster = cluster.patient(Patience(within_s=RENEW_EVERY_S, attempt_s=RENEW_EVERY_S))
        self._asking = cluster
        self._namespace = namespace
        self.identity = identity
        self._over = threading.Event()
        self._beaten = time.monotonic()
        self._asked = ""
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    @property
    def ended(self) -> str:
        if self._asked:
            return self._asked
        silent = time.monotonic() - self._beaten
        if silent > GIVE_UP_S:
            return f"the Lease could not be renewed for {silent:.0f} s"
        return ""

    def __enter__(self) -> Self:
        self._acquire()
        self._beaten = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Given back, so that the next run need not wait until it expires."""
        self._over.set()
        self._thread.join(2 * RENEW_EVERY_S)
        remove(self._asking, self._namespace, self.identity)

    def _acquire(self) -> None:
        now = _stamp()
        spec = {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": int(LASTS.total_seconds()),
            "acquireTime": now,
            "renewTime": now,
        }
        where = ref(self._namespace)
        manifest = {
            "apiVersion": where.kind.api_version,
            "kind": where.kind.kind,
            "metadata": {"name": NAME, "namespace": self._namespace},
            "spec": spec,
        }
        try:
            self._asking.create(manifest)
        except ClusterError as error:
            if error.status != _CONFLICT:
                raise
            if self._asking.change(where, lambda lease: self._taking(lease, spec)) is None:
                self._asking.create(manifest)  # released between our two requests

    def _taking(self, lease: Json, spec: Json) -> list[Json]:
        if holder(lease) == self.identity:
            return []  # ours: only the answer was lost
        if holder(lease) and not expired(lease, datetime.now(UTC)):
            raise LeaseError(
                f"another game day runs in namespace {self._namespace} ({holder(lease)}):"
                f" wait for its end, or end it with: gameday abort --namespace {self._namespace}"
            )
        operations = put(lease, ("spec",), (spec,))
        if ABORT in (lease["metadata"].get("annotations") or {}):
            operations += put(lease, ("metadata", "annotations", ABORT), ())
        return operations

    # The thread

    def _beat(self) -> None:
        while not self._over.wait(RENEW_EVERY_S):
            try:
                lease = self._cluster.change(ref(self._namespace), self._renewing)
            except ClusterError:
                continue  # `ended` counts the silence
            except LeaseError as error:
                self._asked = str(error)
                return
            if lease is None:
                self._asked = "lost the Lease: it was deleted"
                return
            self._beaten = time.monotonic()
            asked = (lease["metadata"].get("annotations") or {}).get(ABORT)
            if asked:
                self._asked = f"gameday abort: {asked}"

    def _renewing(self, lease: Json) -> list[Json]:
        if holder(lease) != self.identity:
            raise LeaseError(f"lost the Lease to {holder(lease) or 'nobody'}")
        return put(lease, ("spec", "renewTime"), (_stamp(),))


def remove(cluster: Cluster, namespace: str, identity: str) -> None:
    """Take the Lease of this run away, unless another one holds it by now."""
    lease = cluster.find(ref(namespace))
    if lease is not None and holder(lease) == identity:
        metadata = lease["metadata"]
        cluster.delete(ref(namespace), uid=metadata["uid"], version=metadata["resourceVersion"])


def ask_to_end(cluster: Cluster, namespace: str, run: str, reason: str) -> str:
    """Ask the run that holds the Lease to end, if it is `run` ("": whichever). Its identity.

    Raises LeaseError when there is none.
    """

    def asking(lease: Json) -> list[Json]:
        who = holder(lease)
        if run and not who.startswith(run):
            raise LeaseError(f"the game day in namespace {namespace} is {who or 'none'}, not {run}")
        if not lease["metadata"].get("annotations"):
            return [{"op": "add", "path": "/metadata/annotations", "value": {ABORT: reason}}]
        return put(lease, ("metadata", "annotations", ABORT), (reason,))

    lease = cluster.change(ref(namespace), asking)
    if lease is None:
        raise LeaseError(f"no game day runs in namespace {namespace}")
    return holder(lease)


def _stamp() -> str:
    """As Kubernetes' MicroTime."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
