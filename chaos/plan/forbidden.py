"""Kinds of faults and of objects that must not be used: by the plan's word, or the namespace's own.

A plan says so in `guardrails.forbidden_kinds`, whoever owns a namespace by an annotation on it:

    gameday.dev/forbidden-kinds: node-drain, oom, PersistentVolumeClaim

A kind of object is forbidden to be changed, made, entered or taken away by a fault itself; what
controllers do because of it is not meant. A name that nobody knows is an error: it forbids nothing,
and its author believes that it does.
"""

from collections.abc import Iterable

from chaos.faults import FAULTS, NoTargetError, Scene, changes
from chaos.faults.changes import Change
from chaos.kube import Json
from chaos.undo.leftovers import MARKED

ANNOTATION = "gameday.dev/forbidden-kinds"


class ForbiddenError(Exception):
    """A kind is forbidden, or what is forbidden cannot be told; the message is one sentence."""


def known(name: str) -> str:
    """The name itself. Raises ValueError where it is no kind of fault or of object."""
    if name not in FAULTS and name not in MARKED:
        raise ValueError(
            f"{name!r} is neither a kind of fault ({', '.join(sorted(FAULTS))}) nor a kind of"
            f" object that faults touch ({', '.join(sorted(MARKED))})"
        )
    return name


def of_namespace(namespace: Json) -> frozenset[str]:
    """What the namespace itself forbids. Raises ForbiddenError for a name that is not known."""
    metadata = namespace["metadata"]
    told = (metadata.get("annotations") or {}).get(ANNOTATION, "")
    try:
        return frozenset(known(name) for name in told.replace(",", " ").split())
    except ValueError as error:
        raise ForbiddenError(
            f"the annotation {ANNOTATION} of namespace {metadata['name']} cannot be obeyed: {error}"
        ) from error


def check(scene: Scene, kind: str, made: Iterable[Change]) -> None:
    """Right before a fault. Raises NoTargetError where it is forbidden to be, or to touch."""
    hit = {kind, *map(_touched, made)}
    try:
        told = of_namespace(scene.cluster.namespace(scene.namespace))
    except ForbiddenError as error:
        raise NoTargetError(str(error)) from error
    for names, whose in (
        (scene.forbidden, "guardrails.forbidden_kinds"),
        (told, f"the annotation {ANNOTATION} of namespace {scene.namespace}"),
    ):
        if names & hit:
            raise NoTargetError(f"{whose} forbids {', '.join(sorted(names & hit))}")


def _touched(change: Change) -> str:
    """The kind of object that a change is made to."""
    match change:
        case changes.Create(manifest=manifest):
            return str(manifest["kind"])
        case changes.Inside(pod=ref) | changes.Edit(ref=ref) | changes.Delete(ref=ref):
            return ref.kind.kind
        case changes.Evict(ref=ref) | changes.Await(ref=ref):
            return ref.kind.kind
