"""PodDisruptionBudget: how many of its pods may be evicted now."""

from collections.abc import Callable, Sequence

from service.cluster.controllers.objects import (
    DISRUPTION_BUDGETS,
    active,
    controller_of,
    int_or_percent,
    labels,
    name,
    namespace,
    ready,
    replicas,
    selects,
    status,
    with_condition,
)
from service.cluster.controllers.runtime import Cluster, Controller
from service.cluster.informer import Key
from service.cluster.kube import DEPLOYMENTS, PODS, REPLICASETS, STATEFULSETS, Json

Lookup = Callable[[str, str, str], Json | None]  # kind, name, namespace


def expected(pods: Sequence[Json], lookup: Lookup) -> int:
    """The sum of what the pods' controllers want; pods without one count themselves."""
    total, seen = 0, set()
    for pod in pods:
        scale = _scale(pod, lookup)
        if scale is None:
            total += 1
        elif (key := (scale["metadata"]["uid"])) not in seen:
            seen.add(key)
            total += replicas(scale)
    return total


def _scale(pod: Json, lookup: Lookup) -> Json | None:
    ref = controller_of(pod)
    owner = lookup(ref["kind"], ref["name"], namespace(pod)) if ref else None
    if owner is None:
        return None
    above = controller_of(owner)
    return (lookup(above["kind"], above["name"], namespace(pod)) if above else None) or owner


def new_status(budget: Json, pods: Sequence[Json], wanted: int) -> Json:
    """`pods` are those that the budget selects, `wanted` what `expected` says of them."""
    spec = budget["spec"]
    if (most := spec.get("maxUnavailable")) is not None:
        desired = max(0, wanted - int_or_percent(most, wanted, up=True))
    else:
        least = spec.get("minAvailable", 1)
        wanted = wanted if isinstance(least, str) else len(pods)
        desired = int_or_percent(least, wanted, up=True)
    healthy = sum(active(pod) and ready(pod) for pod in pods)
    return {
        "expectedPods": wanted,
        "desiredHealthy": desired,
        "currentHealthy": healthy,
        "disruptionsAllowed": max(0, healthy - desired) if wanted else 0,
        "observedGeneration": budget["metadata"].get("generation", 0),
    }


class DisruptionBudgets(Controller):
    name = "disruption-controller"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._budgets = self.watch(DISRUPTION_BUDGETS)
        self._pods = cluster.informer(PODS)
        self._pods.on_change(self._pod_changed)
        owners = (REPLICASETS, DEPLOYMENTS, STATEFULSETS)
        self._owners = {r.kind: cluster.informer(r) for r in owners}
        for kind in (DEPLOYMENTS.kind, STATEFULSETS.kind):
            self._owners[kind].on_change(self._owner_changed)

    def _pod_changed(self, _: str, pod: Json) -> None:
        for budget in self._budgets.list(namespace(pod)):
            if selects(budget["spec"].get("selector"), labels(pod)):
                self.queue.add((namespace(budget), name(budget)))

    def _owner_changed(self, _: str, owner: Json) -> None:
        for budget in self._budgets.list(namespace(owner)):
            self.queue.add((namespace(budget), name(budget)))

    def reconcile(self, key: Key) -> float | None:
        home, budget_name = key
        budget = self._budgets.get(budget_name, home)
        if budget is None:
            return None
        selector = budget["spec"].get("selector")
        pods = [pod for pod in self._pods.list(home) if selects(selector, labels(pod))]
        fresh = new_status(budget, pods, expected(pods, self._lookup))
        allowed = fresh["disruptionsAllowed"] > 0
        told = {
            "type": "DisruptionAllowed",
            "status": "True" if allowed else "False",
            "reason": "SufficientPods" if allowed else "InsufficientPods",
            "message": "",
            "observedGeneration": fresh["observedGeneration"],
        }
        held = status(budget).get("conditions") or []
        fresh["conditions"] = with_condition(held, told, self.cluster.now())
        self.cluster.patch_status(DISRUPTION_BUDGETS, budget, fresh)
        return None

    def _lookup(self, kind: str, owner: str, home: str) -> Json | None:
        informer = self._owners.get(kind)
        return informer.get(owner, home) if informer else None
