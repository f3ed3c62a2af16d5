"""What the node does for its pods' network: a source address for each, and NetworkPolicies."""

import logging
import threading
import time

from service.cluster import bpf
from service.cluster.agent.cgroups import Group
from service.cluster.agent.node_context import NodeContext
from service.cluster.informer import Informer
from service.cluster.kube import ENDPOINT_SLICES, NAMESPACES, NETWORK_POLICIES
from service.cluster.policy import Firewall
from service.cluster.routes import routes

log = logging.getLogger(__name__)

_SETTLE_S = 0.02  # changes come in groups


def identify(group: Group, address: str) -> None:
    """Let the group's connections come from the pod's address, where the system allows it."""
    if group.network is not None and address:
        try:
            bpf.give_source(group.network, address)
        except OSError as error:
            log.debug("no source address for %s: %s", address, error.strerror or error)


class NetworkPolicies:
    """Keeps the packet filter of the node's pods in step with the API, in a thread of its own."""

    def __init__(self, node: NodeContext) -> None:
        self._node = node
        self._changed = threading.Event()
        self._policies, self._namespaces, self._slices = (
            Informer(node.kube, r) for r in (NETWORK_POLICIES, NAMESPACES, ENDPOINT_SLICES)
        )
        self._filter: bpf.PacketFilter | None = None
        why = "no control groups of version 2"
        group = node.cgroups.network if node.cgroups else None
        if group is not None:
            try:
                group.mkdir(parents=True, exist_ok=True)
                self._filter = bpf.PacketFilter(group)
            except OSError as error:
                why = str(error.strerror or error)
        self.enforced = self._filter is not None
        self.description = (
            "NetworkPolicies enforced" if self.enforced else f"NetworkPolicies not enforced ({why})"
        )

    def start(self) -> None:
        """Before the pods' informer starts."""
        if self._filter is None:
            return
        for informer in (self._policies, self._namespaces, self._slices):
            informer.on_change(lambda *_: self._changed.set())
            informer.start()
        for shared in (self._node.pods, self._node.services):
            shared.on_change(lambda *_: self._changed.set())
        threading.Thread(
            target=self._run, args=(self._filter,), name="network", daemon=True
        ).start()

    def _run(self, packet_filter: bpf.PacketFilter) -> None:
        while self._changed.wait():
            time.sleep(_SETTLE_S)
            self._changed.clear()
            try:
                packet_filter.apply(self._table())
            except OSError as error:
                log.warning("network policies: %s", error.strerror or error)

    def _table(self) -> dict[bpf.Flow, int]:
        policies = self._policies.list()
        if not policies:
            return {}
        firewall = Firewall(self._node.pods.list(), self._namespaces.list(), policies)
        found = routes(self._node.services.list(), self._slices.list(), None)
        fronts = {front: route.backends for front, route in found.items()}
        others = ("127.0.0.1", self._node.node_ip, self._node.api_address[0])
        return firewall.table(fronts, others)
