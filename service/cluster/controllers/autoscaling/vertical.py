"""VerticalPodAutoscaler, the recommender alone: what containers use, as a recommendation.

Changes no pod, whatever the update mode. Simple on purpose: percentiles of what was seen since the
controllers started (a day at most) instead of histograms that fade over eight days. Percentiles,
margin and least amounts are the defaults of the real recommender (kubernetes/autoscaler).
"""

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence

from service.cluster.controllers.autoscaling import targets
from service.cluster.controllers.autoscaling.metrics import PodUsage, pod_usage
from service.cluster.controllers.autoscaling.replicas import MetricError, milli
from service.cluster.controllers.objects import namespace, status, with_condition
from service.cluster.controllers.runtime import Cluster, Controller
from service.cluster.informer import Informer, Key, key_of
from service.cluster.kube import ApiError, Json, Resource

VERTICAL = Resource("autoscaling.k8s.io/v1", "verticalpodautoscalers", "VerticalPodAutoscaler")
LOOK_EVERY_S = 60.0
_FIRST_LOOKS_S = 5.0  # while there is nothing to recommend yet
_KEPT = 24 * 60  # looks
_MARGIN = 1.15
_BOUNDS = {"lowerBound": 0.5, "target": 0.9, "upperBound": 0.95}
_LEAST = {"cpu": 25, "memory": 250 * 2**20 * 1000}  # thousandths, of a pod

Seen = dict[str, dict[str, deque[int]]]  # container, resource, usage in thousandths


def notice(seen: Seen, usages: Iterable[PodUsage]) -> None:
    """Add a look to what was seen. Of a resource the highest of all pods counts."""
    highest: dict[tuple[str, str], int] = {}
    for usage in usages:
        for container, amounts in usage.containers.items():
            for resource, amount in amounts.items():
                key = container, resource
                highest[key] = max(amount, highest.get(key, 0))
    for (container, resource), amount in highest.items():
        seen.setdefault(container, {}).setdefault(resource, deque(maxlen=_KEPT)).append(amount)


def percentile(values: Sequence[int], share: float) -> int:
    """The least value that so many are not above."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def recommendation(autoscaler: Json, seen: Seen) -> list[Json]:
    """status.recommendation.containerRecommendations; containers that are to be left out are."""
    policies = (autoscaler["spec"].get("resourcePolicy") or {}).get("containerPolicies") or []
    by_name = {p.get("containerName", "*"): p for p in policies}
    found = []
    for container, amounts in sorted(seen.items()):
        policy = by_name.get(container, by_name.get("*", {}))
        if policy.get("mode") == "Off":
            continue
        controlled = policy.get("controlledResources") or ["cpu", "memory"]
        one: Json = {"containerName": container}
        for title, share in _BOUNDS.items():
            asked = {
                r: max(_LEAST[r] // len(seen), int(percentile(amounts[r], share) * _MARGIN))
                for r in controlled
                if r in amounts and r in _LEAST
            }
            one[title] = {r: _text(r, _within(v, r, policy)) for r, v in asked.items()}
            if title == "target":
                one["uncappedTarget"] = {r: _text(r, v) for r, v in asked.items()}
        found.append(one)
    return found


def _within(value: int, resource: str, policy: Json) -> int:
    least = (policy.get("minAllowed") or {}).get(resource)
    most = (policy.get("maxAllowed") or {}).get(resource)
    value = value if least is None else max(value, milli(least))
    return value if most is None else min(value, milli(most))


def _text(resource: str, thousandths: int) -> str:
    """Millicores, or bytes."""
    return f"{thousandths}m" if resource == "cpu" else str(math.ceil(thousandths / 1000))


class VerticalAutoscalers(Controller):
    name = "vpa-recommender"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        # The kind is an add-on's, which may come later or never.
        self._autoscalers = Informer(cluster.kube, VERTICAL)
        self._autoscalers.on_change(self._changed)
        self._seen: dict[str, Seen] = defaultdict(dict)

    def _changed(self, kind: str, autoscaler: Json) -> None:
        """Its own status must not make it look again before the time."""
        if kind == "DELETED":
            self._seen.pop(autoscaler["metadata"]["uid"], None)
        elif autoscaler["metadata"]["uid"] not in self._seen:
            self.queue.add(key_of(autoscaler))

    def start(self) -> None:
        self._autoscalers.start()
        super().start()

    def stop(self) -> None:
        self._autoscalers.stop()
        super().stop()

    def reconcile(self, key: Key) -> float | None:
        autoscaler = self._autoscalers.get(key[1], key[0])
        if autoscaler is None:
            return None
        seen, home = self._seen[autoscaler["metadata"]["uid"]], namespace(autoscaler)
        try:
            target = targets.find(self.cluster, autoscaler["spec"]["targetRef"], home)
            notice(seen, pod_usage(self.cluster.kube, home, target.selector).values())
        except (ApiError, MetricError) as error:
            text = error.message if isinstance(error, ApiError) else str(error)
            self._write(autoscaler, seen, text)
        else:
            self._write(autoscaler, seen, "")
        return LOOK_EVERY_S if seen else _FIRST_LOOKS_S

    def _write(self, autoscaler: Json, seen: Seen, trouble: str) -> None:
        held = status(autoscaler)
        told = {"type": "RecommendationProvided", "status": str(bool(seen))}
        if not seen:
            told |= {"reason": "NoPodsMatched" if not trouble else "NoMetrics", "message": trouble}
        conditions = with_condition(held.get("conditions") or [], told, self.cluster.now())
        fresh: Json = {"conditions": conditions}
        if seen:
            found = recommendation(autoscaler, seen)
            fresh["recommendation"] = {"containerRecommendations": found}
        if any(held.get(field) != value for field, value in fresh.items()):
            answer = self.cluster.kube.patch(
                VERTICAL,
                autoscaler["metadata"]["name"],
                {"status": fresh},
                namespace(autoscaler),
                sub="status",
            )
            self._autoscalers.remember(answer)
