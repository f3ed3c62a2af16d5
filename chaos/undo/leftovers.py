"""Finding what faults left in a cluster, and undoing it: from the cluster alone, safe to repeat.

Used by the runner itself, by `gameday recover`, and by the watchdog.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, replace

from chaos.kube import Cluster, ClusterError, Json, Kind, NotStartedError, Ref, kind_of
from chaos.undo import marks
from chaos.undo.by_hand import before, by_hand, worded
from chaos.undo.fields import FieldError, assign, put, same, show, value_at
from chaos.undo.marks import LABEL, FoundMark, Mark, Remove, Restore, Run
from chaos.undo.repairs import command, refusal
from chaos.undo.unmarking import unmarking
from chaos.undo.workloads import await_controller, clean_copies, copies, renew_pods

MARKED = (
    "Deployment",
    "StatefulSet",
    "Pod",
    "Service",
    "PersistentVolumeClaim",
    "NetworkPolicy",
    "NetworkChaos",
    "Hiccup",
    "Node",
)
"""Kinds that faults mark, in the order in which they are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """One fault's mark on one object. `uid` is the object's when it was found, "" for any.

    With `remembered` it is known from elsewhere, by its maker or from a copy, and undone even where
    the mark was lost meanwhile, as `kubectl rollout undo` does.
    """

    ref: Ref
    uid: str
    found: FoundMark
    remembered: bool = False

    def __str__(self) -> str:
        mark = self.found.mark
        whose = self.found.id or "an unknown fault"
        if mark:
            whose = f"{mark.kind} of {mark.experiment} (run {mark.run})"
        return f"{whose} on {self.ref}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """The fault's mark is gone from the object; `notes` say what was left as others made it."""

    leftover: Leftover
    said: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """It could not be undone. `before` is the object's state before, `command` puts it back."""

    leftover: Leftover
    reason: str
    before: str
    command: str

    def __str__(self) -> str:
        return f"{self.leftover}: {self.reason}; before: {self.before}; by hand: {self.command}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """Kinds that could not be looked at, and why: what is there is not known."""

    kind: Kind
    reason: str


def leftovers(cluster: Cluster, namespace: str) -> tuple[list[Leftover], list[Unseen]]:
    """All marks in a namespace ("" is all namespaces), and on what has no namespace."""
    found: list[Leftover] = []
    unseen: list[Unseen] = []

    def look(kind: Kind) -> list[Json] | Unseen:
        try:
            return cluster.objects(kind, namespace, labels=LABEL)
        except ClusterError as error:
            if error.status == 404:  # noqa: PLR2004 - a custom resource that is not installed
                return []
            return Unseen(kind=kind, reason=str(error))

    wanted = [kind_of(name) for name in MARKED]
    # One answer may be long in coming.
    with ThreadPoolExecutor(len(wanted) + 1, "look") as pool:
        copies = pool.submit(_lost, cluster, namespace)
        for kind, seen in zip(wanted, pool.map(look, wanted), strict=True):
            if isinstance(seen, Unseen):
                unseen.append(seen)
                continue
            for obj in seen:
                found += _of(obj, namespace if not kind.namespaced else "")
    try:
        lost = copies.result()
    except ClusterError as error:
        unseen.append(Unseen(kind=kind_of("ReplicaSet"), reason=str(error)))
        return found, unseen
    known = {leftover.ref for leftover in lost}
    labelled = {leftover.ref for leftover in found}
    # A rollback leaves the label; where it is gone, the fault was undone, and its copy is late.
    lost = [replace(each, remembered=each.ref in labelled) for each in lost]
    return [f for f in found if f.found.id or f.ref not in known] + lost, unseen


def _lost(cluster: Cluster, namespace: str) -> list[Leftover]:
    """Faults on Deployments that have lost their marks, from the copies on their ReplicaSets.

    `kubectl rollout undo` replaces the annotations of a Deployment, and its template alone: how
    many pods there are stays as the fault set it.
    """
    found: dict[tuple[str, str], Leftover] = {}
    for obj, copy in copies(cluster, namespace):
        for owner in obj["metadata"].get("ownerReferences") or ():
            if owner["kind"] == "Deployment" and copy.mark and _restores_alone(copy.mark):
                found[owner["uid"], copy.id] = Leftover(
                    ref=Ref.of("Deployment", obj["metadata"]["namespace"], owner["name"]),
                    uid=owner["uid"],
                    found=copy,
                    remembered=True,
                )
    return list(found.values())


def _restores_alone(mark: Mark) -> bool:
    """A copy on a ReplicaSet is of a mark that a fault left on its Deployment."""
    return all(isinstance(step, Restore) for step in mark.steps)


def _of(obj: Json, home: str) -> Iterator[Leftover]:
    """On what has no namespace, only what was marked by a run in namespace `home`.

    A label whose mark was lost is one too, with no id.
    """
    bare = FoundMark(id="", mark=None, expires=None)
    for found in marks.marks(obj) or (bare,):
        if not home or found.mark is None or found.mark.namespace == home:
            yield Leftover(ref=Ref.to(obj), uid=obj["metadata"]["uid"], found=found)


def undo(cluster: Cluster, leftover: Leftover) -> Undone | Stuck:
    """Undo one fault on one object. Doing it twice, or at once from two places, does no harm."""
    mark = leftover.found.mark
    if leftover.found.why:
        return stuck(leftover, leftover.found.why)
    if not leftover.found.id:
        clear = f"{leftover.ref.kubectl('label')} {LABEL}-"
        why = f"somebody took its undo data off; once it is as it should be: {clear}"
        return stuck(leftover, why)
    if mark and (why := refusal(mark, leftover.ref.kind.kind, leftover.ref.name)):
        return stuck(leftover, why)
    steps = mark.steps if mark else ()
    try:
        for step in steps:
            if mark and isinstance(step, Run) and (why := _run(cluster, leftover, mark, step)):
                return stuck(leftover, why)
        if any(isinstance(step, Remove) for step in steps):
            cluster.delete(leftover.ref, uid=leftover.uid)
            return Undone(leftover=leftover, said=f"deleted {leftover.ref}")
        renewed: list[str] = []
        if leftover.ref.kind.kind == "StatefulSet":  # its pods first: the mark says which
            _put_back(cluster, leftover, keep_mark=True)
            await_controller(cluster, leftover.ref)
            restores = [s for s in steps if isinstance(s, Restore)]
            renewed = renew_pods(cluster, leftover.ref, restores)
        done = _put_back(cluster, leftover)
        done = replace(done, said="; ".join((done.said, *renewed)))
        if leftover.ref.kind.kind == "Deployment":
            await_controller(cluster, leftover.ref)
            clean_copies(cluster, leftover.ref.namespace, leftover.found.id)
    except (ClusterError, FieldError) as error:
        return stuck(leftover, str(error))
    return done


def _put_back(cluster: Cluster, leftover: Leftover, *, keep_mark: bool = False) -> Undone:
    """Fields and mark in one patch, made for the version that was read."""
    notes: list[str] = []
    said: list[str] = []

    def operations(found: Json) -> list[Json]:
        notes.clear()
        said.clear()
        current = deepcopy(found)  # as it becomes, operation by operation
        if leftover.uid not in ("", current["metadata"]["uid"]):
            said.append("another object has its name now")
            return []
        wanted: list[Json] = []
        here = [f.mark for f in marks.marks(current) if f.id == leftover.found.id]
        mark = here[0] if here else leftover.found.mark if leftover.remembered else None
        if mark and not here:
            said.append("its mark is gone already")
        for step in (
            reversed(mark.steps) if mark else ()
        ):  # so that no item of a list moves too soon
            if isinstance(step, Restore):
                wanted += _restoring(current, step, leftover.ref, said, notes)
            elif isinstance(step, Run):
                said.append("undone in its container")
        return wanted if keep_mark else [*wanted, *unmarking(current, leftover.found.id)]

    if cluster.change(leftover.ref, operations) is None:
        said.append("it is gone itself")
    text = f"{leftover.ref}: {', '.join(said) or 'mark taken off'}"
    return Undone(leftover=leftover, said=text, notes=tuple(notes))


def _restoring(
    current: Json, step: Restore, ref: Ref, said: list[str], notes: list[str]
) -> list[Json]:
    """Only what is still as the fault set it; what somebody else set meanwhile is theirs."""
    now = value_at(current, step.path)
    if not step.was and step.put in (({},), ([],)):  # held only what the fault put there
        operations = put(current, step.path, ()) if now == step.put else []
        if operations:
            assign(current, step.path, ())
        return operations
    if same(step.path, now, step.put):
        said.append(f"{show(step.path)} is {worded(ref, step.was)} again")
        operations = put(current, step.path, step.was)
        assign(current, step.path, step.was)
        return operations
    if same(step.path, now, step.was):
        said.append(f"{show(step.path)} is {worded(ref, step.was)} already")
        return []
    notes.append(
        f"{ref}: {show(step.path)} was changed by somebody else to {worded(ref, now)} and"
        f" stays so; before the fault it was {worded(ref, step.was)}"
    )
    return []


def _run(cluster: Cluster, leftover: Leftover, mark: Mark, step: Run) -> str:
    """Why the command could not be run to its good end; "" when it was, or nothing is there."""
    pods = _running(cluster, leftover, step)
    if pods is None:
        return ""
    why = f"no running pod has the labels {step.labels}"
    for pod in pods:
        try:
            output = cluster.execute(pod.name, pod.namespace, step.container, command(mark, step))
        except ClusterError as error:
            if _running(cluster, leftover, step) is None:
                return ""  # it ended meanwhile
            if isinstance(error, NotStartedError) and error.missing:
                return ""  # nor could the fault's own command run, by the same program
            why = str(error)
            continue
        if output.code == 0:
            return ""
        said = " ".join(output.text.split())[:200]
        why = f"the undoing command ended with exit code {output.code}: {said}"
    return why


def _running(cluster: Cluster, leftover: Leftover, step: Run) -> list[Ref] | None:
    """Where the command can be run; None where the marked pod's container is gone, fault and all.

    A container that was started anew does not have the processes of the one before.
    """
    if step.labels:
        namespace = leftover.ref.namespace
        pods = cluster.objects(kind_of("Pod"), namespace, labels=step.labels)
        claim = leftover.ref.name
        return [Ref.to(p) for p in pods if _mounts(p, claim) and _is_running(p, step.container)]
    pod = cluster.find(leftover.ref)
    if pod is None or leftover.uid not in ("", pod["metadata"]["uid"]):
        return None
    return [leftover.ref] if _is_running(pod, step.container) else None


def _mounts(pod: Json, claim: str) -> bool:
    volumes = pod["spec"].get("volumes") or ()
    return any((v.get("persistentVolumeClaim") or {}).get("claimName") == claim for v in volumes)


def _is_running(pod: Json, container: str) -> bool:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return any(s["name"] == container and "running" in s.get("state", {}) for s in statuses)


def stuck(leftover: Leftover, reason: str) -> Stuck:
    """With all that a person needs to put it back by hand."""
    return Stuck(
        leftover=leftover,
        reason=reason,
        before=before(leftover.ref, leftover.found.mark),
        command=by_hand(leftover.ref, leftover.found.mark),
    )
