"""Marks are data that anybody may have written: what they cannot do, and that they stop nobody."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chaos.faults.changes import Edit, Set
from chaos.faults.injection import inject
from chaos.kube import Cluster, Json, Ref
from chaos.undo import lease as leases
from chaos.undo.marks import EXPIRES, LABEL, UNDO, Mark, marks
from chaos.undo.recover import recover
from chaos.undo.repairs import refusal
from tests.chaos.cluster_fixture import NS, eventually, whole
from tests.chaos.run.test_preflight import settings, tag

__all__ = ["settings"]  # a fixture

RESTORE = {"do": "restore", "path": ["spec", "selector", "mode"], "was": ["x"], "put": ["y"]}
REMOVE = {"do": "remove"}
RUN = {"do": "run", "container": "main", "repair": "end", "labels": ""}


def mark(kind: str, *steps: Json) -> Json:
    names = {"id": "f1", "run": "r", "experiment": "e", "kind": kind, "namespace": NS}
    return {**names, "steps": list(steps)}


def annotations(data: str) -> dict[str, str]:
    digest = hashlib.sha256(data.encode("utf-8", "surrogatepass")).hexdigest()
    return {UNDO + "f1": json.dumps({"data": data, "sha256": digest})}


@pytest.mark.parametrize(
    ("kind", "step", "on", "name"),
    [
        ("network-degrade", REMOVE, "Service", "checkout"),  # not of the fault's own name
        ("network-degrade", REMOVE, "Deployment", "gameday-network-degrade-f1"),
        ("bad-image", REMOVE, "Pod", "gameday-bad-image-f1"),
        ("unheard-of", REMOVE, "Pod", "gameday-unheard-of-f1"),
        ("network-degrade", RESTORE, "Deployment", "web"),
        ("network-degrade", {**RESTORE, "path": ["spec", "type"]}, "Service", "web"),
        ("scale-to-zero", {**RESTORE, "path": ["spec", "template"]}, "Deployment", "web"),
        ("bad-image", {**RESTORE, "path": ["metadata", "ownerReferences"]}, "Deployment", "web"),
        ("node-drain", {**RESTORE, "path": ["spec", "taints"]}, "Node", "node-1"),
        ("node-drain", RUN, "Node", "node-1"),
        ("freeze", {**RUN, "labels": "app=other"}, "Pod", "web-1"),
        ("file-damage", RUN, "PersistentVolumeClaim", "index"),
        ("pod-kill", RUN, "Pod", "web-1"),
    ],
)
def test_what_no_fault_leaves_is_not_carried_out(kind: str, step: Json, on: str, name: str) -> None:
    forged = Mark.model_validate(mark(kind, step))
    assert "somebody else wrote it" in refusal(forged, on, name)


def test_a_command_of_somebody_elses_is_no_undo_data() -> None:
    command = {"do": "run", "container": "main", "command": ["sh", "-c", "cat /etc/shadow"]}
    obj = {"metadata": {"annotations": annotations(json.dumps(mark("freeze", command)))}}
    (found,) = marks(obj)
    assert found.mark is None
    assert "cannot be read" in found.why


@pytest.mark.parametrize(
    "data",
    ["\ud800", "[" * 90_000, "{" * 90_000, '{"id": 1e999}', "", "null", "\x00", '"' + "a" * 99_999],
    ids=["surrogate", "brackets", "braces", "infinity", "nothing", "null", "zero", "long"],
)
def test_whatever_stands_in_a_mark_is_read_or_said_to_be_damaged(data: str) -> None:
    for envelope in (data, json.dumps({"data": data, "sha256": "0" * 64}), annotations(data)):
        notes: Any = envelope if isinstance(envelope, dict) else {UNDO + "f1": envelope}
        (found,) = marks({"metadata": {"annotations": notes}})
        assert found.mark is None
        assert found.why


@pytest.mark.parametrize(
    "spec",
    [
        {"renewTime": "9999-12-31T23:59:59Z", "leaseDurationSeconds": 99_999_999},
        {"renewTime": "2026-01-01T00:00:00Z", "leaseDurationSeconds": 10**18},
        {"renewTime": "2026-01-01T00:00:00", "leaseDurationSeconds": 8},
        {"renewTime": None, "leaseDurationSeconds": "x"},
    ],
)
def test_a_lease_of_any_time_is_expired_or_not(spec: Json) -> None:
    assert isinstance(leases.expired({"spec": spec}, datetime.now(UTC)), bool)


@pytest.fixture
def forged(cluster: Cluster) -> Iterator[None]:
    """Marks on a pod, a node and a ReplicaSet, as somebody who may annotate them writes them."""
    eventually(lambda: whole(cluster, "Deployment", "web"))
    pod = cluster.pods(NS, "app=web")[0]
    (node, *_) = cluster.objects(Ref.of("Node", "", "").kind)
    sets = cluster.objects(Ref.of("ReplicaSet", "", "").kind, NS, "app=web")
    live = next(s for s in sets if (s.get("status") or {}).get("readyReplicas"))
    there = {
        Ref.of("Pod", NS, pod.name): mark("freeze", {**RUN, "labels": "app=cache"}),
        Ref.of("Node", "", node["metadata"]["name"]): mark("node-drain", RUN),
        Ref.to(live): mark("bad-image", REMOVE),
    }
    expires = {EXPIRES + "f1": (datetime.now(UTC) - timedelta(minutes=1)).isoformat()}
    for ref, data in there.items():
        notes = {**annotations(json.dumps(data)), **expires}

        def write(obj: Json, notes: dict[str, str] = notes) -> list[Json]:
            held = obj["metadata"]
            labels = {**(held.get("labels") or {}), LABEL: "true"}
            written = {**(held.get("annotations") or {}), **notes}
            return [
                {"op": "add", "path": "/metadata/labels", "value": labels},
                {"op": "add", "path": "/metadata/annotations", "value": written},
            ]

        cluster.change(ref, write)
    yield
    for ref in there:
        cluster.change(ref, _clean)


def _clean(obj: Json) -> list[Json]:
    held = obj["metadata"]
    return [
        {
            "op": "add",
            "path": "/metadata/labels",
            "value": {k: v for k, v in (held.get("labels") or {}).items() if k != LABEL},
        },
        {
            "op": "add",
            "path": "/metadata/annotations",
            "value": {
                k: v for k, v in (held.get("annotations") or {}).items() if "gameday" not in k
            },
        },
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("forged")
def test_forged_marks_do_nothing_and_keep_no_other_from_being_undone(
    cluster: Cluster, settings: Ref
) -> None:
    edit = Edit(ref=settings, fields=(Set(("spec", "selector", "mode"), ("bad",)),))
    inject(cluster, edit, tag("f7"), lambda *_: None)
    found = recover(cluster, NS)
    assert [u.leftover.ref for u in found.undone] == [settings]
    assert cluster.get(settings)["spec"]["selector"]["mode"] == "good"
    assert {s.leftover.ref.kind.kind for s in found.stuck} == {"Pod", "Node"}
    assert all("somebody else wrote it" in s.reason for s in found.stuck)
    assert whole(cluster, "Deployment", "web")
    assert whole(cluster, "Deployment", "cache")
