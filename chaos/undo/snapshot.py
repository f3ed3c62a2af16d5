"""The system that procedures are tried on, and how it is put back afterwards."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

from chaos.kube import ClusterError, Json, Kind, Ref, kind_of
from chaos.kube.kinds import AUTOSCALER, INGRESS
from chaos.kube.system_under_test import SystemUnderTest

BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")

# In the order in which they are made again.
KEPT = (
    kind_of("Secret"),
    kind_of("ConfigMap"),
    kind_of("Service"),
    INGRESS,
    kind_of("NetworkPolicy"),
    AUTOSCALER,
    BUDGET,
    kind_of("Deployment"),
    kind_of("StatefulSet"),
    kind_of("DaemonSet"),
    kind_of("Pod"),
)
_OURS = ("spec", "data", "type")
_LATER = ("kubernetes.io/tls", "kubernetes.io/service-account-token")  # their controllers' business
# Controllers write their own annotations beside what people wrote.
_REVISION = ("deployment.kubernetes.io/", "deprecated.daemonset.template.generation")
BEFORE = "gameday-before"  # our own Secret, see snapshot_store.py
WITHIN = timedelta(hours=1)
"""So long after a snapshot, what is new counts as the drill's; later it is somebody else's."""


@dataclass(slots=True, kw_only=True)
class Snapshot:
    """The namespace's objects that people write, as they were at one moment."""

    system: SystemUnderTest
    objects: list[Json] = field(default_factory=list)
    taken: datetime = field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    def take(cls, system: SystemUnderTest) -> "Snapshot":
        return cls(system=system, objects=list(_listed(system)))

    def restore(self) -> list[str]:
        """Make it so again; what was done, one entry for each object."""
        done = []
        now = {_name(o): o for o in _listed(self.system)}
        before = {_name(o): o for o in self.objects}
        for name, obj in now.items():
            if name not in before:
                # It is newer than the snapshot, or would be in it.
                if _made(obj) > self.taken + WITHIN:
                    done.append(f"left alone, as it was made later: {' '.join(name)}")
                    continue
                self.system.cluster.delete(Ref(_kind(obj), *_place(obj)))
                done.append(f"removed {' '.join(name)}")
        for name, obj in before.items():
            if name not in now:
                if obj["kind"] != "Pod":
                    self.system.cluster.make(Ref(_kind(obj), *_place(obj)), fresh(obj))
                    done.append(f"made {' '.join(name)} again")
            elif self._reset(obj):
                done.append(f"reset {' '.join(name)}")
        return done

    def reset(self, kind: str, name: str) -> None:
        """One object alone."""
        for obj in self.objects:
            if (obj["kind"], obj["metadata"]["name"]) == (kind, name):
                self._reset(obj)

    def _reset(self, obj: Json) -> bool:
        changed = []

        def operations(found: Json) -> list[Json]:
            wanted = list(_differences(obj, found))
            changed.append(bool(wanted))
            return wanted

        if obj["kind"] == "Pod":
            return False
        self.system.cluster.change(Ref(_kind(obj), *_place(obj)), operations)
        return changed[-1] if changed else False


def _listed(system: SystemUnderTest) -> Iterator[Json]:
    for kind in KEPT:
        try:
            found = system.cluster.objects(kind, system.namespace)
        except ClusterError as error:
            if error.status == httpx.codes.NOT_FOUND:
                continue  # no such kind here
            raise
        for obj in found:
            owned = obj["metadata"].get("ownerReferences")
            deleting = obj["metadata"].get("deletionTimestamp")
            apart = obj["metadata"]["name"] in {"kube-root-ca.crt", BEFORE}
            if not (owned or deleting or apart or obj.get("type") in _LATER):
                yield obj


def _kind(obj: Json) -> Kind:
    return next(k for k in KEPT if k.kind == obj["kind"])


def _name(obj: Json) -> tuple[str, str]:
    return obj["kind"].lower(), obj["metadata"]["name"]


def _place(obj: Json) -> tuple[str, str]:
    return obj["metadata"]["name"], obj["metadata"]["namespace"]


def _made(obj: Json) -> datetime:
    return datetime.fromisoformat(obj["metadata"]["creationTimestamp"])


def fresh(obj: Json) -> Json:
    """As a manifest, without what the server writes."""
    made = {k: deepcopy(v) for k, v in obj.items() if k != "status"}
    kept = ("name", "namespace", "labels", "annotations")
    made["metadata"] = {k: v for k, v in obj["metadata"].items() if k in kept}
    return made


def _differences(wanted: Json, found: Json) -> Iterator[Json]:
    for part in _OURS:
        if wanted.get(part) != found.get(part) and part in wanted:
            yield {"op": "add", "path": f"/{part}", "value": wanted[part]}
    for part in ("labels", "annotations"):
        before = _written(wanted["metadata"].get(part) or {})
        after = found["metadata"].get(part) or {}
        if before != _written(after):
            held = {k: v for k, v in after.items() if k.startswith(_REVISION)}
            yield {"op": "add", "path": f"/metadata/{part}", "value": {**before, **held}}


def _written(values: dict[str, str]) -> dict[str, str]:
    """Without what controllers write beside what people wrote."""
    return {k: v for k, v in values.items() if not k.startswith(_REVISION)}
