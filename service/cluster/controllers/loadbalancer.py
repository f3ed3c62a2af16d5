"""Services of type LoadBalancer: the cluster's own address is the outside's, too.

Everything here is on one machine's loopback network, so that a Service's address can be reached
from outside the cluster as it is.
"""

from service.cluster.controllers.objects import deleting, status
from service.cluster.controllers.runtime import Cluster, Controller
from service.cluster.informer import Key
from service.cluster.kube import SERVICES, Json


def addresses(service: Json) -> list[Json]:
    """What status.loadBalancer.ingress ought to hold."""
    address = service["spec"].get("clusterIP")
    if service["spec"].get("type") != "LoadBalancer" or address in (None, "", "None"):
        return []
    return [{"ip": address, "ipMode": "VIP"}]


class LoadBalancers(Controller):
    name = "service-controller"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._services = self.watch(SERVICES)

    def reconcile(self, key: Key) -> float | None:
        service = self._services.get(key[1], key[0])
        if service is None or deleting(service):
            return None
        wanted = addresses(service)
        held = (status(service).get("loadBalancer") or {}).get("ingress") or []
        if held != wanted:
            change = {"loadBalancer": {"ingress": wanted or None}}
            self.cluster.patch_status(SERVICES, service, change)
            if wanted:
                text = "Ensured load balancer"
                self.cluster.events.normal(
                    self.name, SERVICES, service, "EnsuredLoadBalancer", text
                )
        return None
