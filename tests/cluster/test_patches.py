"""The three patch formats: tables of cases, and what must hold for every patch."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cluster.apiserver.errors import StatusError
from service.cluster.apiserver.patches import (
    JSON_PATCH,
    MERGE,
    STRATEGIC,
    apply_patch,
    merge,
    strategic_merge,
)

scalars = st.none() | st.booleans() | st.integers(0, 9) | st.text("ab", max_size=2)
keys = st.sampled_from(["a", "b", "c"])
trees = st.recursive(scalars, lambda inner: st.dictionaries(keys, inner, max_size=3), max_leaves=8)
objects = st.dictionaries(keys, trees, max_size=3)


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [  # RFC 7386, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_is_rfc_7386(target: Any, patch: Any, result: Any) -> None:
    assert merge(target, patch) == result


@given(objects, objects)
def test_merging_twice_is_merging_once(target: Any, patch: Any) -> None:
    once = merge(target, patch)
    assert merge(once, patch) == once


@given(objects, objects)
def test_a_strategic_merge_without_lists_is_a_merge(target: Any, patch: Any) -> None:
    assert strategic_merge(target, patch) == merge(target, patch)


def containers(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"containers": [{"name": n, "image": i} for n, i in pairs]}


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        (
            containers(("a", "1"), ("b", "1")),
            containers(("b", "2")),
            containers(("a", "1"), ("b", "2")),
        ),
        (containers(("a", "1")), containers(("b", "2")), containers(("a", "1"), ("b", "2"))),
        (
            containers(("a", "1"), ("b", "1")),
            {"containers": [{"name": "a", "$patch": "delete"}]},
            containers(("b", "1")),
        ),
        (
            containers(("a", "1"), ("b", "1")),
            {"containers": [{"$patch": "replace"}, {"name": "c", "image": "3"}]},
            containers(("c", "3")),
        ),
        (
            containers(("a", "1"), ("b", "1")),
            {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]},
            containers(("b", "1"), ("a", "1")),
        ),
        ({"args": ["a", "b"]}, {"args": ["c"]}, {"args": ["c"]}),
        ({"finalizers": ["x"]}, {"finalizers": ["y"]}, {"finalizers": ["x", "y"]}),
        (
            {"finalizers": ["x", "y"]},
            {"$deleteFromPrimitiveList/finalizers": ["x"]},
            {"finalizers": ["y"]},
        ),
        (
            {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}},
            {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}},
            {"strategy": {"type": "Recreate"}},
        ),
        ({"a": {"b": 1}}, {"a": {"$patch": "delete"}}, {}),
        ({"a": {"b": 1}}, {"a": {"$patch": "replace", "c": 2}}, {"a": {"c": 2}}),
        (
            {"ports": [{"port": 80, "name": "http"}]},
            {"ports": [{"port": 80, "name": "web"}, {"port": 443}]},
            {"ports": [{"port": 80, "name": "web"}, {"port": 443}]},
        ),
    ],
)
def test_strategic_merge_knows_lists_and_directives(target: Any, patch: Any, result: Any) -> None:
    assert strategic_merge(target, patch) == result


names = st.sampled_from(["a", "b", "c", "d"])
named = st.lists(
    st.fixed_dictionaries({"name": names, "image": st.text("xy", max_size=2)}),
    max_size=4,
    unique_by=lambda c: c["name"],
)


@given(named, named)
def test_strategic_merge_of_containers_is_idempotent_and_loses_none(
    mine: list[Any], theirs: list[Any]
) -> None:
    once = strategic_merge({"containers": mine}, {"containers": theirs})
    assert strategic_merge(once, {"containers": theirs}) == once
    assert {c["name"] for c in once["containers"]} == {c["name"] for c in [*mine, *theirs]}


@given(objects, objects)
def test_no_patch_changes_what_it_is_applied_to(target: Any, patch: Any) -> None:
    before = repr(target)
    for content_type in (MERGE, STRATEGIC):
        apply_patch(target, patch, content_type)
    assert repr(target) == before


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        ([{"op": "replace", "path": "/nope/deep", "value": 1}], 422),
        ([{"op": "test", "path": "/a", "value": 2}], 422),
        ([{"op": "fly", "path": "/a"}], 422),
        ("text", 400),
    ],
)
def test_a_json_patch_that_does_not_fit_is_refused(patch: Any, code: int) -> None:
    with pytest.raises(StatusError) as caught:
        apply_patch({"a": 1}, patch, JSON_PATCH)
    assert caught.value.code == code


def test_a_json_patch_is_applied() -> None:
    patch = [{"op": "add", "path": "/b", "value": [1]}, {"op": "remove", "path": "/a"}]
    assert apply_patch({"a": 1}, patch, JSON_PATCH) == {"b": [1]}
