"""Signals to the processes of containers from outside, by a pod of the fault's own on their node.

The kernel shields process 1 of a PID namespace from its own descendants (pid_namespaces(7)), and an
application usually is process 1 of its container: from inside, SIGKILL and SIGSTOP do nothing to
it. A pod with `hostPID` sees it as any other process, and finds it by the id of its container,
which the control group of each of its processes is named after.
"""

import json
from collections.abc import Sequence
from importlib import resources
from typing import Literal, NamedTuple

from chaos.faults.base import NoTargetError, Scene, Tag, Target, ref_of
from chaos.faults.changes import Await, Create, Delete
from chaos.kube import Cluster, Json, Ref

IMAGE = "python:3-slim"  # of the pods that faults make; any image with python3 will do
STARTS_WITHIN_S = 60.0
OTHERS = """
for d in /proc/[0-9]*; do
  p=${d#/proc/}
  [ "$p" = 1 ] || [ "$p" = "$$" ] || [ ! -e "$d/status" ] || grep -qs "^State:.Z" "$d/status" || {
    [ "$(cut -d " " -f 4 "$d/stat" 2>/dev/null)" = "$$" ] || { echo others; exit; }
  }
done
"""


class Hit(NamedTuple):
    """A pod and those of its containers whose processes get the signal."""

    target: Target
    containers: tuple[str, ...]


class Helpers(NamedTuple):
    """The pods that send the signals, as changes in this order; `stay` until they are undone."""

    made: tuple[Create, ...]
    awaited: tuple[Await, ...]

    @property
    def taken_away(self) -> tuple[Delete, ...]:
        return tuple(Delete(ref=each.ref, uid="", grace_s=0) for each in self.awaited)


def helpers(
    scene: Scene, hits: Sequence[Hit], tag: Tag, how: Literal["kill", "freeze"], image: str
) -> Helpers | str:
    """One on each node of the pods, or why the cluster does not admit such pods.

    Raises NoTargetError where a container does not run. Changes nothing: the API server is asked
    whether it would take the pods.
    """
    ids: dict[str, list[str]] = {}
    for hit in hits:
        node, found = _running(scene.cluster, hit)
        ids.setdefault(node, []).extend(found)
    pods = []
    for number, (node, found) in enumerate(sorted(ids.items())):
        setting = {"how": how, "containers": found, "until": tag.expires.timestamp()}
        pods.append(_pod(scene.namespace, _name(tag, number), node, image, setting))
    for pod in pods:
        if why := scene.cluster.refuses(pod):
            return why
    hint = (
        f"a helper pod from image {image} with hostPID, which sends the signals, has to run on the"
        " node of the pods that were chosen"
    )
    refs = [Ref.to(pod) for pod in pods]
    return Helpers(
        made=tuple(Create(manifest=pod) for pod in pods),
        awaited=tuple(Await(ref=ref, within_s=STARTS_WITHIN_S, hint=hint) for ref in refs),
    )


def require_others(scene: Scene, hits: Sequence[Hit], why: str) -> None:
    """Before signals from inside. Raises NoTargetError where process 1 is all that there is."""
    for target, containers in hits:
        if scene.cluster.get(ref_of(target))["spec"].get("shareProcessNamespace"):
            continue
        for container in containers:
            output = scene.cluster.execute(
                target.name, target.namespace, container, ("sh", "-c", OTHERS.strip())
            )
            if "others" not in output.text:
                raise NoTargetError(
                    f"the application in {ref_of(target)} is process 1 of its container"
                    f" {container}, which no signal from inside can kill or stop, and the cluster"
                    f" does not admit a pod with hostPID that could send it from outside ({why}):"
                    " admit such pods (kubectl label namespace"
                    f" {target.namespace} pod-security.kubernetes.io/enforce=privileged"
                    " --overwrite), or set shareProcessNamespace: true in the pod's template"
                )


def _name(tag: Tag, number: int) -> str:
    return f"{tag.name}-{number}" if number else tag.name


def _running(cluster: Cluster, hit: Hit) -> tuple[str, list[str]]:
    """The pod's node, and the ids of its containers without the name of their runtime."""
    pod = cluster.get(ref_of(hit.target))
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    found = []
    for name in hit.containers:
        one: Json = next((s for s in statuses if s["name"] == name), {})
        if "running" not in one.get("state", {}) or not one.get("containerID"):
            raise NoTargetError(f"container {name} of {ref_of(hit.target)} does not run")
        found.append(str(one["containerID"]).partition("://")[2])
    return str(pod["spec"]["nodeName"]), found


def _pod(namespace: str, name: str, node: str, image: str, setting: Json) -> Json:
    """It may send signals, and do nothing else that root may."""
    program = resources.files("chaos.faults").joinpath("signals.py").read_text()
    container = {
        "name": "signals",
        "image": image,
        "command": ["python3", "-c", program.replace("$(", "$$("), json.dumps(setting)],
        "securityContext": {
            "runAsUser": 0,
            "runAsNonRoot": False,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], "add": ["KILL"]},
        },
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"memory": "64Mi"},
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "nodeName": node,
            "hostPID": True,
            # What was stopped goes on even where the helper is killed: it comes back and ends it.
            "restartPolicy": "Never" if setting["how"] == "kill" else "Always",
            "automountServiceAccountToken": False,
            "tolerations": [{"operator": "Exists"}],
            "terminationGracePeriodSeconds": 5,
            "containers": [container],
        },
    }
