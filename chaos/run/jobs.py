"""Jobs of gameday's own image: the watchdog of a run, as the cluster is to have it.

The image is one (docs/on-your-cluster.md): `gameday` is its entry point, so that a Job's arguments
are a command line of gameday. It has no shell, and nothing in a container may write outside of the
volumes below.
"""

from chaos.kube import Json
from chaos.plan.model import PlanWatchdog
from chaos.run import rbac
from chaos.undo.watchdog import JOB

MEMORY = "/run/gameday"  # outlives the container, not the node
READY = f"{MEMORY}/watching"
_USER = 65532
_NOT_READY = f"import os, sys; sys.exit(not os.path.exists({READY!r}))"


def watchdog_job(namespace: str, watchdog: PlanWatchdog) -> Json:
    container = own_container(
        "watchdog",
        watchdog,
        "watchdog",
        *("--namespace", namespace),
        *("--ready-file", READY),
        *("--memory", f"{MEMORY}/heartbeat.json"),
    )
    container |= {
        # Of the tools of a shell the image has none; Python without its site packages is quick.
        "readinessProbe": {
            "exec": {"command": ["python3", "-ISc", _NOT_READY]},
            "periodSeconds": 1,
            "timeoutSeconds": 5,
        },
        "resources": {
            "requests": {"cpu": "50m", "memory": "96Mi"},
            "limits": {"memory": "256Mi"},
        },
    }
    container["volumeMounts"] = [{"name": "memory", "mountPath": MEMORY}]
    spec = {
        **own_pod(watchdog, rbac.WATCHDOG),
        "restartPolicy": "OnFailure",
        "terminationGracePeriodSeconds": 5,
        "containers": [container],
        "volumes": [{"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": JOB, "namespace": namespace, "labels": {"app": JOB}},
        "spec": {
            "backoffLimit": 1000,  # it must come back as often as it is killed
            "ttlSecondsAfterFinished": 30,
            "template": {"metadata": {"labels": {"app": JOB}}, "spec": spec},
        },
    }


def own_container(name: str, image: PlanWatchdog, *arguments: str) -> Json:
    """A container of our image with a command line of gameday."""
    return {
        "name": name,
        "image": image.image,
        "imagePullPolicy": image.pull_policy,
        "args": list(arguments),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def own_pod(image: PlanWatchdog, account: str) -> Json:
    """The parts of its spec that every pod of ours has; allowed at the level "restricted"."""
    found: Json = {
        "serviceAccountName": account,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    if image.pull_secrets:
        found["imagePullSecrets"] = [{"name": name} for name in image.pull_secrets]
    return found
