"""Cluster addresses and node ports of Services."""

from ipaddress import IPv4Network
from typing import Any

from service.cluster.apiserver.errors import StatusError, invalid
from service.cluster.apiserver.kinds import Kind
from service.cluster.apiserver.store import Store

Json = dict[str, Any]
NODE_PORTS = range(30000, 32768)


class Addresses:
    """What is taken is read from the stored Services, so that nothing else has to be kept."""

    def __init__(self, store: Store, services: Kind, network: str) -> None:
        self._store, self._services = store, services
        self._network = IPv4Network(network)

    def assign(self, service: Json, before: Json | None) -> None:
        """Give a Service its clusterIP, node ports and load balancer address; changes it."""
        spec = service["spec"]
        old = (before or {}).get("spec") or {}
        if spec["type"] == "ExternalName":
            return
        taken = {
            s.obj["spec"].get("clusterIP")
            for s in self._store.each(self._services)
            if s.obj["metadata"]["uid"] != service["metadata"]["uid"]
        }
        spec["clusterIP"] = (
            spec.get("clusterIP") or old.get("clusterIP") or self._free_address(taken)
        )
        if spec["clusterIP"] in taken - {"None"}:
            message = f'Invalid value: "{spec["clusterIP"]}": provided IP is already allocated'
            name = service["metadata"]["name"]
            raise invalid("Service", "", name, [("spec.clusterIPs", message)])
        spec["clusterIPs"] = [spec["clusterIP"]]
        if spec["type"] in ("NodePort", "LoadBalancer"):
            self._assign_node_ports(service, old)
        status = service.setdefault("status", {})
        if spec["type"] == "LoadBalancer":
            # As a cloud's load balancer would; here the cluster address reaches every client.
            entry = {"ip": spec["clusterIP"], "ipMode": "VIP"}
            status["loadBalancer"] = {"ingress": [entry]}
        else:
            status["loadBalancer"] = {}

    def _free_address(self, taken: set[str]) -> str:
        for host in self._network.hosts():
            if str(host) not in taken:
                return str(host)
        raise StatusError(500, "InternalError", "no free cluster address is left")

    def _assign_node_ports(self, service: Json, old: Json) -> None:
        before = {p.get("name", ""): p.get("nodePort") for p in old.get("ports", [])}
        taken = {
            p.get("nodePort")
            for s in self._store.each(self._services)
            if s.obj["metadata"]["uid"] != service["metadata"]["uid"]
            for p in s.obj["spec"].get("ports", [])
        }
        for port in service["spec"].get("ports", []):
            wanted = port.get("nodePort") or before.get(port.get("name", ""))
            port["nodePort"] = wanted or next(n for n in NODE_PORTS if n not in taken)
            taken.add(port["nodePort"])
