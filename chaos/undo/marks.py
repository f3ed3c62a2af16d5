"""The mark that a fault leaves on every object it changes: how to undo it, and until when.

Two annotations a fault, named by its id, so that faults can overlap on one object, and one label
by which marked objects are found:

    undo.gameday.dev/4f2a9c01:    {"data": "...", "sha256": "..."}   what to do, in an envelope
    expires.gameday.dev/4f2a9c01: 2026-01-02T03:04:05+00:00          RFC 3339
    gameday.dev/fault: "true"

They travel in the same PATCH as the change itself, so there is no moment in which one is there
without the other, and undoing needs nothing but the cluster.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from chaos.kube import Json
from slo.documents import Part

LABEL = "gameday.dev/fault"
UNDO = "undo.gameday.dev/"
EXPIRES = "expires.gameday.dev/"
LARGEST_BYTES = 200_000
"""All annotations of an object together may have 256 KiB."""


class MarkError(Exception):
    """A mark that cannot be used: damaged, or too large; the message is one sentence."""


class Restore(Part):
    """Put a field back. `was` and `put` hold one value, or none where the field was not there."""

    do: Literal["restore"] = "restore"
    path: tuple[str, ...]  # steps of chaos.undo.fields
    was: tuple[Any, ...] = Field(max_length=1)
    put: tuple[Any, ...] = Field(max_length=1)  # what the fault set: only this is put back


class Run(Part):
    """Run one of the known repairs (chaos.undo.repairs) in a container of the marked pod.

    On a PersistentVolumeClaim it is one of a running pod with these `labels` that has the claim
    mounted. `path` is that of the file to restore.
    """

    do: Literal["run"] = "run"
    container: str
    repair: Literal["end", "thaw", "restore-file"]
    path: str = ""
    labels: str = ""


class Remove(Part):
    """Delete the marked object: it is the fault's own."""

    do: Literal["remove"] = "remove"


Step = Annotated[Restore | Run | Remove, Field(discriminator="do")]


class Mark(Part):
    """How one fault is undone on one object; `namespace` is where its runner's Lease is."""

    id: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    run: str
    experiment: str
    kind: str
    namespace: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundMark:
    """A mark as it stands on an object: `mark` is None where it is damaged, then `why` says how.

    `expires` is None where it is missing or malformed, which counts as expired.
    """

    id: str
    mark: Mark | None
    expires: datetime | None
    why: str = ""

    def expired(self, now: datetime) -> bool:
        return self.expires is None or self.expires <= now


def annotations(mark: Mark, expires: datetime) -> dict[str, str]:
    """Raises MarkError for undo data that would not fit on an object."""
    data = mark.model_dump_json()
    digest = hashlib.sha256(data.encode()).hexdigest()
    envelope = json.dumps({"data": data, "sha256": digest})
    if len(envelope) > LARGEST_BYTES:
        raise MarkError(f"what is needed to undo it is too large to be kept: {len(envelope)} bytes")
    return {UNDO + mark.id: envelope, EXPIRES + mark.id: expires.astimezone(UTC).isoformat()}


def marks(obj: Json) -> tuple[FoundMark, ...]:
    """All marks on an object, damaged ones too, by id."""
    notes = obj["metadata"].get("annotations") or {}
    prefixes = (UNDO, EXPIRES)
    ids = {key.removeprefix(p) for key in notes for p in prefixes if key.startswith(p)}
    return tuple(_found(notes, each) for each in sorted(ids))


def keys(fault: str) -> tuple[str, str]:
    """The annotations of one fault."""
    return UNDO + fault, EXPIRES + fault


def _found(notes: dict[str, str], fault: str) -> FoundMark:
    expires = _moment(notes.get(EXPIRES + fault, ""))
    try:
        mark, why = _opened(notes.get(UNDO + fault, "")), ""
    except MarkError as error:
        mark, why = None, str(error)
    return FoundMark(id=fault, mark=mark, expires=expires, why=why)


def _opened(envelope: str) -> Mark:
    try:
        read = json.loads(envelope)
        data, digest = str(read["data"]), str(read["sha256"])
        found = hashlib.sha256(data.encode()).hexdigest()
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise MarkError("its undo data is no envelope of data and checksum") from error
    if found != digest:
        raise MarkError("its undo data does not have the checksum that it was written with")
    try:
        return Mark.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise MarkError(f"its undo data cannot be read: {first['msg']}") from error


def _moment(text: str) -> datetime | None:
    """RFC 3339 in full, with its offset; None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if "T" in text.upper() and moment.tzinfo is not None else None
