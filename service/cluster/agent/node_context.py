"""What all pods of a node share."""

import threading
from collections import deque
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from service.cluster.agent.cgroups import Cgroups
from service.cluster.agent.isolation import Mode
from service.cluster.controllers.events import Recorder
from service.cluster.images import Images
from service.cluster.informer import Informer
from service.cluster.kube import Json, Kube

COMPONENT = "kubelet"


class Addresses:
    """Pod addresses of this node; the longest unused one is given out next."""

    def __init__(self, network: str) -> None:
        self._free = deque(str(a) for a in list(IPv4Network(network).hosts())[:4094])
        self._lock = threading.Lock()

    def take(self) -> str:
        with self._lock:
            return self._free.popleft()

    def give_back(self, address: str) -> None:
        with self._lock:
            self._free.append(address)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeContext:
    """`api_address` is (host, port) of the API server, for pods; `ca` its CA certificate."""

    kube: Kube
    node_name: str
    node_ip: str
    directory: Path
    mode: Mode
    cgroups: Cgroups | None
    images: Images
    addresses: Addresses
    services: Informer
    pods: Informer
    events: Recorder
    api_address: tuple[str, int]
    ca: bytes
    allocatable: Json

    @property
    def pods_directory(self) -> Path:
        """Several nodes may share `directory`, with its volumes; their pods are apart."""
        return self.directory / "pods" / self.node_name
