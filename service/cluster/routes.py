"""Which endpoints a Service's addresses lead to: from what the API says, pure."""

from dataclasses import dataclass

from service.cluster.kube import Json

Address = tuple[str, int]
AFFINITY_S = 10800  # sessionAffinity ClientIP, when no timeout is given


@dataclass(frozen=True, slots=True)
class Route:
    """Where a front address leads; endpoints in no particular order.

    With `affinity_s` a client's connections go to one endpoint until it stays away for so long.
    """

    front: Address
    backends: tuple[Address, ...]
    affinity_s: int | None = None


def routes(services: list[Json], slices: list[Json], node_ip: str | None) -> dict[Address, Route]:
    """From what the API says to what the proxy does: pure."""
    found: dict[Address, Route] = {}
    for service in services:
        spec, metadata = service["spec"], service["metadata"]
        address = spec.get("clusterIP")
        if address in (None, "", "None"):
            continue
        own = [
            s
            for s in slices
            if s["metadata"]["namespace"] == metadata["namespace"]
            and (s["metadata"].get("labels") or {}).get("kubernetes.io/service-name")
            == metadata["name"]
        ]
        affinity_s = _affinity_s(spec)
        for port in spec.get("ports") or []:
            backends = _backends(own, port.get("name", ""))
            fronts = [(address, port["port"])]
            if node_ip and port.get("nodePort"):
                fronts.append((node_ip, port["nodePort"]))
            for front in fronts:
                found[front] = Route(front, backends, affinity_s)
    return found


def _affinity_s(spec: Json) -> int | None:
    if spec.get("sessionAffinity") != "ClientIP":
        return None
    settings = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
    return int(settings.get("timeoutSeconds") or AFFINITY_S)


def _backends(slices: list[Json], port_name: str) -> tuple[Address, ...]:
    found = []
    for piece in slices:
        number = next(
            (p["port"] for p in piece.get("ports") or [] if p.get("name", "") == port_name), None
        )
        for endpoint in piece.get("endpoints") or []:
            ready = (endpoint.get("conditions") or {}).get("ready") is not False
            if ready and number is not None:
                found += [(a, number) for a in endpoint["addresses"]]
    return tuple(sorted(set(found)))
