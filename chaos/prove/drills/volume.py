"""A volume looked into from the side: what is on it, taken, lost, and put there again.

Through a pod of our own that mounts the claim while its owner is scaled away. The pod has the
owner's image, so that the tools of the database are at hand, of the right version. What is taken
goes through kubectl into a file: after a crash, Neo4j's logs alone can be half a gigabyte, most of
which is reserved and empty.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from chaos.kube import ClusterError, Json, kind_of
from chaos.kube.system_under_test import wait
from chaos.prove.drills.base import Stage

POD = "gameday-volume"
CONTAINER = "shell"
PLACE = "/data"
READY_S, GONE_S = 180.0, 120.0
EXEC_S = 60.0
_OWNER = 7474  # the user of Neo4j's image: what root writes to the volume, it could not open


@contextmanager
def detached(stage: Stage, statefulset: str, claim: str) -> Iterator[None]:
    """The StatefulSet is scaled to nothing, and a pod of ours has its claim; then both go back."""
    system = stage.system
    spec = (system.find("StatefulSet", statefulset) or {})["spec"]
    system.scale("StatefulSet", statefulset, 0)
    if not wait(lambda: not owned(stage, statefulset), GONE_S):
        raise ClusterError(f"the pods of {statefulset} do not go")
    ref = system.ref("Pod", POD)
    system.cluster.make(ref, _pod(stage, claim, spec["template"]["spec"]["containers"][0]["image"]))
    try:
        if not wait(lambda: _running(stage), READY_S):
            raise ClusterError(f"pod {POD} does not start")
        yield
    finally:
        system.cluster.delete(ref, grace_s=0)
        wait(lambda: system.cluster.find(ref) is None, GONE_S)
        system.scale("StatefulSet", statefulset, spec["replicas"])
    wait(lambda: not system.settled("StatefulSet", statefulset), READY_S)


def run(stage: Stage, script: str) -> str:
    """In our pod, where the volume is at PLACE. Raises ClusterError."""
    command = ["sh", "-c", script]
    done = stage.system.cluster.execute(
        POD, stage.system.namespace, CONTAINER, command, within_s=EXEC_S
    )
    if done.code:
        raise ClusterError(f"on the volume: {done.text.strip()[-200:]}")
    return done.text


def empty(stage: Stage) -> None:
    run(stage, f"find {PLACE} -mindepth 1 -delete")


def fetch(stage: Stage, command: str, file: str) -> None:
    """What the command writes goes to a file in the scratch folder. Raises ClusterError."""
    _kubectl(stage, f"exec {POD} -c {CONTAINER} -n {{namespace}} -- {command} > {file}")


def feed(stage: Stage, command: str, file: str) -> None:
    """The command reads a file of the scratch folder. Raises ClusterError."""
    _kubectl(stage, f"exec -i {POD} -c {CONTAINER} -n {{namespace}} -- {command} < {file}")


def copy(stage: Stage, folder: str) -> None:
    """The files of a folder go to the volume. Raises ClusterError."""
    _kubectl(stage, f"cp {folder}/. {{namespace}}/{POD}:{PLACE} -c {CONTAINER}")


def take(stage: Stage, file: str) -> None:
    """Everything on the volume; space that is reserved and empty takes none in the file."""
    fetch(stage, f"tar -C {PLACE} --exclude='*.sock' -S -czf - .", file)


def put(stage: Stage, file: str) -> None:
    """The volume has what was taken and nothing else, afterwards."""
    empty(stage)
    feed(stage, f"tar -C {PLACE} -xzf -", file)


def owned(stage: Stage, name: str) -> list[Json]:
    """The pods of a StatefulSet."""
    return [
        p
        for p in stage.system.raw_pods()
        if any(o["name"] == name for o in p["metadata"].get("ownerReferences") or [])
    ]


def _kubectl(stage: Stage, words: str) -> None:
    done = stage.own("kubectl " + words.format(namespace=stage.system.namespace))
    if not done.ok:
        raise ClusterError(f"on the volume: {done.output.strip()[-200:]}")


def _running(stage: Stage) -> bool:
    pod = stage.system.find("Pod", POD) or {}
    states = (pod.get("status") or {}).get("containerStatuses") or []
    return bool(states) and all("running" in s["state"] for s in states)


def _pod(stage: Stage, claim: str, image: str) -> Json:
    kind = kind_of("Pod")
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": POD, "namespace": stage.system.namespace},
        "spec": {
            "restartPolicy": "Never",
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsUser": _OWNER, "runAsGroup": _OWNER, "fsGroup": _OWNER},
            "containers": [
                {
                    "name": CONTAINER,
                    "image": image,
                    # As arguments: the entry point writes the settings that neo4j-admin reads.
                    "args": ["sleep", "600"],
                    "volumeMounts": [{"name": "volume", "mountPath": PLACE}],
                }
            ],
            "volumes": [{"name": "volume", "persistentVolumeClaim": {"claimName": claim}}],
        },
    }
