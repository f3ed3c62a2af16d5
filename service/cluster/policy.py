"""NetworkPolicies as a decision about one connection, and as a table of all that are restricted.

Pure. The semantics are those of the networking.k8s.io/v1 reference: a pod that no policy selects
for a direction is free in it; one that is selected may do what the rules together allow; a
connection needs both its client's and its server's leave. Where the reference leaves it open,
ipBlock means addresses that are no pod's, as with Cilium.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address, ip_network

from service.cluster.bpf import ALLOWED, RESTRICTED, Flow
from service.cluster.controllers.objects import finished, labels, name, namespace, selects, status
from service.cluster.kube import Json

ENFORCED = "gameday.dev/network-policies"  # an annotation of nodes: "true" or "false"
ANY = ""
_ALL_PORTS = range(1, 65536)
Ports = frozenset[int] | None  # None: all


@dataclass(frozen=True, slots=True)
class _Rule:
    """One ingress or egress rule, with the namespace that its podSelectors mean."""

    home: str
    peers: Sequence[Json]
    ports: Sequence[Json]

    def ports_of(self, server: Json | None) -> Ports:
        """Port numbers at the server; names are those of its containers."""
        if not self.ports:
            return None
        found: set[int] = set()
        for port in self.ports:
            if port.get("protocol", "TCP") != "TCP":
                continue
            given = port.get("port")
            if given is None:
                return None
            if isinstance(given, str) and not given.isdigit():
                found |= _named_ports(server, given)
            else:
                found |= set(range(int(given), int(port.get("endPort") or given) + 1))
        return None if len(found) == len(_ALL_PORTS) else frozenset(found)


def _named_ports(pod: Json | None, wanted: str) -> set[int]:
    containers = pod["spec"]["containers"] if pod else []
    return {
        p["containerPort"]
        for c in containers
        for p in c.get("ports") or []
        if p.get("name") == wanted
    }


def both(one: Ports, other: Ports) -> Ports:
    if one is None or other is None:
        return one if other is None else other
    return one & other


@dataclass(frozen=True)
class Firewall:
    """What the policies say, over pods as they are now."""

    pods: Sequence[Json]
    namespaces: Sequence[Json]
    policies: Sequence[Json]

    @cached_property
    def by_address(self) -> dict[str, Json]:
        return {
            status(pod)["podIP"]: pod
            for pod in self.pods
            if status(pod).get("podIP") and not finished(pod)
        }

    @cached_property
    def _labels_of(self) -> dict[str, dict[str, str]]:
        return {name(n): labels(n) for n in self.namespaces}

    @cached_property
    def _isolating(self) -> dict[tuple[str, str], list[_Rule]]:
        """The rules for each restricted (address, direction); a pod that is not there is free."""
        found: dict[tuple[str, str], list[_Rule]] = {}
        for policy in self.policies:
            spec, home = policy["spec"], namespace(policy)
            for way in _types(spec):
                peers, field = ("from", "ingress") if way == "Ingress" else ("to", "egress")
                rules = [
                    _Rule(home, rule.get(peers) or [], rule.get("ports") or [])
                    for rule in spec.get(field) or []
                ]
                for address, pod in self.by_address.items():
                    if namespace(pod) == home and selects(spec.get("podSelector"), labels(pod)):
                        found.setdefault((address, way), []).extend(rules)
        return found

    def ports(self, client: str, server: str) -> Ports:
        """Ports that may be reached between two addresses; None: every one."""
        if client == server:
            return None
        leave = self._granted(client, "Egress", peer=server, server=server)
        return both(leave, self._granted(server, "Ingress", peer=client, server=server))

    def permits(self, client: str, server: str, port: int) -> bool:
        allowed = self.ports(client, server)
        return allowed is None or port in allowed

    def _granted(self, subject: str, way: str, *, peer: str, server: str) -> Ports:
        rules = self._isolating.get((subject, way))
        if rules is None:
            return None
        pod = self.by_address.get(server)
        granted: frozenset[int] = frozenset()
        for rule in rules:
            if self._matches(rule, peer):
                ports = rule.ports_of(pod)
                if ports is None:
                    return None
                granted |= ports
        return granted

    def _matches(self, rule: _Rule, peer: str) -> bool:
        return not rule.peers or any(self._is(one, rule.home, peer) for one in rule.peers)

    def _is(self, wanted: Json, home: str, peer: str) -> bool:
        pod = self.by_address.get(peer)
        if (block := wanted.get("ipBlock")) is not None:
            return pod is None and peer != ANY and _inside(block, peer)
        if pod is None:
            return False
        if (of := wanted.get("namespaceSelector")) is not None:
            if not selects(of, self._labels_of.get(namespace(pod), {})):
                return False
        elif namespace(pod) != home:
            return False
        chosen = wanted.get("podSelector")
        return chosen is None or selects(chosen, labels(pod))

    def table(
        self, services: Mapping[tuple[str, int], Sequence[tuple[str, int]]], others: Iterable[str]
    ) -> dict[Flow, int]:
        """Every restricted flow between pods, and from them to services and `others`.

        `services` are ready endpoints by front address; `others` are addresses of no pod. A pod
        with restricted egress reaches nothing that is not in the table.
        """
        if not self._isolating:
            return {}
        found: dict[Flow, int] = {}
        for client in self.by_address:
            isolated = (client, "Egress") in self._isolating
            for server in self.by_address:
                if isolated or (server, "Ingress") in self._isolating:
                    _note(found, client, server, self.ports(client, server), isolated=isolated)
            if isolated:
                for server in others:
                    _note(found, client, server, self.ports(client, server), isolated=True)
                _note(found, client, ANY, self.ports(client, ANY), isolated=False)
            self._note_services(found, client, services, isolated=isolated)
        return found

    def _note_services(
        self,
        found: dict[Flow, int],
        client: str,
        services: Mapping[tuple[str, int], Sequence[tuple[str, int]]],
        *,
        isolated: bool,
    ) -> None:
        """A service is out of reach when all its endpoints are; the proxy takes one of the rest."""
        for (front, port), backends in services.items():
            reachable = not backends or any(self.permits(client, *one) for one in backends)
            if isolated or not reachable:
                found.setdefault((client, front, 0), RESTRICTED)
            if reachable:
                found[client, front, port] = ALLOWED


def _note(
    found: dict[Flow, int], client: str, server: str, ports: Ports, *, isolated: bool
) -> None:
    if ports is not None:
        found[client, server, 0] = RESTRICTED
        found.update(dict.fromkeys(((client, server, port) for port in ports), ALLOWED))
    elif isolated:
        found[client, server, 0] = ALLOWED


def _types(spec: Json) -> list[str]:
    given: list[str] | None = spec.get("policyTypes")
    return given or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])


def _inside(block: Json, address: str) -> bool:
    where = ip_address(address)
    kept_out = block.get("except") or []
    return where in ip_network(block["cidr"], strict=False) and not any(
        where in ip_network(cidr, strict=False) for cidr in kept_out
    )
