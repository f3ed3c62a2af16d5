"""verdict.json: a verdict as text and back, equal verdicts as equal bytes."""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from slo.documents import DocumentError
from slo.model import SCHEMA_VERSION, Verdict

_VERDICT = TypeAdapter(Verdict)


class VerdictError(DocumentError):
    """Not a verdict that this version can read; the message is one sentence."""


def dump(verdict: Verdict) -> str:
    """Indented JSON in the order of the fields, with a trailing newline.

    Raises ValueError for a value that is NaN or infinite, which no verdict may have.
    """
    return json.dumps(tree(verdict), indent=1, allow_nan=False) + "\n"


def tree(verdict: Verdict) -> dict[str, Any]:
    """As `dump`, before it becomes text."""
    return dict(_VERDICT.dump_python(verdict, mode="json"))


def load(text: str, file: str = "verdict.json") -> Verdict:
    """The verdict that `dump` wrote. Raises VerdictError, naming `file`."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise VerdictError(f"{file}: not JSON: {error}") from error
    version = found.get("schema_version") if isinstance(found, dict) else None
    if version != SCHEMA_VERSION:
        raise VerdictError(
            f"{file}: schema_version is {version}, this version reads {SCHEMA_VERSION}"
        )
    try:
        return _VERDICT.validate_python(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise VerdictError(f"{file}: field {where!r}: {first['msg']}") from error


def read(run_dir: Path) -> Verdict:
    """The verdict of a scored run directory. Raises VerdictError."""
    path = run_dir / "verdict.json"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise VerdictError(f"{path}: {error.strerror}") from error
    return load(text, str(path))
