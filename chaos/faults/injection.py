"""Doing what a fault says, so that it can be undone from the cluster alone."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from chaos.faults import changes
from chaos.faults.changes import Change
from chaos.kube import Cluster, ClusterError, Json, NotStartedError, Ref
from chaos.undo import marks
from chaos.undo.fields import ABSENT, FieldError, made, overlap, put, same, settable, show, value_at
from chaos.undo.leftovers import MARKED
from chaos.undo.marks import LABEL, Mark, MarkError, Remove, Restore, Run, Step
from chaos.undo.repairs import own_name
from chaos.undo.unmarking import unmark


class InjectionError(Exception):
    """The fault cannot be injected as it was meant; the message is one sentence."""


class NeverRanError(InjectionError):
    """Its command did not begin to run in the pod `ref`, which has no mark any more."""

    def __init__(self, ref: Ref, why: str) -> None:
        super().__init__(why)
        self.ref = ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """Whose fault it is and until when: what every mark says beside how to undo it.

    `id` is unique among all faults of a cluster; `namespace` is where the run's Lease is.
    """

    id: str
    run: str
    experiment: str
    kind: str
    namespace: str
    expires: datetime

    @property
    def name(self) -> str:
        """For objects of the fault's own."""
        return own_name(self.kind, self.id)

    def mark(self, steps: Iterable[Step]) -> Mark:
        return Mark(
            id=self.id,
            run=self.run,
            experiment=self.experiment,
            kind=self.kind,
            namespace=self.namespace,
            steps=tuple(steps),
        )


Marked = Callable[[Ref, str, Mark], None]
"""Called with object, UID and mark before a request is sent that marks an object."""


def inject(cluster: Cluster, change: Change, tag: Tag, marked: Marked) -> bool:
    """Make one change, and mark its object in the same request; False: to be asked again.

    May be called again after an error or a crash: what is done already is not done twice. Raises
    ClusterError when the cluster refuses, InjectionError when the change has no place.
    """
    try:
        match change:
            case changes.Edit():
                _edit(cluster, change, tag, marked)
            case changes.Create():
                _create(cluster, change, tag, marked)
            case changes.Inside():
                _run_inside(cluster, change, tag, marked)
            case changes.Delete():
                cluster.delete(change.ref, uid=change.uid, grace_s=change.grace_s)
            case changes.Evict():
                _evict(cluster, change)
            case changes.Await():
                return _is_ready(cluster, change.ref)
    except (FieldError, MarkError) as error:
        raise InjectionError(str(error)) from error
    return True


def _is_ready(cluster: Cluster, ref: Ref) -> bool:
    """Or, where it is to end, has it? Raises InjectionError where one of its containers failed."""
    pod = cluster.get(ref)
    status = pod.get("status") or {}
    for one in status.get("containerStatuses") or ():
        for state in (one.get("state") or {}, one.get("lastState") or {}):
            if (state.get("terminated") or {}).get("exitCode"):
                said = cluster.last_words(ref, one["name"]) or "nothing"
                raise InjectionError(f"{ref} of the fault failed and said: {said}")
        waiting = (one.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in ("ImagePullBackOff", "InvalidImageName"):
            raise InjectionError(f"{ref} of the fault does not start: {waiting.get('message')}")
    if pod["spec"].get("restartPolicy") == "Never":
        return bool(status.get("phase") == "Succeeded")
    conditions = status.get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _evict(cluster: Cluster, change: changes.Evict) -> None:
    try:
        cluster.evict(change.ref, uid=change.uid)
    except ClusterError as error:
        if not (change.may_be_refused and error.status == 429):  # noqa: PLR2004
            raise


def _edit(cluster: Cluster, change: changes.Edit, tag: Tag, marked: Marked) -> None:
    _require_findable(change.ref)

    def operations(current: Json) -> list[Json]:
        if change.uid and current["metadata"]["uid"] != change.uid:
            raise InjectionError(f"{change.ref} is another one than the one that was chosen")
        if _marked(current, tag):
            return []
        restores, wanted = [], []
        for field in change.fields:
            own, operation = _set(current, field)
            restores += own
            wanted += operation
        _refuse_overlap(current, restores)
        mark = tag.mark([*change.undo, *restores])
        marked(change.ref, current["metadata"]["uid"], mark)
        return [*_marking(current, mark, tag), *wanted]

    if cluster.change(change.ref, operations) is None:
        raise InjectionError(f"{change.ref} is gone before the fault")


def _set(current: Json, field: changes.Set) -> tuple[list[Restore], list[Json]]:
    if not field.value:
        path, wanted = field.path, ABSENT
    else:
        path, value = settable(current, field.path, field.value[0])
        wanted = (value,)
    was = value_at(current, path)
    if same(path, was, wanted):
        raise InjectionError(f"{show(path)} is already what the fault would make it")
    operations = put(current, path, wanted)
    if was or not wanted:
        return [Restore(path=path, was=was, put=wanted)], operations
    return [Restore(path=p, was=ABSENT, put=(v,)) for p, v in made(path, wanted[0])], operations


def _refuse_overlap(current: Json, restores: list[Restore]) -> None:
    """Two faults on one field could not be told apart when they are undone."""
    for found in marks.marks(current):
        for other in found.mark.steps if found.mark else ():
            for own in restores:
                if isinstance(other, Restore) and overlap(own.path, other.path):
                    raise InjectionError(
                        f"{show(own.path)} is held by another fault already ({found.id})"
                    )


def _create(cluster: Cluster, change: changes.Create, tag: Tag, marked: Marked) -> None:
    metadata = change.manifest["metadata"]
    mark = tag.mark([Remove()])
    manifest = {
        **change.manifest,
        "metadata": {
            **metadata,
            "labels": {**metadata.get("labels", {}), LABEL: "true"},
            "annotations": {
                **metadata.get("annotations", {}),
                **marks.annotations(mark, tag.expires),
            },
        },
    }
    _require_findable(Ref.to(manifest))
    marked(Ref.to(manifest), "", mark)
    try:
        cluster.create(manifest)
    except ClusterError as error:
        # After a request whose answer was lost, our own object is there.
        there = cluster.find(Ref.to(manifest)) if error.status == 409 else None  # noqa: PLR2004
        if there is None or not _marked(there, tag):
            raise


def _run_inside(cluster: Cluster, change: changes.Inside, tag: Tag, marked: Marked) -> None:
    steps = (
        [Run(container=change.container, repair=change.undo, path=change.path)]
        if change.undo
        else []
    )

    def operations(current: Json) -> list[Json]:
        if current["metadata"]["uid"] != change.uid:
            raise InjectionError(f"{change.pod} is another one than the one that was chosen")
        if not steps or _marked(current, tag):
            return []
        mark = tag.mark(steps)
        marked(change.pod, change.uid, mark)
        return _marking(current, mark, tag)

    if cluster.change(change.pod, operations) is None:
        raise InjectionError(f"{change.pod} is gone before the fault")
    _execute(cluster, change, tag)


def _execute(cluster: Cluster, change: changes.Inside, tag: Tag) -> None:
    pod = change.pod
    try:
        output = cluster.execute(pod.name, pod.namespace, change.container, change.command)
    except NotStartedError as error:
        unmark(cluster, pod, tag.id)
        raise NeverRanError(pod, str(error)) from error
    except ClusterError as error:
        if not change.may_die or error.status:
            raise
        return
    if output.code != 0 and not change.may_die:
        said = " ".join(output.text.split())[:200] or "nothing"
        raise InjectionError(
            f"the command in {pod} ended with exit code {output.code} and said: {said}"
        )


def _marked(obj: Json, tag: Tag) -> bool:
    return any(found.id == tag.id for found in marks.marks(obj))


def _require_findable(ref: Ref) -> None:
    """A mark is worth nothing where nobody looks for it."""
    if ref.kind.kind not in MARKED:
        raise InjectionError(f"{ref} is of a kind on which nobody looks for marks")


def _marking(current: Json, mark: Mark, tag: Tag) -> list[Json]:
    found: list[Json] = []
    notes = marks.annotations(mark, tag.expires)
    for holder, added in (("labels", {LABEL: "true"}), ("annotations", notes)):
        if not current["metadata"].get(holder):
            found.append({"op": "add", "path": f"/metadata/{holder}", "value": added})
            continue
        for key, value in added.items():
            found += put(current, ("metadata", holder, key), (value,))
    return found
