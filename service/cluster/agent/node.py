"""The node object: what this machine has, and that it is alive."""

import platform
import threading
from datetime import UTC, datetime
from pathlib import Path

import psutil
import urllib3

from service.cluster.agent.container import now
from service.cluster.kube import LEASES, NODES, ApiError, Json, Kube, NotFoundError

LEASE_NAMESPACE = "kube-node-lease"
LEASE_DURATION_S = 40
RENEW_EVERY_S = 10.0
ASK_AGAIN_S = 0.2
STATUS_EVERY = 6  # renewals
PODS_AT_MOST = 110
LEAST_MEMORY, LEAST_DISK, MOST_PIDS = 100 * 2**20, 0.1, 0.9  # bytes, and shares
# API servers hand on WebSockets as they come (KEP-4006): exec, attach and port-forward need it.
FEATURES = ["ExtendWebSocketsToKubelet"]


class NodeObject:
    """Registers the node and keeps its lease and status fresh, in a thread of its own."""

    def __init__(
        self,
        kube: Kube,
        name: str,
        *,
        address: str,
        port: int,
        directory: Path,
        annotations: dict[str, str],
        taints: list[Json],
    ) -> None:
        """`directory` is where pods have their files."""
        self._kube, self._name, self._address, self._port = kube, name, address, port
        self._directory = directory
        self._annotations, self._taints = annotations, taints
        self._stop = threading.Event()

    def register(self, ended: threading.Event) -> None:
        """As soon as the API server answers, or until `ended`. Raises ApiError."""
        while not ended.is_set():
            try:
                self._register()
            except urllib3.exceptions.HTTPError:
                ended.wait(ASK_AGAIN_S)
            else:
                threading.Thread(target=self._run, name="node", daemon=True).start()
                return

    def _register(self) -> None:
        node: Json = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": self._name,
                "labels": {
                    "kubernetes.io/hostname": self._name,
                    "kubernetes.io/os": "linux",
                    "kubernetes.io/arch": _architecture(),
                },
                "annotations": self._annotations,
            },
        }
        if self._taints:
            node["spec"] = {"taints": self._taints}
        try:
            self._kube.create(NODES, node)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
        self._write_status()
        self._renew()

    def _run(self) -> None:
        rounds = 0
        while not self._stop.wait(RENEW_EVERY_S):
            rounds += 1
            try:
                self._renew()
                if rounds % STATUS_EVERY == 0 or not self._is_ready():
                    self._write_status()
            except (ApiError, urllib3.exceptions.HTTPError):
                continue  # the next round tries again; the lease says how long we were silent

    def _is_ready(self) -> bool:
        """Or has somebody given it up, since it was silent for too long?"""
        known = self._kube.get(NODES, self._name).get("status") or {}
        return any(
            c["type"] == "Ready" and c["status"] == "True" for c in known.get("conditions") or []
        )

    def _renew(self) -> None:
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {
            "holderIdentity": self._name,
            "leaseDurationSeconds": LEASE_DURATION_S,
            "renewTime": stamp,
        }
        try:
            self._kube.patch(LEASES, self._name, {"spec": spec}, LEASE_NAMESPACE)
        except NotFoundError:
            body = {"metadata": {"name": self._name}, "spec": spec}
            self._kube.create(LEASES, body, LEASE_NAMESPACE)

    def _write_status(self) -> None:
        before = self._kube.get(NODES, self._name).get("status") or {}
        resources = capacity(self._directory)
        status: Json = {
            "capacity": resources,
            "allocatable": resources,
            "addresses": [
                {"type": "InternalIP", "address": self._address},
                {"type": "Hostname", "address": self._name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._port}},
            "conditions": conditions(before.get("conditions") or [], self._directory, now()),
            "declaredFeatures": FEATURES,
            "nodeInfo": {
                "machineID": _text("/etc/machine-id"),
                "systemUUID": _text("/etc/machine-id"),
                "bootID": _text("/proc/sys/kernel/random/boot_id"),
                "kernelVersion": platform.release(),
                "osImage": platform.freedesktop_os_release().get("PRETTY_NAME", "Linux"),
                "containerRuntimeVersion": "gameday://0.1",
                "kubeletVersion": "v1.37.0+gameday",
                "kubeProxyVersion": "",
                "swap": {"capacity": psutil.swap_memory().total},
                "operatingSystem": "linux",
                "architecture": _architecture(),
            },
        }
        self._kube.patch(NODES, self._name, {"status": status}, sub="status")


def capacity(directory: Path) -> Json:
    """What the machine has, as quantities. Nodes on one machine all say the same."""
    return {
        "cpu": str(psutil.cpu_count() or 1),
        "memory": f"{psutil.virtual_memory().total // 1024}Ki",
        "ephemeral-storage": f"{psutil.disk_usage(str(directory)).total // 1024}Ki",
        "pods": str(PODS_AT_MOST),
    }


def conditions(before: list[Json], directory: Path, stamp: str) -> list[Json]:
    """Ready and the kubelet's pressures, by its default eviction thresholds; others are kept.

    Nothing is evicted under pressure.
    """
    memory, disk = psutil.virtual_memory(), psutil.disk_usage(str(directory))
    processes = len(psutil.pids()) / int(_text("/proc/sys/kernel/pid_max") or "32768")
    pressed = {
        "MemoryPressure": memory.available < LEAST_MEMORY,
        "DiskPressure": disk.free < LEAST_DISK * disk.total,
        "PIDPressure": processes > MOST_PIDS,
        "Ready": True,
    }
    found = [
        {"type": kind, "status": str(holds), **dict(zip(_SAID, _WORDS[kind, holds], strict=True))}
        for kind, holds in pressed.items()
    ]
    old = {c["type"]: c for c in before}
    for condition in found:
        last = old.pop(condition["type"], {})
        same = last.get("status") == condition["status"]
        since = last["lastTransitionTime"] if same else stamp
        condition |= {"lastHeartbeatTime": stamp, "lastTransitionTime": since}
    return [*old.values(), *found]


_SAID = ("reason", "message")
_WORDS = {
    ("MemoryPressure", False): (
        "KubeletHasSufficientMemory",
        "kubelet has sufficient memory available",
    ),
    ("MemoryPressure", True): (
        "KubeletHasInsufficientMemory",
        "kubelet has insufficient memory available",
    ),
    ("DiskPressure", False): ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("DiskPressure", True): ("KubeletHasDiskPressure", "kubelet has disk pressure"),
    ("PIDPressure", False): ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("PIDPressure", True): ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
    ("Ready", True): ("KubeletReady", "kubelet is posting ready status"),
}


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _architecture() -> str:
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
