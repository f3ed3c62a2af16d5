"""Checks that nothing was lost: what a drill writes before, and reads back afterwards."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from slo.documents import Part

_PLACEHOLDER = re.compile(r"\{([a-z]+)\}")
_WRITING = frozenset(("unique", "number"))
_READING = frozenset(("id", "unique", "number", "attempt"))
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def _json(value: Any) -> Any:
    """As JSON has it, without what the YAML reader adds."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"cannot be sent as JSON: {error}") from error


Body = Annotated[Any, BeforeValidator(_json), WithJsonSchema({})]


class WriteRequest(Part):
    """One request that writes one item.

    `{unique}` in path and body is another text for each item, `{number}` counts them from 0.
    `${NAME}` in a header is an environment variable, so that no token stands in the file. `id` is
    where the answer's JSON has the item's id (`id`, `order.id`, `items.0.id`); without it, the item
    is known by `{unique}`.
    """

    method: Literal["POST", "PUT", "PATCH"] = "POST"
    path: str = Field(pattern=r"^/")
    body: Body = None
    headers: dict[str, str] = Field(default_factory=dict)
    id: str | None = Field(default=None, min_length=1)


class ReadRequest(Part):
    """One GET that finds an item again: any answer below 400 that has the text `contains`.

    `{id}`, `{unique}` and `{number}` are those of the item; `{attempt}` is another number from 1 to
    50 each time, so that no cache has the answer.
    """

    path: str = Field(pattern=r"^/")
    headers: dict[str, str] = Field(default_factory=dict)
    contains: str = ""


class DataCheck(Part):
    """`part` is the name of the part that keeps the items; `items` is how many are written.

    `count` asks a Neo4j itself how many it has, where several members may know different things:
    Cypher that returns one number, with the list of ids as `{ids}`.
    """

    name: str = Field(min_length=1)
    part: str
    write: WriteRequest
    read: ReadRequest
    items: int = Field(default=5, ge=1, le=1000)
    count: str | None = None

    @model_validator(mode="after")
    def _placeholders(self) -> Self:
        for text, known in (
            (self.write.path, _WRITING),
            (self.read.path, _READING),
            (self.read.contains, _READING),
        ):
            for name in _PLACEHOLDER.findall(text):
                if name not in known:
                    names = ", ".join(f"{{{k}}}" for k in sorted(known))
                    raise ValueError(f"{{{name}}} in {text!r} is none of {names}")
        if self.count is not None and "{ids}" not in self.count:
            raise ValueError("'count' needs {ids}, the list of what was written")
        return self

    @property
    def endpoint(self) -> str:
        """The path that what is written goes to, up to its first placeholder."""
        return self.write.path.partition("{")[0].rstrip("/") or "/"


def with_variables(headers: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Headers with `${NAME}` replaced. Raises KeyError for a variable that is not set."""
    return {k: _VARIABLE.sub(lambda m: environ[m[1]], v) for k, v in headers.items()}


def filled(value: Any, words: dict[str, str]) -> Any:
    """Text, lists and fields with their placeholders replaced."""
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda m: words.get(m[1], m[0]), value)
    if isinstance(value, dict):
        return {k: filled(v, words) for k, v in value.items()}
    return [filled(v, words) for v in value] if isinstance(value, list) else value


def found_at(answer: Any, where: str) -> str | None:
    """The text or number at `order.id` or `items.0.id` of an answer; None where there is none."""
    for step in where.split("."):
        if isinstance(answer, list) and step.isdecimal() and int(step) < len(answer):
            answer = answer[int(step)]
        elif isinstance(answer, dict) and step in answer:
            answer = answer[step]
        else:
            return None
    named = isinstance(answer, str | int) and not isinstance(answer, bool) and answer != ""
    return str(answer) if named else None
