"""PersistentVolumeClaims: bound at once. The storage itself is the node agent's."""

from service.cluster.controllers.objects import deleting, phase
from service.cluster.controllers.runtime import Cluster, Controller
from service.cluster.informer import Key
from service.cluster.kube import PVCS, Json


def bound(claim: Json) -> Json:
    """The status of a claim that has all it asked for."""
    spec = claim["spec"]
    capacity = ((spec.get("resources") or {}).get("requests")) or {}
    return {"phase": "Bound", "accessModes": spec.get("accessModes") or [], "capacity": capacity}


class Claims(Controller):
    name = "persistentvolume-controller"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._claims = self.watch(PVCS)

    def reconcile(self, key: Key) -> float | None:
        claim = self._claims.get(key[1], key[0])
        if claim is not None and not deleting(claim) and phase(claim) != "Bound":
            self.cluster.patch_status(PVCS, claim, bound(claim))
        return None
