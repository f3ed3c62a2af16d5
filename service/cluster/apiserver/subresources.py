"""Subresources that write: scale, binding, eviction, service account tokens."""

import math
from typing import Any

from service.cluster.apiserver import errors
from service.cluster.apiserver.kinds import Kind, ScalePaths
from service.cluster.apiserver.resources import Resources, timestamp
from service.cluster.apiserver.selectors import selector_of

Json = dict[str, Any]


def scale_of(kind: Kind, obj: Json) -> Json:
    """The autoscaling/v1 Scale of a workload; a custom one has the selector as text."""
    metadata = obj["metadata"]
    labels = ((obj.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    paths, selector = ScalePaths(), ",".join(f"{k}={v}" for k, v in labels.items())
    if kind.custom is not None and kind.custom.scale is not None:
        paths = kind.custom.scale
        selector = _at(obj, paths.selector, "") if paths.selector else ""
    wanted = 0 if kind.custom is not None else 1
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            k: metadata[k]
            for k in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        },
        "spec": {"replicas": _at(obj, paths.replicas, wanted)},
        "status": {"replicas": _at(obj, paths.status_replicas, 0), "selector": selector},
    }


def _at(obj: Any, path: tuple[str, ...], otherwise: Any) -> Any:
    for name in path:
        obj = obj.get(name) if isinstance(obj, dict) else None
    return otherwise if obj is None else obj


def _put(obj: Json, path: tuple[str, ...], value: Any) -> Json:
    """The object with this value at the path."""
    name, *rest = path
    return {**obj, name: _put(obj.get(name) or {}, tuple(rest), value) if rest else value}


def rescaled(kind: Kind, obj: Json, scale: Json) -> Json:
    """The workload with the Scale's number of replicas; its resourceVersion is a precondition."""
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    version = (scale.get("metadata") or {}).get("resourceVersion")
    metadata = {**obj["metadata"], **({"resourceVersion": version} if version else {})}
    paths = (kind.custom and kind.custom.scale) or ScalePaths()
    return _put({**obj, "metadata": metadata}, paths.replicas, replicas)


def bind(resources: Resources, pods: Kind, namespace: str, name: str, binding: Json) -> None:
    """Assign a pod to a node, once."""
    _require_name(binding, name, "Binding")
    node = (binding.get("target") or {}).get("name")
    if not node:
        raise errors.invalid("Binding", "", name, [("target.name", "Required value")])
    before = resources.get(pods, namespace, name).obj
    if before["spec"].get("nodeName"):
        raise errors.conflict(
            "pods/binding", "", name, f'pod {name} is already assigned to node "{node}"'
        )
    status = before.get("status") or {}
    kept = [c for c in status.get("conditions") or [] if c["type"] != "PodScheduled"]
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": timestamp()}
    resources.store.put(
        pods,
        {
            **before,
            "spec": {**before["spec"], "nodeName": node},
            "status": {**status, "conditions": [*kept, scheduled]},
        },
    )


def _require_name(body: Json, name: str, kind: str) -> None:
    """The object in the body has to be named after the pod."""
    if (body.get("metadata") or {}).get("name") != name:
        raise errors.bad_request(f"name in URL does not match name in {kind} object")


def evict(
    resources: Resources,
    pods: Kind,
    namespace: str,
    name: str,
    eviction: Json,
    *,
    dry_run: bool,
) -> None:
    """Delete a pod unless a PodDisruptionBudget forbids it now (429)."""
    _require_name(eviction, name, "Eviction")
    pod = resources.get(pods, namespace, name).obj
    budgets = resources.kinds.named("poddisruptionbudgets", "policy")
    phase = (pod.get("status") or {}).get("phase")
    counted = phase not in ("Pending", "Succeeded", "Failed")
    ending = "deletionTimestamp" in pod["metadata"]
    guards = list(resources.store.each(budgets, namespace)) if counted and not ending else []
    for stored in guards:
        budget = stored.obj
        if not selector_of(budget["spec"].get("selector"))(pod):
            continue
        status = budget.get("status") or {}
        if status.get("disruptionsAllowed", 0) < 1:
            title = budget["metadata"]["name"]
            cause = {
                "reason": "DisruptionBudget",
                "message": f"The disruption budget {title} needs"
                f" {status.get('desiredHealthy', 0)} healthy pods and has"
                f" {status.get('currentHealthy', 0)} currently",
            }
            raise errors.StatusError(
                429,
                "TooManyRequests",
                "Cannot evict pod as it would violate the pod's disruption budget.",
                {"causes": [cause]},
            )
        if dry_run:
            continue
        left = math.floor(status["disruptionsAllowed"] - 1)
        resources.store.put(budgets, {**budget, "status": {**status, "disruptionsAllowed": left}})
    options = eviction.get("deleteOptions") or {}
    resources.delete(pods, namespace, name, options, dry_run=dry_run)
