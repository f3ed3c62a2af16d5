"""verdict.json: a verdict as text and back, equal verdicts as equal bytes."""

import json
from pathlib import Path

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
    tree = _VERDICT.dump_python(verdict, mode="json")
    return json.dumps(tree, indent=1, allow_nan=False) + "\n"


def load(text: str, file: str = "verdict.json") -> Verdict:
    """The verdict that `dump` wrote. Raises VerdictError, naming `file`."""
    try:
        tree = json.loads(text)
    except ValueError as error:
        raise VerdictError(f"{file}: not JSON: {error}") from error
    version = tree.get("schema_version") if isinstance(tree, dict) else None
    if version != SCHEMA_VERSION:
        raise VerdictError(
            f"{file}: schema_version is {version}, this version reads {SCHEMA_VERSION}"
        )
    try:
        return _VERDICT.validate_python(tree)
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
