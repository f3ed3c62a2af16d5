"""Deployments, the pure part: which ReplicaSets there ought to be, and of which sizes.

One call gives one step; the next step follows from the state that the step brings about. The
arithmetic is the one that the Deployment reference documents (maxSurge, maxUnavailable,
proportional scaling, revision history).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from service.cluster.controllers.objects import (
    annotations,
    deleting,
    int_or_percent,
    name,
    namespace,
    owner_reference,
    replicas,
    short_hash,
    status,
)
from service.cluster.kube import DEPLOYMENTS, Json

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
_NOT_COPIED = (
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    "deployment.kubernetes.io/revision-history",
    DESIRED,
    MAXIMUM,
    "deprecated.deployment.rollback.to",
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many pods a rolling update may have too many, and too few."""

    surge: int
    unavailable: int


def bounds(deployment: Json) -> Bounds:
    """Surge rounds up, unavailable down; when both are zero, one may be missing after all."""
    if recreates(deployment):
        return Bounds(0, 0)
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    total = replicas(deployment)
    surge = int_or_percent(rolling.get("maxSurge", "25%"), total, up=True)
    unavailable = int_or_percent(rolling.get("maxUnavailable", "25%"), total, up=False)
    if not surge and not unavailable:
        unavailable = 1
    return Bounds(surge, min(unavailable, total))


def recreates(deployment: Json) -> bool:
    return (deployment["spec"].get("strategy") or {}).get("type") == "Recreate"


def revision(replica_set: Json) -> int:
    return int(annotations(replica_set).get(REVISION, "0"))


def _age(replica_set: Json) -> tuple[str, str]:
    return replica_set["metadata"]["creationTimestamp"], name(replica_set)


def same_template(deployment: Json, replica_set: Json) -> bool:
    return _without_hash(replica_set["spec"]["template"]) == _without_hash(
        deployment["spec"]["template"]
    )


def _without_hash(template: Json) -> Json:
    metadata = dict(template.get("metadata") or {})
    metadata.pop("creationTimestamp", None)
    kept = {k: v for k, v in (metadata.get("labels") or {}).items() if k != HASH_LABEL}
    return {"metadata": {**metadata, "labels": kept}, "spec": template["spec"]}


def split(deployment: Json, sets: Sequence[Json]) -> tuple[Json | None, list[Json]]:
    """The set of the current template (the oldest, should there be two) and the others by age."""
    ordered = sorted(sets, key=_age)
    new = next((s for s in ordered if same_template(deployment, s)), None)
    return new, [s for s in ordered if s is not new]


def next_revision(new: Json | None, olds: Sequence[Json]) -> int:
    """One more than the highest of the others; a set that is the highest already keeps its own."""
    highest = max(map(revision, olds), default=0) + 1
    return max(highest, revision(new)) if new else highest


def set_annotations(deployment: Json, number: int) -> dict[str, str]:
    """What a deployment's current ReplicaSet is annotated with."""
    copied = {k: v for k, v in annotations(deployment).items() if k not in _NOT_COPIED}
    return {**copied, REVISION: str(number)}


def size_annotations(deployment: Json) -> dict[str, str]:
    total = replicas(deployment)
    return {DESIRED: str(total), MAXIMUM: str(total + bounds(deployment).surge)}


def new_set(deployment: Json, olds: Sequence[Json]) -> Json:
    """The ReplicaSet of the current template, as large as the update allows at once."""
    spec = deployment["spec"]
    template = spec["template"]
    collisions = status(deployment).get("collisionCount") or 0
    hashed = short_hash([_without_hash(template), collisions])
    with_hash = {**((template.get("metadata") or {}).get("labels") or {}), HASH_LABEL: hashed}
    selector = spec["selector"]
    exact = {**(selector.get("matchLabels") or {}), HASH_LABEL: hashed}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name(deployment)}-{hashed}",
            "namespace": namespace(deployment),
            "labels": with_hash,
            "annotations": {
                **set_annotations(deployment, next_revision(None, olds)),
                **size_annotations(deployment),
            },
            "ownerReferences": [owner_reference(deployment, DEPLOYMENTS)],
        },
        "spec": {
            "replicas": _new_size(deployment, None, olds),
            "minReadySeconds": spec.get("minReadySeconds") or 0,
            "selector": {**selector, "matchLabels": exact},
            "template": {
                **template,
                "metadata": {**(template.get("metadata") or {}), "labels": with_hash},
            },
        },
    }


def _new_size(deployment: Json, new: Json | None, olds: Sequence[Json]) -> int:
    wanted, now = replicas(deployment), replicas(new) if new else 0
    if recreates(deployment):
        return wanted if not any(map(replicas, olds)) else now
    if now >= wanted:
        return wanted
    room = wanted + bounds(deployment).surge - now - sum(map(replicas, olds))
    return now + max(0, min(room, wanted - now))


def sizes(
    deployment: Json, new: Json | None, olds: Sequence[Json], *, old_pods: bool
) -> dict[str, int]:
    """The next size of each ReplicaSet whose size is to be looked after, by name.

    `old_pods` says that pods of former templates still run (Recreate waits for their end).
    """
    everything = [*olds, *([new] if new else [])]
    if deployment["spec"].get("paused") or _was_scaled(deployment, everything):
        return _scaled(deployment, new, olds)
    assert new is not None, "the current template has its set before sizes are asked for"
    if recreates(deployment):
        if any(map(replicas, olds)):
            return {name(s): 0 for s in olds}
        return {} if old_pods else {name(new): replicas(deployment)}
    size = _new_size(deployment, new, olds)
    if size != replicas(new):
        return {name(new): size}
    return {name(new): size, **_shrunk(deployment, new, olds)}


def _was_scaled(deployment: Json, sets: Sequence[Json]) -> bool:
    wanted = str(replicas(deployment))
    return any(replicas(s) and annotations(s).get(DESIRED, wanted) != wanted for s in sets)


def _shrunk(deployment: Json, new: Json, olds: Sequence[Json]) -> dict[str, int]:
    """Old sets give up broken pods first, then healthy ones while enough are available."""
    least = replicas(deployment) - bounds(deployment).unavailable
    total = replicas(new) + sum(map(replicas, olds))
    new_missing = replicas(new) - (status(new).get("availableReplicas") or 0)
    spare = total - least - new_missing
    left = {name(s): replicas(s) for s in olds}
    for old in olds:
        broken = max(0, replicas(old) - (status(old).get("availableReplicas") or 0))
        given = max(0, min(broken, spare))
        left[name(old)] -= given
        spare -= given
    healthy = sum(status(s).get("availableReplicas") or 0 for s in [new, *olds])
    spare = min(spare, healthy - least)
    for old in olds:
        given = max(0, min(left[name(old)], spare))
        left[name(old)] -= given
        spare -= given
    return {key: size for key, size in left.items() if size != _size_of(olds, key)}


def _size_of(sets: Sequence[Json], key: str) -> int:
    return next(replicas(s) for s in sets if name(s) == key)


def _scaled(deployment: Json, new: Json | None, olds: Sequence[Json]) -> dict[str, int]:
    """After spec.replicas changed: one active set takes it all, several share in proportion."""
    wanted = replicas(deployment)
    everything = [*olds, *([new] if new else [])]
    grown = [s for s in everything if replicas(s)]
    if len(grown) <= 1:
        only = grown[0] if grown else new or max(everything, key=revision, default=None)
        return {name(only): wanted} if only else {}
    if new and (status(new).get("availableReplicas") or 0) >= wanted == replicas(new):
        return {name(s): 0 for s in olds}
    if recreates(deployment):
        return {}
    total = sum(map(replicas, grown))
    most = wanted + bounds(deployment).surge if wanted else 0
    room = most - total
    # Largest first; of equals the younger when growing, the older when shrinking.
    ordered = sorted(grown, key=_age, reverse=room > 0)
    ordered.sort(key=replicas, reverse=True)
    shared: dict[str, int] = {}
    left = room
    for one in ordered:
        before = int(annotations(one).get(MAXIMUM, "0")) or replicas(deployment)
        share = int(replicas(one) * most / before + 0.5) - replicas(one)
        share = max(min(share, left), 0) if room > 0 else min(max(share, left), 0)
        shared[name(one)] = max(0, replicas(one) + share)
        left -= share
    first = name(ordered[0])
    shared[first] = max(0, shared[first] + left)
    return shared


def forgotten(deployment: Json, olds: Sequence[Json]) -> list[Json]:
    """Old sets beyond revisionHistoryLimit (10 when unset), the oldest revisions first."""
    limit = deployment["spec"].get("revisionHistoryLimit")
    empty = sorted((s for s in olds if _empty(s)), key=revision)
    return empty[: max(0, len(olds) - (10 if limit is None else limit))]


def _empty(replica_set: Json) -> bool:
    seen = status(replica_set)
    return (
        not replicas(replica_set)
        and not seen.get("replicas")
        and not deleting(replica_set)
        and seen.get("observedGeneration", 0) >= replica_set["metadata"].get("generation", 0)
    )
