"""`requests:` in YAML: single HTTP requests, for those who need no locustfile.

`{column}` is filled from the columns of a CSV file, one row an iteration, and from the start again
after the last row. `${NAME}` is an environment variable: it is read by the process that sends the
request, and written nowhere.
"""

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_COLUMN = re.compile(r"(?<!\$)\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PLACE = re.compile(f"{_VARIABLE.pattern}|{_COLUMN.pattern}")

Field_ = tuple[str | int, ...]  # where a text stands within a request


def _plain(value: Any) -> Any:
    """As JSON has it, without what the YAML reader adds."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"cannot be written as JSON: {error}") from error


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


Status = Annotated[int, Field(ge=100, le=599)]


class Expect(_Part):
    """What a good answer is: one of these statuses, by default 200 to 299, with `text` in it."""

    status: Status | tuple[Status, ...] | None = None
    text: str | None = None

    def misses(self, status: int, text: str | None) -> str:
        """What is wrong with an answer; "" when nothing is."""
        wanted = (self.status,) if isinstance(self.status, int) else self.status
        if status not in (wanted or range(200, 300)):
            expected = ", ".join(map(str, wanted)) if wanted else "2xx"
            return f"status {status} where {expected} was expected"
        if self.text is not None and self.text not in (text or ""):
            return "the expected text is not in the answer"
        return ""


class Request(_Part):
    """One request; `name` is what the endpoint is called in results, by default the path."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    path: str = Field(pattern=r"^/([^/].*)?$")
    headers: dict[str, str] = {}
    body: str | None = None
    json_body: Annotated[Any, BeforeValidator(_plain)] = Field(default=None, alias="json")
    expect: Expect = Expect()
    weight: float = Field(default=1, gt=0, allow_inf_nan=False)
    name: str | None = Field(default=None, min_length=1)
    values: Path | None = None

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if self.body is not None and self.json_body is not None:
            raise ValueError("give either 'body' or 'json'")
        return self

    @property
    def endpoint(self) -> str:
        """As it is called in results."""
        return f"{self.method} {self.name or self.path}"

    def filled(self, environ: Mapping[str, str], row: Mapping[str, str]) -> "Filled":
        """Ready to be sent. Raises KeyError for an environment variable that is not set."""

        def fill(text: str) -> str:
            return _PLACE.sub(
                lambda m: environ[m[1]].strip("\r\n") if m[1] else row.get(m[2], m[0]), text
            )

        headers = {name: fill(value) for name, value in self.headers.items()}
        body = None if self.body is None else fill(self.body)
        if self.json_body is not None:
            body = json.dumps(_mapped(self.json_body, fill))
            if "content-type" not in {name.lower() for name in headers}:
                headers["Content-Type"] = "application/json"
        return Filled(fill(self.path), headers, body)


class Filled:
    """A request's path, headers and body with nothing left to fill."""

    __slots__ = ("body", "headers", "path")

    def __init__(self, path: str, headers: dict[str, str], body: str | None) -> None:
        self.path, self.headers, self.body = path, headers, body


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """The JSON value with each of its texts changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_mapped(v, change) for v in value]
    if isinstance(value, dict):
        return {k: _mapped(v, change) for k, v in value.items()}
    return value


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file whose first line names the columns.

    Raises ValueError, with a sentence, for a file that is not one.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = []
            for row in reader:
                if None in row or None in row.values():
                    wanted = len(reader.fieldnames or ())
                    raise ValueError(f"{path}, line {reader.line_num}: not {wanted} columns")
                rows.append(row)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: not a CSV file in UTF-8: {error}") from error
    if not rows:
        raise ValueError(f"{path}: no rows below the line with the names of the columns")
    return rows


def mistake_in(request: Request, environ: Mapping[str, str]) -> tuple[Field_, str] | None:
    """The first thing that is named and not there: the field, and a sentence about it."""
    columns: set[str] = set()
    if request.values is not None:
        try:
            columns = set(rows_of(request.values)[0])
        except ValueError as error:
            return ("values",), str(error)
    for field, text in _texts(request):
        for name in _VARIABLE.findall(text):
            if name not in environ:
                return field, f"the environment variable {name} is not set"
        # A body may have braces of its own, where nothing is to be filled in.
        strict = request.values is not None or field[0] == "path"
        for name in _COLUMN.findall(text) if strict else ():
            if name not in columns:
                known = ", ".join(sorted(columns)) or "none, as there is no 'values'"
                return field, f"there is no column {name!r}; the columns are: {known}"
    return None


def _texts(request: Request) -> Iterator[tuple[Field_, str]]:
    """All texts in which something can be filled, with the field that they stand in."""
    yield ("path",), request.path
    for name, value in request.headers.items():
        yield ("headers", name), value
    if request.body is not None:
        yield ("body",), request.body
    yield from _texts_of(request.json_body, ("json",))


def _texts_of(value: Any, at: Field_) -> Iterator[tuple[Field_, str]]:
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, list):
        for i, each in enumerate(value):
            yield from _texts_of(each, (*at, i))
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _texts_of(each, (*at, key))
