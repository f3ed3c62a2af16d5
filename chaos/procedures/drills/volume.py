"""A volume looked into from the side: what is on it, taken, lost, and put there again.

Through a pod of our own that mounts the claim while its owner is scaled away.
"""

import base64
from collections.abc import Iterator
from contextlib import contextmanager

from chaos.cluster import ClusterError, Json, kind_of
from chaos.procedures.drills.base import Stage
from chaos.procedures.world import wait

POD = "gameday-volume"
CONTAINER = "shell"
ARCHIVE = "volume.tar"
READY_S, GONE_S = 60.0, 60.0
EXEC_S = 60.0


@contextmanager
def detached(stage: Stage, statefulset: str, claim: str) -> Iterator[None]:
    """The StatefulSet is scaled to nothing, and a pod of ours has its claim; then both go back."""
    world = stage.world
    replicas = (world.find("StatefulSet", statefulset) or {})["spec"]["replicas"]
    world.scale("StatefulSet", statefulset, 0)
    if not wait(lambda: not _owned(stage, statefulset), GONE_S):
        raise ClusterError(f"the pods of {statefulset} do not go")
    ref = world.ref("Pod", POD)
    world.cluster.make(ref, _pod(stage, claim))
    try:
        if not wait(lambda: _running(stage), READY_S):
            raise ClusterError(f"pod {POD} does not start")
        yield
    finally:
        world.cluster.delete(ref, grace_s=0)
        wait(lambda: world.cluster.find(ref) is None, GONE_S)
        world.scale("StatefulSet", statefulset, replicas)
    wait(lambda: not world.settled("StatefulSet", statefulset), READY_S)


def run(stage: Stage, script: str) -> str:
    """In our pod, where the volume is at /volume. Raises ClusterError."""
    command = ["sh", "-c", script]
    done = stage.world.cluster.execute(
        POD, stage.world.namespace, CONTAINER, command, within_s=EXEC_S
    )
    if done.code:
        raise ClusterError(f"on the volume: {done.text.strip()[:200]}")
    return done.text


def take(stage: Stage) -> bytes:
    """Everything on the volume, as a tar."""
    text = run(stage, "cd /volume && tar --exclude='*.sock' -cf - . | base64 -w 0")
    return base64.b64decode(text.strip())


def put(stage: Stage, archive: bytes) -> None:
    """The volume has this and nothing else, afterwards."""
    file = stage.scratch / ARCHIVE
    file.write_bytes(archive)
    done = stage.own(f"kubectl cp {ARCHIVE} {stage.world.namespace}/{POD}:/tmp/{ARCHIVE}")
    file.unlink()
    if not done.ok:
        raise ClusterError(f"on the volume: {done.output.strip()[-200:]}")
    run(stage, f"find /volume -mindepth 1 -delete; tar -C /volume -xf /tmp/{ARCHIVE}")


def _owned(stage: Stage, name: str) -> list[Json]:
    return [
        p
        for p in stage.world.raw_pods()
        if any(o["name"] == name for o in p["metadata"].get("ownerReferences") or [])
    ]


def _running(stage: Stage) -> bool:
    pod = stage.world.find("Pod", POD) or {}
    states = (pod.get("status") or {}).get("containerStatuses") or []
    return bool(states) and all("running" in s["state"] for s in states)


def _pod(stage: Stage, claim: str) -> Json:
    kind = kind_of("Pod")
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": POD, "namespace": stage.world.namespace},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": CONTAINER,
                    "image": "busybox:1.36",
                    "command": ["sleep", "600"],
                    "volumeMounts": [{"name": "volume", "mountPath": "/volume"}],
                }
            ],
            "volumes": [{"name": "volume", "persistentVolumeClaim": {"claimName": claim}}],
        },
    }
