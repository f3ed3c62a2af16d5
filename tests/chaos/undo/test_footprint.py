"""What a drill wrote is taken out of an object, and what others wrote stays in it."""

from copy import deepcopy
from typing import Any

import jsonpatch
import pytest

from chaos.kube import Json
from chaos.undo.footprint import Write, without
from chaos.undo.objects import kept_of, operations

SENT = "2026-01-01T00:00:00.500000+00:00"
MADE = "2026-01-01T00:00:00Z"


def deployment(*, uid: str = "1", labels: Any = None, **container: Any) -> Json:
    metadata: Json = {"name": "web", "namespace": "shop", "uid": uid, "creationTimestamp": MADE}
    if labels is not None:
        metadata["labels"] = labels
    containers = [{"name": "main", "image": "web:1", **container}]
    spec = {"replicas": 2, "template": {"spec": {"containers": containers}}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def write(before: Json | None, after: Json | None, *, answered: bool = True) -> Write:
    one, other = (None if o is None else kept_of(o) for o in (before, after))
    return Write(
        kind="Deployment", name="web", before=one, after=other, answered=answered, sent=SENT
    )


def undone(now: Json | None, *writes: Write) -> Json | None:
    return without(list(writes), None if now is None else kept_of(now), now)


PROBE = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1}
CASES = {
    "an image": ({}, {"image": "web:2"}),
    "a variable more": (
        {"env": [{"name": "A", "value": "1"}]},
        {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
    ),
    "a variable less": ({"env": [{"name": "A", "value": "1"}]}, {}),
    "the first variable": ({}, {"env": [{"name": "A", "value": "1"}]}),
    "another value": (
        {"env": [{"name": "A", "value": "1"}]},
        {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]},
    ),
    "a probe": ({}, {"livenessProbe": PROBE}),
    "another kind of probe": (
        {"livenessProbe": PROBE},
        {"livenessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 1}},
    ),
    "a command": ({"command": ["a", "b"]}, {"command": ["c"]}),
    "limits": ({}, {"resources": {"limits": {"memory": "1Gi"}}}),
    "labels": ({"labels": {"a": "1"}}, {"labels": {"a": "2", "b": "3"}}),
}


@pytest.mark.parametrize("case", CASES)
def test_one_write_is_undone_whole_and_the_patch_says_the_same(case: str) -> None:
    before, after = (deployment(**fields) for fields in CASES[case])
    found = undone(after, write(before, after))
    assert found is not None
    patched = jsonpatch.apply_patch(deepcopy(after), operations(after, found))
    for obj in (found, patched):
        (container,) = obj["spec"]["template"]["spec"]["containers"]
        (wanted,) = before["spec"]["template"]["spec"]["containers"]
        held = {k: v for k, v in container.items() if v not in ([], {}, {"limits": {}})}
        assert held == wanted
        assert (obj["metadata"].get("labels") or None) == before["metadata"].get("labels")


def test_what_others_add_beside_it_stays() -> None:
    before = deployment(labels={"a": "1"}, env=[{"name": "A", "value": "1"}])
    mine = deployment(labels={"a": "2"}, env=[{"name": "A", "value": "2"}])
    now = deployment(
        labels={"a": "2", "theirs": "x"},
        env=[{"name": "THEIRS", "value": "x"}, {"name": "A", "value": "2"}],
    )
    found = undone(now, write(before, mine))
    assert found is not None
    assert found["metadata"]["labels"] == {"a": "1", "theirs": "x"}
    (container,) = found["spec"]["template"]["spec"]["containers"]
    assert {e["name"]: e["value"] for e in container["env"]} == {"THEIRS": "x", "A": "1"}


def test_a_field_that_others_have_changed_since_is_theirs() -> None:
    now = deployment(image="web:3")
    found = undone(now, write(deployment(), deployment(image="web:2")))
    assert found == kept_of(now)


def test_several_writes_of_one_field_go_back_to_its_first_value() -> None:
    one, two, three = (deployment(image=f"web:{i}") for i in (1, 2, 3))
    assert undone(three, write(one, two), write(two, three)) == kept_of(one)


def test_what_others_changed_between_two_writes_is_what_comes_back() -> None:
    one, two, theirs, four = (deployment(image=f"web:{i}") for i in (1, 2, 3, 4))
    assert undone(four, write(one, two), write(theirs, four)) == kept_of(theirs)


def test_an_object_is_removed_only_if_it_is_the_very_one_that_was_made() -> None:
    made, theirs = deployment(uid="1"), deployment(uid="2")
    assert undone(made, write(None, made)) is None
    assert undone(theirs, write(None, made)) == kept_of(theirs)


def test_an_object_that_was_removed_comes_again_where_there_is_none() -> None:
    mine, theirs = deployment(uid="1"), deployment(uid="2", image="web:9")
    assert undone(None, write(mine, None)) == kept_of(mine)
    assert undone(theirs, write(mine, None)) == kept_of(theirs)


def test_an_object_that_others_removed_stays_removed() -> None:
    assert undone(None, write(deployment(), deployment(image="web:2"))) is None


def test_a_request_that_nobody_saw_answered_is_undone_by_what_was_before_it() -> None:
    before, now = deployment(), deployment(image="web:2")
    assert undone(now, write(before, None, answered=False)) == kept_of(before)


@pytest.mark.parametrize(("made", "goes"), [(MADE, True), ("2026-01-01T02:00:00Z", False)])
def test_an_object_of_a_request_that_nobody_saw_answered_goes_if_it_was_made_then(
    *, made: str, goes: bool
) -> None:
    now = deployment()
    now["metadata"]["creationTimestamp"] = made
    assert (undone(now, write(None, None, answered=False)) is None) == goes
