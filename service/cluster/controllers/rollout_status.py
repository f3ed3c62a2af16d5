"""A Deployment's status, the pure part: counts, and the conditions Available and Progressing.

Reasons and messages are those that `kubectl rollout status`, `describe` and people look for.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from service.cluster.controllers.objects import (
    condition,
    moment,
    name,
    replicas,
    timestamp,
    with_condition,
)
from service.cluster.controllers.objects import status as status_of
from service.cluster.controllers.rollout import bounds
from service.cluster.kube import Json

_DEFAULT_DEADLINE_S = 600
_NO_DEADLINE_S = 2**31 - 1


def deadline_s(deployment: Json) -> int | None:
    """progressDeadlineSeconds; None when the deployment has none."""
    value = deployment["spec"].get("progressDeadlineSeconds")
    if value is None:
        return _DEFAULT_DEADLINE_S
    return None if value == _NO_DEADLINE_S else int(value)


def _counts(deployment: Json, new: Json | None, olds: Sequence[Json]) -> Json:
    everything = [s for s in [new, *olds] if s is not None]

    def total(field: str, sets: Sequence[Json] = everything) -> int:
        return sum(status_of(s).get(field) or 0 for s in sets)

    wanted = sum(map(replicas, everything))
    available = total("availableReplicas")
    counts = {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "replicas": total("replicas"),
        "updatedReplicas": total("replicas", [new] if new else []),
        "readyReplicas": total("readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, wanted - available),
        "terminatingReplicas": total("terminatingReplicas"),
    }
    if (collisions := status_of(deployment).get("collisionCount")) is not None:
        counts["collisionCount"] = collisions
    return counts


def complete(deployment: Json, counts: Json) -> bool:
    """Every wanted pod is of the current template and available, and no other is left."""
    wanted = replicas(deployment)
    fields = ("updatedReplicas", "replicas", "availableReplicas")
    return all((counts.get(field) or 0) == wanted for field in fields)


def _progressed(before: Json, counts: Json) -> bool:
    def grew(field: str) -> bool:
        return bool(counts[field] > (before.get(field) or 0))

    old_before = (before.get("replicas") or 0) - (before.get("updatedReplicas") or 0)
    old_now = counts["replicas"] - counts["updatedReplicas"]
    grown = any(map(grew, ("updatedReplicas", "readyReplicas", "availableReplicas")))
    return grown or bool(old_now < old_before)


def _progressing(value: str, reason: str, message: str, now: datetime) -> Json:
    return {
        "type": "Progressing",
        "status": value,
        "reason": reason,
        "message": message,
        "lastUpdateTime": timestamp(now),
    }


def announced(new: Json, now: datetime, *, created: bool) -> Json:
    """The Progressing condition right after the current set was created, or found."""
    if created:
        text = f'Created new replica set "{name(new)}"'
        return _progressing("True", "NewReplicaSetCreated", text, now)
    text = f'Found new replica set "{name(new)}"'
    return _progressing("True", "FoundNewReplicaSet", text, now)


def _progress(deployment: Json, new: Json | None, counts: Json, now: datetime) -> Json | None:
    """The Progressing condition to write, or None to leave the present one as it is."""
    present = condition(deployment, "Progressing")
    if deadline_s(deployment) is None:
        return None
    before, reason = status_of(deployment), present["reason"] if present else ""
    if deployment["spec"].get("paused"):
        return _progressing("Unknown", "DeploymentPaused", "Deployment is paused", now)
    if reason == "DeploymentPaused":
        return _progressing("Unknown", "DeploymentResumed", "Deployment is resumed", now)
    settled = before.get("replicas", 0) == before.get("updatedReplicas", 0)
    if reason == "NewReplicaSetAvailable" and settled:
        return None  # a finished rollout stays finished while pods come and go
    return _outcome(deployment, new, counts, now)


def _outcome(deployment: Json, new: Json | None, counts: Json, now: datetime) -> Json | None:
    subject = f'ReplicaSet "{name(new)}"' if new else f'Deployment "{name(deployment)}"'
    if complete(deployment, counts):
        text = f"{subject} has successfully progressed."
        return _progressing("True", "NewReplicaSetAvailable", text, now)
    if _progressed(status_of(deployment), counts):
        return _progressing("True", "ReplicaSetUpdated", f"{subject} is progressing.", now)
    if until_overdue(deployment, now) == 0:
        text = f"{subject} has timed out progressing."
        return _progressing("False", "ProgressDeadlineExceeded", text, now)
    return None


def until_overdue(deployment: Json, now: datetime) -> float | None:
    """Seconds until the deadline has to be looked at again; None when none runs."""
    present, limit_s = condition(deployment, "Progressing"), deadline_s(deployment)
    still = ("NewReplicaSetAvailable", "ProgressDeadlineExceeded", "DeploymentPaused")
    if present is None or limit_s is None or present["reason"] in still:
        return None
    end = moment(present["lastUpdateTime"]) + timedelta(seconds=limit_s)
    return max(0.0, (end - now).total_seconds())


def _availability(deployment: Json, counts: Json) -> Json:
    enough = counts["availableReplicas"] >= replicas(deployment) - bounds(deployment).unavailable
    word = "has" if enough else "does not have"
    return {
        "type": "Available",
        "status": "True" if enough else "False",
        "reason": "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
        "message": f"Deployment {word} minimum availability.",
    }


def new_status(deployment: Json, new: Json | None, olds: Sequence[Json], now: datetime) -> Json:
    """The whole status that the deployment ought to have."""
    counts = _counts(deployment, new, olds)
    conditions: list[Json] = list(status_of(deployment).get("conditions") or [])

    def put(fresh: Json) -> None:
        nonlocal conditions
        present = next((c for c in conditions if c["type"] == fresh["type"]), None)
        if present and _same(present, fresh):
            return
        fresh = {"lastUpdateTime": timestamp(now), **fresh}
        conditions = with_condition(conditions, fresh, now)

    put(_availability(deployment, counts))
    if (progress := _progress(deployment, new, counts, now)) is not None:
        put(progress)
    conditions = [c for c in conditions if c["type"] != "ReplicaFailure"]
    failures = (condition(s, "ReplicaFailure") for s in [new, *olds] if s is not None)
    if (failure := next(filter(None, failures), None)) is not None:
        conditions.append({**failure, "lastUpdateTime": failure["lastTransitionTime"]})
    return {**counts, "conditions": conditions}


def _same(present: Json, fresh: Json) -> bool:
    """Nothing new; only continued progress moves the time from which the deadline runs."""
    compared = ["status", "reason"]
    if fresh["reason"] == "ReplicaSetUpdated":
        compared.append("lastUpdateTime")
    return all(present[field] == fresh[field] for field in compared)
