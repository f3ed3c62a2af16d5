"""ControllerRevisions: a template's history, as `kubectl rollout` reads it.

Of StatefulSets, whose pods carry the revision's name, and of DaemonSets, whose pods carry its hash.
"""

from collections.abc import Sequence

from service.cluster.controllers.objects import (
    CONTROLLER_REVISIONS,
    labels,
    name,
    namespace,
    owner_reference,
    short_hash,
    status,
)
from service.cluster.controllers.runtime import Cluster
from service.cluster.kube import STATEFULSETS, Json, Resource

HASH_LABEL = "controller-revision-hash"
_DEFAULT_LIMIT = 10


def data_of(workload: Json) -> Json:
    """The patch that brings a StatefulSet back to its present template."""
    return {"spec": {"template": {**workload["spec"]["template"], "$patch": "replace"}}}


def template_of(revision: Json) -> Json:
    template = revision["data"]["spec"]["template"]
    return {k: v for k, v in template.items() if k != "$patch"}


def ensure(
    cluster: Cluster, workload: Json, known: Sequence[Json], kind: Resource = STATEFULSETS
) -> Json:
    """The revision of the present template: found, raised to the newest, or created."""
    data = data_of(workload)
    newest = max((r["revision"] for r in known), default=0)
    for held in known:
        if held["data"] == data:
            if held["revision"] == newest:
                return held
            return cluster.patch(CONTROLLER_REVISIONS, held, {"revision": newest + 1})
    collisions = status(workload).get("collisionCount") or 0
    hashed = short_hash([data, collisions])
    own = workload["spec"]["selector"].get("matchLabels") or {}
    body = {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": f"{name(workload)}-{hashed}",
            "namespace": namespace(workload),
            "labels": {**own, HASH_LABEL: hashed},
            "ownerReferences": [owner_reference(workload, kind)],
        },
        "data": data,
        "revision": newest + 1,
    }
    return cluster.create(CONTROLLER_REVISIONS, body, namespace(workload))


def forgotten(workload: Json, known: Sequence[Json], pods: Sequence[Json]) -> list[Json]:
    """Revisions beyond revisionHistoryLimit that nothing uses, oldest first."""
    limit = workload["spec"].get("revisionHistoryLimit")
    limit = _DEFAULT_LIMIT if limit is None else limit
    seen = status(workload)
    used = {seen.get("currentRevision"), seen.get("updateRevision")}
    used |= {labels(pod).get(HASH_LABEL) for pod in pods}
    unused = sorted(
        (r for r in known if not {name(r), labels(r).get(HASH_LABEL)} & used),
        key=lambda r: int(r["revision"]),
    )
    return unused[: max(0, len(unused) - limit)]
