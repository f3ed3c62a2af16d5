"""What a person gets to read when a YAML file of theirs is wrong."""

import contextlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from slo.documents import DocumentError, Duration, parse_document, parse_duration


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    wait: Duration
    times: int = 1


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    parts: tuple[Inner, ...] = ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name: a\nnmae: b\n", "f.yaml, line 2: unknown field 'nmae'"),
        ("parts: []\n", "f.yaml, line 1: field 'name' is missing"),
        (
            "name: a\nparts:\n  - wait: 1s\n  - wait: soon\n",
            "f.yaml, line 4: field 'parts[1].wait': a duration is written like",
        ),
        ("name: a\nparts:\n  - times: 2\n", "f.yaml, line 3: field 'parts[0].wait' is missing"),
        ("name: a\nparts:\n  - wait: 1s\n    tmes: 2\n", "f.yaml, line 4: unknown field"),
        ("name: [\n", "f.yaml, line 2: not valid YAML"),
        ("name: a\nname: b\n", "f.yaml, line 2: the field 'name' stands twice"),
        ("{count: 1, name: a, name: b}\n", "f.yaml, line 1: the field 'name' stands twice"),
        ("", "f.yaml, line 1: expected fields with values"),
        ("- a\n", "f.yaml, line 1: expected fields with values"),
        ("name: 3\n", "f.yaml, line 1: field 'name'"),
    ],
)
def test_a_mistake_is_one_sentence_with_file_line_and_field(text: str, sentence: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_document(text, "f.yaml", Outer)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


@given(st.text())
def test_whatever_the_text_it_is_a_document_or_a_document_error(text: str) -> None:
    with contextlib.suppress(DocumentError):
        parse_document(text, "f.yaml", Outer)


@given(st.integers(0, 10_000), st.sampled_from(["ms", "s", "m", "h"]))
def test_a_duration_reads_as_it_is_written(number: int, unit: str) -> None:
    word = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours"}[unit]
    assert parse_duration(f"{number}{unit}") == timedelta(**{word: number})


@pytest.mark.parametrize("value", ["", "5", "5 days", "-1s", 5, None, "1s2m"])
def test_anything_else_is_no_duration(value: object) -> None:
    with pytest.raises(ValueError, match="a duration is written like"):
        parse_duration(value)
