"""What a fault does to a cluster, as values: a fault says it, the injector does it and marks it.

Edit, Create and Inside leave something behind, so each carries its own undo; Delete and Evict take
away what a controller makes anew, and there is nothing to put back.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from chaos.kube import Json, Ref
from chaos.undo.fields import Path
from chaos.undo.marks import Run
from chaos.undo.repairs import Repair


class Set(NamedTuple):
    """A field and its new value, a Value of chaos.undo.fields: () takes the field away."""

    path: Path
    value: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Fields of an object that is there. Undone by putting back what they were.

    `uid`, where it is given, must be the object's. `undo` is run before the fields are put back.
    """

    ref: Ref
    fields: tuple[Set, ...]
    uid: str = ""
    undo: tuple[Run, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """An object of the fault's own, undone by deleting it.

    Its name is the fault's (`chaos.faults.injection.Tag.name`), as nothing that is there already is
    touched.
    """

    manifest: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """A command in a container of this very pod, after the pod was marked with how to undo it.

    The command must come back at once: what goes on for a while runs in the background, ends by
    itself after its time (`timeout`), and that is the first line of undoing it; `undo`, a repair
    of chaos.undo.repairs, is the second, for a file with its `path`. The command must be safe to
    run twice. Without `undo` there is no mark. With `may_die`
    the command may kill its own container, so how it ended says nothing.
    """

    pod: Ref
    uid: str
    container: str
    command: tuple[str, ...]
    undo: Repair | None = None
    path: str = ""
    may_die: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    ref: Ref
    uid: str
    grace_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evict:
    """Through the eviction subresource, which respects PodDisruptionBudgets.

    Their refusal is an error, unless it `may_be_refused`.
    """

    ref: Ref
    uid: str
    may_be_refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Await:
    """Go on only once this pod, made by the fault itself, is ready or has done its work.

    An error after `within_s`, and at once where it fails; `hint` is what it may mean, for people.
    """

    ref: Ref
    within_s: float
    hint: str


Change = Edit | Create | Inside | Delete | Evict | Await
