"""What a game day needs around its faults: permission, its Lease, a clean start, a watchdog."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from chaos.kube import Cluster, ClusterError, Json, Ref, kind_of
from chaos.plan import forbidden
from chaos.plan.model import PlanWatchdog
from chaos.run import rbac
from chaos.run.jobs import watchdog_job
from chaos.undo.lease import Held
from chaos.undo.recover import ALLOWED, Recovered, recover
from chaos.undo.snapshot_store import is_left
from chaos.undo.watchdog import JOB

_FORBIDDEN = 403


class RefusedError(Exception):
    """The game day must not begin; the message is one sentence that says what would help."""


class LeftoverError(Exception):
    """What an earlier run left cannot be undone: somebody must look before anything else."""


class Guarded(NamedTuple):
    """What holds while a game day lasts.

    `watchdog_image` is what the watchdog runs, as the node resolved it: with a digest where it was
    pulled from a registry; "" without a watchdog.
    """

    held: Held
    watchdog_image: str = ""


@contextmanager
def preflight(
    cluster: Cluster,
    namespace: str,
    identity: str,
    watchdog: PlanWatchdog,
    say: Callable[[str], None],
) -> Iterator[Guarded]:
    """Enter before the first fault, leave after the last was undone.

    Without a watchdog, a fault outlives a runner that is killed. Raises RefusedError,
    chaos.undo.lease.LeaseError, LeftoverError, ClusterError.
    """
    require_allowed(cluster, namespace)
    with Held(cluster, namespace, identity) as held:
        _require_no_drill(cluster, namespace)
        told(recover(cluster, namespace, own=identity), say)
        if not watchdog.enabled:
            say("no watchdog: if this runner is killed, its faults stay until gameday recover")
            yield Guarded(held)
            return
        job = _place(cluster, namespace, watchdog)
        try:
            image = _await(cluster, namespace, job, watchdog, held)
            say("the watchdog runs")
            yield Guarded(held, image)
        finally:
            cluster.delete(Ref.of("Job", namespace, JOB))


def require_allowed(cluster: Cluster, namespace: str) -> frozenset[str]:
    """The kinds that it forbids all the same.

    Raises RefusedError unless the namespace itself says that it may be broken.
    """
    found = cluster.namespace(namespace)
    labels = found["metadata"].get("labels") or {}
    if labels.get(ALLOWED) != "true":
        raise RefusedError(
            f"namespace {namespace} does not allow faults; whoever owns it allows them with:"
            f" {rbac.allow(namespace)}"
        )
    try:
        return forbidden.of_namespace(found)
    except forbidden.ForbiddenError as error:
        raise RefusedError(str(error)) from error


def _require_no_drill(cluster: Cluster, namespace: str) -> None:
    """Raises RefusedError where a drill of a procedure died and what it changed is still so."""
    try:
        left = is_left(cluster, namespace)
    except ClusterError as error:
        if error.status != _FORBIDDEN:
            raise
        return  # who may not read Secrets runs faults all the same, as gameday rbac has it
    if left:
        raise RefusedError(
            f"namespace {namespace} is still as a drill of a procedure left it when it died:"
            " first put it back with: gameday recover"
        )


def told(found: Recovered, say: Callable[[str], None]) -> None:
    """Say what was found and undone. Raises LeftoverError for what could not be."""
    for undone in found.undone:
        say(f"left by an earlier run, undone: {undone.leftover}: {undone.said}")
        for note in undone.notes:
            say(note)
    if found.stuck:
        raise LeftoverError(f"left by an earlier run, cannot be undone: {found.stuck[0]}")


def _place(cluster: Cluster, namespace: str, watchdog: PlanWatchdog) -> Json:
    """A new Job; one that an earlier run left is taken away first."""
    ref = Ref.of("Job", namespace, JOB)
    deadline = time.monotonic() + watchdog.starts_within.total_seconds()
    while cluster.find(ref) is not None and time.monotonic() < deadline:
        cluster.delete(ref)
        time.sleep(0.1)
    return cluster.create(watchdog_job(namespace, watchdog))


def _await(cluster: Cluster, namespace: str, job: Json, watchdog: PlanWatchdog, held: Held) -> str:
    """Until it is ready, which is when it watches; the image that it runs. Raises RefusedError."""
    deadline = time.monotonic() + watchdog.starts_within.total_seconds()
    why = "its pod does not appear"
    while time.monotonic() < deadline and not held.ended:
        for pod in cluster.objects(kind_of("Pod"), namespace, labels=f"app={JOB}"):
            if _owner(pod) != job["metadata"]["uid"]:
                continue
            status = _status(pod)
            if status.get("ready"):
                return str(status.get("imageID") or watchdog.image)
            waiting = status.get("state", {}).get("waiting") or {}
            why = waiting.get("reason") or "it has not begun to watch"
        time.sleep(0.1)
    raise RefusedError(
        f"the watchdog does not run in namespace {namespace} ({why}), so nothing is broken: its"
        f" ServiceAccount comes from: gameday rbac {namespace} | kubectl apply -f - and its image"
        f" {watchdog.image} is the plan's watchdog.image, to be built and pushed where the nodes"
        " can pull it (docs/on-your-cluster.md)"
    )


def _owner(pod: Json) -> str:
    return next((o["uid"] for o in pod["metadata"].get("ownerReferences") or ()), "")


def _status(pod: Json) -> Json:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    found: Json = statuses[0] if statuses else {}
    return found
