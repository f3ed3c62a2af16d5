"""A volume looked into from the side: what is on it, taken, lost, and put there again.

Through a pod of our own that mounts the claim while its owner is scaled away. The pod has the
owner's image, so that the tools of a database are at hand, of the right version; there have to be a
shell, tar and find in it. What is taken goes through kubectl into a file: after a crash, logs of
Neo4j alone can be half a gigabyte, most of which is reserved and empty.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from chaos.kube import ClusterError, Json, kind_of
from chaos.kube.system_under_test import wait
from chaos.parts.volume import Files
from chaos.prove.drills.base import Stage

POD = "gameday-volume"
CONTAINER = "shell"
PLACE = "/data"
READY_S, GONE_S = 180.0, 120.0
EXEC_S = 60.0


@contextmanager
def detached(stage: Stage, files: Files) -> Iterator[None]:
    """Whose files they are is scaled to nothing, and a pod of ours has the claim; then all back."""
    system, kind, name = stage.system, files.ref.kind.kind, files.ref.name
    replicas = (system.find(kind, name) or {})["spec"].get("replicas", 1)
    system.scale(kind, name, 0)
    if not wait(lambda: not members(stage, files), GONE_S):
        raise ClusterError(f"the pods of {name} do not go")
    ref = system.ref("Pod", POD)
    system.cluster.make(ref, _pod(stage, files))
    try:
        if not wait(lambda: _running(stage), READY_S):
            raise ClusterError(f"pod {POD} does not start")
        yield
    finally:
        system.cluster.delete(ref, grace_s=0)
        wait(lambda: system.cluster.find(ref) is None, GONE_S)
        system.scale(kind, name, replicas)
    wait(lambda: not system.settled(kind, name), READY_S)


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


def copy_out(stage: Stage, folder: str) -> None:
    """The files of the volume go to a folder. Raises ClusterError."""
    _kubectl(stage, f"cp {{namespace}}/{POD}:{PLACE} {folder} -c {CONTAINER}")


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


def members(stage: Stage, files: Files) -> list[Json]:
    """The pods of the workload, those that are ending among them."""
    return stage.system.raw_pods(files.selector)


def _kubectl(stage: Stage, words: str) -> None:
    done = stage.own("kubectl " + words.format(namespace=stage.system.namespace))
    if not done.ok:
        raise ClusterError(f"on the volume: {done.output.strip()[-200:]}")


def _running(stage: Stage) -> bool:
    pod = stage.system.find("Pod", POD) or {}
    states = (pod.get("status") or {}).get("containerStatuses") or []
    return bool(states) and all("running" in s["state"] for s in states)


def _pod(stage: Stage, files: Files) -> Json:
    kind = kind_of("Pod")
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": POD, "namespace": stage.system.namespace},
        "spec": {
            "restartPolicy": "Never",
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": dict(files.security),
            "containers": [
                {
                    "name": CONTAINER,
                    "image": files.image,
                    **files.start,
                    "volumeMounts": [{"name": "volume", "mountPath": PLACE}],
                }
            ],
            "volumes": [{"name": "volume", "persistentVolumeClaim": {"claimName": files.claim}}],
        },
    }
