"""The node object: what this machine has, and that it is alive."""

import platform
import threading
from datetime import UTC, datetime

import psutil
import urllib3

from service.cluster.agent.container import now
from service.cluster.kube import LEASES, NODES, ApiError, Json, Kube, NotFoundError

LEASE_NAMESPACE = "kube-node-lease"
LEASE_DURATION_S = 40
RENEW_EVERY_S = 10.0
STATUS_EVERY = 6  # renewals


class NodeObject:
    """Registers the node and keeps its lease and status fresh, in a thread of its own."""

    def __init__(
        self, kube: Kube, name: str, address: str, port: int, annotations: dict[str, str]
    ) -> None:
        self._kube, self._name, self._address, self._port = kube, name, address, port
        self._annotations = annotations
        self._stop = threading.Event()

    def register(self) -> None:
        """Raises ApiError."""
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
        try:
            self._kube.create(NODES, node)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
        self._write_status()
        self._renew()
        threading.Thread(target=self._run, name="node", daemon=True).start()

    def _run(self) -> None:
        rounds = 0
        while not self._stop.wait(RENEW_EVERY_S):
            rounds += 1
            try:
                self._renew()
                if rounds % STATUS_EVERY == 0:
                    self._write_status()
            except (ApiError, urllib3.exceptions.HTTPError):
                continue  # the next round tries again; the lease says how long we were silent

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
        memory = f"{psutil.virtual_memory().total // 1024}Ki"
        resources = {"cpu": str(psutil.cpu_count() or 1), "memory": memory, "pods": "110"}
        stamp = now()
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "kubelet is posting ready status",
            "lastHeartbeatTime": stamp,
            "lastTransitionTime": stamp,
        }
        status: Json = {
            "capacity": resources,
            "allocatable": resources,
            "addresses": [
                {"type": "InternalIP", "address": self._address},
                {"type": "Hostname", "address": self._name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._port}},
            "conditions": [ready],
            "nodeInfo": {
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
                "kernelVersion": platform.release(),
                "osImage": platform.freedesktop_os_release().get("PRETTY_NAME", "Linux"),
                "containerRuntimeVersion": "gameday://0.1",
                "kubeletVersion": "v1.37.0+gameday",
                "kubeProxyVersion": "",
                "operatingSystem": "linux",
                "architecture": _architecture(),
            },
        }
        self._kube.patch(NODES, self._name, {"status": status}, sub="status")


def _architecture() -> str:
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
