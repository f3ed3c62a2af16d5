"""Jobs of gameday's own image: the watchdog of a run, and a run in the cluster itself.

The image is one (docs/on-your-cluster.md): `gameday` is its entry point, so that a Job's arguments
are a command line of gameday. It has no shell, and nothing in a container may write outside of the
volumes below.
"""

from collections.abc import Sequence

from chaos.kube import Json
from chaos.plan.model import PlanWatchdog
from chaos.run import rbac
from chaos.undo.watchdog import JOB

RUNNER, KEEPER = "runner", "keeper"
"""Containers of a run's pod: the command, and what keeps its run directory until it was fetched."""

WORK, GIVEN, BUNDLE = "/work", "/given", "bundle.tar.gz"
RUNS = "/runs"
_KEPT_S = 3600
_UNDOING_S = 300  # what a run that is told to end may take to undo its faults
_UNPACK = f"import tarfile; tarfile.open({GIVEN + '/' + BUNDLE!r}).extractall({WORK!r})"
_KEEP = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit());"
    f" time.sleep({_KEPT_S})"
)

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


def run_job(
    namespace: str,
    name: str,
    image: PlanWatchdog,
    arguments: Sequence[str],
    *,
    directory: str = ".",
    secrets: Sequence[str] = (),
) -> Json:
    """`arguments` are those of gameday in `directory` of what the ConfigMap `name` holds.

    The command gets the keys of the Secrets `secrets` as environment variables.
    """
    mounts = [
        {"name": "work", "mountPath": WORK},
        {"name": "runs", "mountPath": RUNS},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - of the container alone
    ]
    given = {"name": "given", "mountPath": GIVEN, "readOnly": True}
    little = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "512Mi"}}
    unpack = own_container("unpack", image) | {
        "command": ["python3", "-ISc", _UNPACK],
        "resources": little,
        "volumeMounts": [*mounts, given],
    }
    runner = own_container(RUNNER, image, *arguments) | {
        "workingDir": f"{WORK}/{directory}",
        "env": [{"name": "COLUMNS", "value": "100"}],
        "envFrom": [{"secretRef": {"name": secret}} for secret in secrets],
        "resources": {
            "requests": {"cpu": "500m", "memory": "512Mi"},
            "limits": {"memory": "2Gi"},
        },
        "volumeMounts": mounts,
    }
    keeper = own_container(KEEPER, image) | {
        "command": ["python3", "-ISc", _KEEP],
        "resources": little,
        "volumeMounts": mounts,
    }
    labels = {"app": "gameday-run"}
    spec = {
        **own_pod(image, rbac.RUNNER),
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": _UNDOING_S,
        "initContainers": [unpack],
        "containers": [runner, keeper],
        "volumes": [
            {"name": "work", "emptyDir": {}},
            {"name": "runs", "emptyDir": {}},
            {"name": "tmp", "emptyDir": {}},
            {"name": "given", "configMap": {"name": name}},
        ],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "backoffLimit": 0,  # a game day is not begun anew by itself
            "ttlSecondsAfterFinished": _KEPT_S,
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def own_container(name: str, image: PlanWatchdog, *arguments: str) -> Json:
    """A container of our image with a command line of gameday."""
    return {
        "name": name,
        "image": image.image,
        "imagePullPolicy": image.pull_policy,
        **({"args": list(arguments)} if arguments else {}),
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
