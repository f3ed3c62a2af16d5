"""Marks and fields: what is written on an object is read back, and damage is seen."""

import copy
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.kube import Json
from chaos.undo.fields import FieldError, assign, made, put, same, settable, value_at
from chaos.undo.marks import EXPIRES, UNDO, Mark, MarkError, Remove, Restore, annotations, marks

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
VALUE = st.just(()) | st.tuples(JSON)


def mark(**changed: object) -> Mark:
    fields = {
        "id": "f1",
        "run": "r",
        "experiment": "e",
        "kind": "k",
        "namespace": "n",
        "steps": (Remove(),),
    }
    return Mark.model_validate({**fields, **changed})


def marked(notes: dict[str, str]) -> Json:
    return {"metadata": {"annotations": notes}}


@given(path=st.lists(st.text(), min_size=1).map(tuple), was=VALUE, value=VALUE)
def test_what_was_written_is_read_back(
    path: tuple[str, ...], was: tuple[object, ...], value: tuple[object, ...]
) -> None:
    written = mark(steps=(Restore(path=path, was=was, put=value),))
    (found,) = marks(marked(annotations(written, NOW)))
    assert found.mark == written
    assert found.expires == NOW
    assert not found.expired(NOW - timedelta(seconds=1))
    assert found.expired(NOW)


@given(st.data())
def test_any_damage_to_the_undo_data_is_seen(data: st.DataObject) -> None:
    notes = annotations(mark(), NOW)
    envelope = notes[UNDO + "f1"]
    at = data.draw(st.integers(0, len(envelope) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda c: c != envelope[at]))
    notes[UNDO + "f1"] = envelope[:at] + other + envelope[at + 1 :]
    (found,) = marks(marked(notes))
    if found.mark is None:
        assert found.why
    else:  # the same JSON, written otherwise
        assert found.mark == mark()


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-01-02", "2026-01-02T03:04:05", "2026-13-02T03:04:05Z"]
)
def test_a_malformed_expiry_counts_as_expired(text: str) -> None:
    notes = {**annotations(mark(), NOW), EXPIRES + "f1": text}
    (found,) = marks(marked(notes))
    assert found.mark == mark()
    assert found.expired(NOW - timedelta(days=1000))


def test_two_faults_on_one_object_are_told_apart() -> None:
    notes = {**annotations(mark(), NOW), **annotations(mark(id="f2"), NOW)}
    assert [f.id for f in marks(marked(notes))] == ["f1", "f2"]


def test_undo_data_that_does_not_fit_on_an_object_is_refused() -> None:
    huge = Restore(path=("data", "x"), was=("x" * 200_000,), put=())
    with pytest.raises(MarkError, match="too large"):
        annotations(mark(steps=(huge,)), NOW)


POD: Json = {
    "spec": {
        "containers": [
            {"name": "a", "image": "a:1"},
            {"name": "b", "image": "b:1", "resources": {"limits": {"memory": "1Gi"}}},
        ]
    },
    "metadata": {"annotations": {"x/y": "1"}},
}


@pytest.mark.parametrize(
    ("path", "value", "wanted"),
    [
        (
            ("spec", "containers", "name=b", "image"),
            "b:2",
            {"op": "add", "path": "/spec/containers/1/image", "value": "b:2"},
        ),
        (
            ("spec", "containers", "name=a", "resources", "limits", "memory"),
            "1Mi",
            {
                "op": "add",
                "path": "/spec/containers/0/resources",
                "value": {"limits": {"memory": "1Mi"}},
            },
        ),
        (
            ("metadata", "annotations", "x/y"),
            "2",
            {"op": "add", "path": "/metadata/annotations/x~1y", "value": "2"},
        ),
    ],
)
def test_a_field_is_set_by_one_operation_even_where_its_parents_are_missing(
    path: tuple[str, ...], value: str, wanted: Json
) -> None:
    where, whole = settable(POD, path, value)
    assert put(POD, where, (whole,)) == [wanted]


def test_a_container_that_is_not_there_is_no_place_for_a_field() -> None:
    with pytest.raises(FieldError, match=r"there is no spec.containers\[name=c\]"):
        settable(POD, ("spec", "containers", "name=c", "image"), "c:1")
    assert value_at(POD, ("spec", "containers", "name=c", "image")) == ()


def test_quantities_are_compared_as_numbers_and_other_values_are_not() -> None:
    memory = ("spec", "resources", "limits", "memory")
    assert same(memory, ("1024Mi",), ("1Gi",))
    assert not same(memory, ("1024Mi",), ("1G",))
    assert not same(("data", "x"), ("1024Mi",), ("1Gi",))
    assert not same(memory, (), ("1Gi",))


KEYS = st.text(st.characters(exclude_characters="="), min_size=1)
NAMED = st.lists(
    st.fixed_dictionaries({"name": KEYS, "value": st.text()}), min_size=1, unique_by=str
).filter(lambda items: len({i["name"] for i in items}) == len(items))
FIELDS = st.recursive(
    st.integers() | st.lists(st.text(), max_size=2) | NAMED,
    lambda inner: st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


@given(key=KEYS, value=FIELDS)
def test_a_field_that_was_not_there_is_made_and_taken_away_piece_by_piece(
    key: str, value: object
) -> None:
    obj: Json = {"kept": 1}
    key = f"own {key}"
    pieces = made((key,), value)
    for path, piece in pieces:
        assign(obj, path, (copy.deepcopy(piece),))
    assert obj == {"kept": 1, key: value}
    for path, piece in reversed(pieces):
        assert value_at(obj, path) == (piece,)
        assign(obj, path, ())
    assert obj == {"kept": 1}
