"""YAML files that people write, read into validated models.

Whatever is wrong with such a file is said in one sentence that names file, line and field.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

Model = TypeVar("Model", bound=BaseModel)

_DURATION_FORM = r"\d+(\.\d+)?\s*(ms|s|m|h|d)"  # for JSON Schema, which has no named groups
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
LONGEST = timedelta(days=366)  # of a duration
LARGEST_BYTES = 1 << 20  # of a document
LARGEST_NODES = 100_000  # values in it, with all aliases written out
DEEPEST = 500  # brackets open on a line
QUOTED = 80  # characters of a value in a sentence


class Part(BaseModel):
    """A part of a document: frozen, and a field that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DocumentError(Exception):
    """A file cannot be used; the message is one sentence for the person who wrote it."""


def parse_duration(value: object) -> timedelta:
    """ "90s", "1.5m", "200ms", "1h", "30d" as a timedelta. Raises ValueError for anything else."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(
            f'a duration is written like "90s", "2m" or "200ms", not {_short(value)!r}'
        )
    seconds = float(match["number"]) * _SECONDS[match["unit"]]
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"a duration is at most {LONGEST.days} days, not {match[0][:20]}")
    return timedelta(seconds=seconds)


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(lambda value: f"{value.total_seconds()!r}s", when_used="json"),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION_FORM}$", "examples": ["90s", "2m"]}),
]


def read_document(path: Path, model: type[Model], *, context: object = None) -> Model:
    """The YAML file at `path` as a `model`; validators see `context`. Raises DocumentError."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise DocumentError(f"{path}: larger than {LARGEST_BYTES >> 20} MiB")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DocumentError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path}: not UTF-8 text") from error
    return parse_document(text, str(path), model, context=context)


def parse_document(text: str, file: str, model: type[Model], *, context: object = None) -> Model:
    """As read_document, of text that came from `file`."""
    if (deep := _too_deep(text)) is not None:
        raise DocumentError(f"{file}, line {deep}: nested deeper than {DEEPEST} brackets")
    try:
        tree = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        if isinstance(error, DuplicateKeyError) and mark:
            key = text.splitlines()[mark.line][mark.column :].partition(":")[0].strip()
            raise DocumentError(f"{file}{line}: the field '{key}' stands twice") from error
        raise DocumentError(f"{file}{line}: not valid YAML: {error.problem}") from error
    except YAMLError as error:
        raise DocumentError(f"{file}: not valid YAML: {error}") from error
    # The library trips over some scalars ("-_"), and over lines that are indented without end.
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DocumentError(f"{file}: not valid YAML: {error}") from error
    if _size(tree, {}) > LARGEST_NODES:
        raise DocumentError(f"{file}: its aliases stand for more than {LARGEST_NODES:,} values")
    if not isinstance(tree, CommentedMap):
        raise DocumentError(f"{file}, line 1: expected fields with values")
    try:
        return model.model_validate(tree, context=context)
    except ValidationError as error:
        # A misspelt field is also a missing one; the misspelling is what helps.
        first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
        path = _written_path(tree, _loc(first))
        raise DocumentError(f"{file}, line {_line_of(tree, path)}: {say(path, first)}") from error


def _too_deep(text: str) -> int | None:
    """The line with more open brackets than anybody needs: the YAML library would recurse."""
    depth = 0
    for number, line in enumerate(text.split("\n"), start=1):
        opened, closed = (sum(map(line.count, pair)) for pair in ("[{", "]}"))
        if depth + opened > DEEPEST:
            return number
        depth = max(0, depth + opened - closed)
    return None


def _size(node: object, known: dict[int, int]) -> int:
    """How many values there are when every alias is written out."""
    if not isinstance(node, CommentedMap | CommentedSeq):
        return 1
    if id(node) not in known:
        known[id(node)] = LARGEST_NODES  # as long as it is counted: one within itself has no end
        inner = node.values() if isinstance(node, CommentedMap) else node
        known[id(node)] = 1 + sum(_size(each, known) for each in inner)
    return known[id(node)]


def _loc(error: ErrorDetails) -> tuple[int | str, ...]:
    """Where it is wrong: with the field that says which of several models is meant."""
    loc = error["loc"]
    if error["type"].startswith("union_tag"):
        loc = (*loc, error.get("ctx", {})["discriminator"].strip("'"))
    return loc


def line_of(path: Path, *keys: str | int) -> int:
    """The line, from 1, on which the field at `keys` stands in a document that was read before."""
    return _line_of(YAML(typ="rt").load(path.read_text(encoding="utf-8")), keys)


def place_of(path: Path, *keys: str | int) -> str:
    """As errors name it: file, line and field of a document that was read before."""
    return f"{path}, line {line_of(path, *keys)}: field '{_name(keys)}'"


def _short(given: object) -> object:
    """What a sentence can quote."""
    if isinstance(given, str | int | float | None):
        return given if len(str(given)) <= QUOTED else f"{str(given)[:QUOTED]}…"
    return type(given).__name__


def _has(node: object, step: str | int) -> bool:
    if isinstance(node, CommentedSeq):
        return isinstance(step, int) and step < len(node)
    return isinstance(node, CommentedMap) and step in node


def _written_path(tree: object, loc: Sequence[str | int]) -> list[str | int]:
    """The error's location without the union tags that pydantic puts between the keys.

    A last step that is not in the file stays: it is the field that is missing.
    """
    path: list[str | int] = []
    node: Any = tree
    for step in loc:
        if _has(node, step):
            node = node[step]
            path.append(step)
    if loc and (not path or path[-1] != loc[-1]) and isinstance(node, CommentedMap):
        path.append(loc[-1])
    return path


def _line_of(tree: CommentedMap, path: Sequence[str | int]) -> int:
    """The line, from 1, of the key at `path`; where it is missing, of what should hold it."""
    line = 1
    node: Any = tree
    for step in path:
        if _has(node, step):
            where = node.lc.key(step) if isinstance(node, CommentedMap) else node.lc.item(step)
            line, node = where[0] + 1, node[step]
    return line


def _name(path: Sequence[str | int]) -> str:
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")


_WORDS = {
    "tuple_type": "a list, like [a, b]",
    "list_type": "a list, like [a, b]",
    "dict_type": "fields with values",
    "model_type": "fields with values",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
}
"""What the validation library calls by the names of Python's types."""


def say(path: Sequence[str | int], error: ErrorDetails) -> str:
    """What is wrong with the field at `path`, without the words of the validation library."""
    kind, message, given = error["type"], error["msg"], _short(error["input"])
    name = _name(path)
    if kind == "union_tag_not_found":
        return f"field {name!r} is missing"
    if kind == "union_tag_invalid":
        context = error.get("ctx", {})
        return f"field {name!r} must be one of {context['expected_tags']}, not {context['tag']!r}"
    if kind == "extra_forbidden":
        return f"unknown field {name!r}"
    if kind == "missing":
        return f"field {name!r} is missing"
    told = _WORDS.get(kind)
    if told is not None:
        return f"field {name!r} must be {told}, not {given!r}"
    message = message.removeprefix("Value error, ").removeprefix("Input should be ")
    return f"field {name!r}: {message}" if name else message
