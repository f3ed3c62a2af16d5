"""EndpointSlices: the addresses behind each Service, with what may be said of each of them.

An endpoint that is unready or being deleted stays listed with ready false, as in the real one;
whoever balances load takes those with ready true.
"""

from collections.abc import Sequence

from service.cluster.controllers.objects import (
    controlled_by,
    deleting,
    finished,
    labels,
    name,
    namespace,
    owner_reference,
    ready,
    short_hash,
    status,
    uid,
)
from service.cluster.controllers.runtime import Cluster, Controller
from service.cluster.informer import Key
from service.cluster.kube import ENDPOINT_SLICES, PODS, SERVICES, Json

SERVICE_LABEL = "kubernetes.io/service-name"
_MANAGER_LABEL = "endpointslice.kubernetes.io/managed-by"
_MANAGER = "endpointslice-controller.k8s.io"
_HEADLESS_LABEL = "service.kubernetes.io/headless"


def target_port(pod: Json, port: Json) -> int | None:
    """The number a Service's port leads to in a pod; None for a name that the pod has not."""
    target: int | str = port.get("targetPort") or port["port"]
    if isinstance(target, int):
        return target
    if target.isdigit():
        return int(target)
    protocol = port.get("protocol", "TCP")
    for container in pod["spec"]["containers"]:
        for own in container.get("ports") or []:
            if own.get("name") == target and own.get("protocol", "TCP") == protocol:
                return int(own["containerPort"])
    return None


def endpoint(pod: Json, *, publish_not_ready: bool) -> Json:
    serving, terminating = ready(pod), deleting(pod)
    found: Json = {
        "addresses": [status(pod)["podIP"]],
        "conditions": {
            "ready": publish_not_ready or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": {
            "kind": "Pod",
            "name": name(pod),
            "namespace": namespace(pod),
            "uid": uid(pod),
        },
    }
    if pod["spec"].get("nodeName"):
        found["nodeName"] = pod["spec"]["nodeName"]
    if pod["spec"].get("hostname") and pod["spec"].get("subdomain"):
        found["hostname"] = pod["spec"]["hostname"]
    return found


def slices(service: Json, pods: Sequence[Json]) -> list[Json]:
    """The slices that a Service ought to have: one for each set of port numbers among its pods.

    `pods` are those that it selects. A Service without pods has one empty slice.
    """
    early = bool(service["spec"].get("publishNotReadyAddresses"))
    groups: dict[tuple[int | None, ...], list[Json]] = {}
    ports = service["spec"].get("ports") or []
    for pod in sorted(pods, key=name):
        if status(pod).get("podIP") and not finished(pod):
            numbers = tuple(target_port(pod, port) for port in ports)
            groups.setdefault(numbers, []).append(endpoint(pod, publish_not_ready=early))
    if not groups:
        groups[tuple(None for _ in ports)] = []
    return [_slice(service, ports, numbers, found) for numbers, found in groups.items()]


def _slice(
    service: Json, ports: Sequence[Json], numbers: Sequence[int | None], endpoints: list[Json]
) -> Json:
    named = {
        **{k: v for k, v in labels(service).items() if "kubernetes.io/" not in k},
        SERVICE_LABEL: name(service),
        _MANAGER_LABEL: _MANAGER,
    }
    if service["spec"].get("clusterIP") == "None":
        named[_HEADLESS_LABEL] = ""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            # The name follows from the ports, so that a slice is found again without a search.
            "name": f"{name(service)}-{short_hash([uid(service), list(numbers)])[:5]}",
            "namespace": namespace(service),
            "labels": named,
            "ownerReferences": [owner_reference(service, SERVICES)],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [
            {
                "name": port.get("name", ""),
                "port": number,
                "protocol": port.get("protocol", "TCP"),
            }
            for port, number in zip(ports, numbers, strict=True)
            if number is not None
        ],
    }


class Endpoints(Controller):
    name = "endpoint-slice-controller"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._services = self.watch(SERVICES)
        self._slices = self.watch_owned(ENDPOINT_SLICES, SERVICES)
        self._pods = cluster.informer(PODS)
        self._pods.on_change(self._pod_changed)

    def _pod_changed(self, _: str, pod: Json) -> None:
        for service in self._services.list(namespace(pod)):
            if _selected(service, pod):
                self.queue.add((namespace(service), name(service)))

    def reconcile(self, key: Key) -> float | None:
        home, service_name = key
        service = self._services.get(service_name, home)
        if service is None or deleting(service) or not service["spec"].get("selector"):
            return None
        pods = [pod for pod in self._pods.list(home) if _selected(service, pod)]
        held = {name(s): s for s in self._slices.list(home) if controlled_by(s, service)}
        for wanted in slices(service, pods):
            present = held.pop(name(wanted), None)
            if present is None:
                self.cluster.create(ENDPOINT_SLICES, wanted, home)
            elif _differs(present, wanted):
                change = {k: wanted[k] for k in ("endpoints", "ports")}
                change["metadata"] = {"labels": labels(wanted)}
                self.cluster.patch(ENDPOINT_SLICES, present, change)
        for stale in held.values():
            self.cluster.delete(ENDPOINT_SLICES, stale)
        return None


def _selected(service: Json, pod: Json) -> bool:
    selector = service["spec"].get("selector")
    return bool(selector) and selector.items() <= labels(pod).items()


def _differs(present: Json, wanted: Json) -> bool:
    same = all((present.get(k) or []) == wanted[k] for k in ("endpoints", "ports"))
    return not same or labels(present) != labels(wanted)
