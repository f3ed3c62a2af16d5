"""What a person gets to read when a YAML file of theirs is wrong."""

import contextlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from slo.documents import (
    DocumentError,
    Duration,
    Part,
    parse_document,
    parse_duration,
    read_document,
)


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


@given(st.integers(0, 8_784), st.sampled_from(["ms", "s", "m", "h"]))
def test_a_duration_reads_as_it_is_written(number: int, unit: str) -> None:
    word = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours"}[unit]
    assert parse_duration(f"{number}{unit}") == timedelta(**{word: number})


@pytest.mark.parametrize("value", ["", "5", "5 days", "-1s", 5, None, "1s2m"])
def test_anything_else_is_no_duration(value: object) -> None:
    with pytest.raises(ValueError, match="a duration is written like"):
        parse_duration(value)


class Anything(Part):
    name: str = ""
    value: Any = None
    number: float = 0.0
    wait: Duration = timedelta(0)


BOMB = "value:\n  - &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"  - &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(8)
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("value: " + "[" * 5_000 + "]" * 5_000, "line 1: nested deeper than"),
        ("value: " + "{a: " * 5_000 + "}" * 5_000, "line 1: nested deeper than"),
        ("value:\n" + "".join(" " * i + "-\n" for i in range(1, 900)), "not valid YAML"),
        (BOMB, "its aliases stand for more than 100,000 values"),
        ("name: " + "a" * (1 << 20), "larger than 1 MiB"),
        ("number: .nan", "line 1: field 'number'"),
        ("number: .inf", "line 1: field 'number'"),
        ("wait: 99999999999999999999h", "a duration is at most 366 days"),
        ("wait: " + "9" * 5_000 + "s", "a duration is at most 366 days"),
    ],
)
def test_no_document_takes_more_than_a_sentence(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(DocumentError) as caught:
        read_document(path, Anything)
    assert why in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(path))
