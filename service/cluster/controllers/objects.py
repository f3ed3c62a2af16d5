"""What the controllers ask of Kubernetes objects: owners, selectors, conditions, pods.

Pure functions over plain JSON. Semantics are those of the API reference.
"""

import hashlib
import json
import math
from collections.abc import Iterable
from datetime import UTC, datetime

from service.cluster.kube import Json, Resource

CONTROLLER_REVISIONS = Resource("apps/v1", "controllerrevisions", "ControllerRevision")
DISRUPTION_BUDGETS = Resource("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget")
JOBS = Resource("batch/v1", "jobs", "Job")
CRON_JOBS = Resource("batch/v1", "cronjobs", "CronJob")
DAEMON_SETS = Resource("apps/v1", "daemonsets", "DaemonSet")
AUTOSCALERS = Resource("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")

# Kubernetes leaves out vowels and look-alikes so that no name spells a word (apimachinery, rand).
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def uid(obj: Json) -> str:
    value: str = obj["metadata"]["uid"]
    return value


def name(obj: Json) -> str:
    value: str = obj["metadata"]["name"]
    return value


def namespace(obj: Json) -> str:
    value: str = obj["metadata"].get("namespace", "")
    return value


def labels(obj: Json) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}


def annotations(obj: Json) -> dict[str, str]:
    return obj["metadata"].get("annotations") or {}


def deleting(obj: Json) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp"))


def status(obj: Json) -> Json:
    return obj.get("status") or {}


def replicas(obj: Json) -> int:
    """spec.replicas, 1 when it is not said."""
    value = obj["spec"].get("replicas")
    return 1 if value is None else int(value)


def short_hash(value: object) -> str:
    """Ten characters, the same for equal JSON values on every machine."""
    digest = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()
    return "".join(_ALPHABET[b % len(_ALPHABET)] for b in digest[:10])


def timestamp(moment: datetime) -> str:
    """RFC 3339 to the second in UTC, as metav1.Time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """From metav1.Time or metav1.MicroTime."""
    return datetime.fromisoformat(text)


# --- owners -----------------------------------------------------------------------------------


def owners(obj: Json) -> list[Json]:
    return obj["metadata"].get("ownerReferences") or []


def controller_of(obj: Json) -> Json | None:
    """The one owner reference that manages the object, if any."""
    return next((ref for ref in owners(obj) if ref.get("controller")), None)


def controlled_by(obj: Json, owner: Json) -> bool:
    ref = controller_of(obj)
    return ref is not None and ref["uid"] == uid(owner)


def owner_reference(owner: Json, resource: Resource) -> Json:
    return {
        "apiVersion": resource.group_version,
        "kind": resource.kind,
        "name": name(owner),
        "uid": uid(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


# --- selectors --------------------------------------------------------------------------------


def selects(selector: Json | None, wanted: dict[str, str]) -> bool:
    """A LabelSelector (matchLabels, matchExpressions) against labels; None selects nothing."""
    if selector is None:
        return False
    exact = selector.get("matchLabels") or {}
    if any(wanted.get(k) != v for k, v in exact.items()):
        return False
    return all(_holds(rule, wanted) for rule in selector.get("matchExpressions") or [])


def _holds(rule: Json, wanted: dict[str, str]) -> bool:
    key, values = rule["key"], rule.get("values") or []
    match rule["operator"]:
        case "In":
            return key in wanted and wanted[key] in values
        case "NotIn":
            return wanted.get(key) not in values
        case "Exists":
            return key in wanted
        case "DoesNotExist":
            return key not in wanted
    return False


# --- conditions -------------------------------------------------------------------------------


def condition(obj: Json, kind: str) -> Json | None:
    found = status(obj).get("conditions") or []
    return next((c for c in found if c["type"] == kind), None)


def is_true(obj: Json, kind: str) -> bool:
    found = condition(obj, kind)
    return found is not None and found["status"] == "True"


def with_condition(conditions: Iterable[Json], new: Json, now: datetime) -> list[Json]:
    """The list with `new` in its type's place; its lastTransitionTime moves with the status."""
    kept = list(conditions)
    old = next((c for c in kept if c["type"] == new["type"]), None)
    if old is not None and old["status"] == new["status"] and "lastTransitionTime" in old:
        since = old["lastTransitionTime"]
    else:
        since = timestamp(now)
    new = {**new, "lastTransitionTime": since}
    if old is None:
        return [*kept, new]
    return [new if c is old else c for c in kept]


# --- pods -------------------------------------------------------------------------------------


def phase(pod: Json) -> str:
    value: str = status(pod).get("phase") or "Pending"
    return value


def finished(pod: Json) -> bool:
    return phase(pod) in ("Succeeded", "Failed")


def active(pod: Json) -> bool:
    return not finished(pod) and not deleting(pod)


def ready(pod: Json) -> bool:
    return is_true(pod, "Ready")


def available_in_s(pod: Json, min_ready_s: int, now: datetime) -> float | None:
    """Seconds until a ready pod counts as available (0: it does); None while it is not ready."""
    found = condition(pod, "Ready")
    if found is None or found["status"] != "True":
        return None
    since = found.get("lastTransitionTime")
    if not min_ready_s or since is None:
        return 0.0
    return max(0.0, min_ready_s - (now - moment(since)).total_seconds())


def available(pod: Json, min_ready_s: int, now: datetime) -> bool:
    return available_in_s(pod, min_ready_s, now) == 0


def until_available(pods: Iterable[Json], min_ready_s: int, now: datetime) -> float | None:
    """Seconds until the next of the ready pods becomes available; None if none is waited for."""
    waits = (available_in_s(pod, min_ready_s, now) for pod in pods)
    return min((wait for wait in waits if wait), default=None)


def pod_of_template(template: Json) -> Json:
    """A Pod body with the template's labels, annotations and spec, to be named by the caller."""
    given = template.get("metadata") or {}
    copied = ("labels", "annotations", "finalizers")
    metadata = {k: json.loads(json.dumps(given[k])) for k in copied if given.get(k)}
    spec = json.loads(json.dumps(template["spec"]))
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


# --- numbers ----------------------------------------------------------------------------------


def int_or_percent(value: int | str, total: int, *, up: bool) -> int:
    """`value` itself, or that percentage ("25%") of `total`, rounded up or down."""
    if isinstance(value, int):
        return value
    if not value.endswith("%"):
        return int(value)
    share = int(value.removesuffix("%")) * total / 100
    return math.ceil(share) if up else math.floor(share)
