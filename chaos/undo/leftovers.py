"""Finding what faults left in a cluster, and undoing it: from the cluster alone, safe to repeat.

Used by the runner itself, by `gameday recover`, and by the watchdog.
"""

import json
import shlex
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from chaos.kube import Cluster, ClusterError, Json, Kind, Ref, kind_of
from chaos.undo import marks
from chaos.undo.fields import FieldError, Value, put, same, show, value_at
from chaos.undo.marks import LABEL, UNDO, FoundMark, Remove, Restore, Run

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

CONTROLLER_WITHIN_S = 2.0
LONGEST_VALUE = 120  # characters of a field's value in a sentence


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
    for obj, copy in _copies(cluster, namespace):
        for owner in obj["metadata"].get("ownerReferences") or ():
            if owner["kind"] == "Deployment" and copy.mark is not None:
                found[owner["uid"], copy.id] = Leftover(
                    ref=Ref.of("Deployment", obj["metadata"]["namespace"], owner["name"]),
                    uid=owner["uid"],
                    found=copy,
                    remembered=True,
                )
    return list(found.values())


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
        return _stuck(leftover, leftover.found.why)
    if not leftover.found.id:
        clear = f"{leftover.ref.kubectl('label')} {LABEL}-"
        why = f"somebody took its undo data off; once it is as it should be: {clear}"
        return _stuck(leftover, why)
    steps = mark.steps if mark else ()
    try:
        for step in steps:
            if isinstance(step, Run) and (why := _run(cluster, leftover, step)):
                return _stuck(leftover, why)
        if any(isinstance(step, Remove) for step in steps):
            cluster.delete(leftover.ref, uid=leftover.uid)
            return Undone(leftover=leftover, said=f"deleted {leftover.ref}")
        done = _put_back(cluster, leftover)
        if leftover.ref.kind.kind == "Deployment":
            _await_controller(cluster, leftover.ref)
            _clean_copies(cluster, leftover)
    except (ClusterError, FieldError) as error:
        return _stuck(leftover, str(error))
    return done


def _put_back(cluster: Cluster, leftover: Leftover) -> Undone:
    """Fields and mark in one patch, made for the version that was read."""
    notes: list[str] = []
    said: list[str] = []

    def operations(current: Json) -> list[Json]:
        notes.clear()
        said.clear()
        if leftover.uid not in ("", current["metadata"]["uid"]):
            said.append("another object has its name now")
            return []
        found: list[Json] = []
        here = [f.mark for f in marks.marks(current) if f.id == leftover.found.id]
        mark = here[0] if here else leftover.found.mark if leftover.remembered else None
        if mark and not here:
            said.append("its mark is gone already")
        for step in (
            reversed(mark.steps) if mark else ()
        ):  # so that no item of a list moves too soon
            if isinstance(step, Restore):
                found += _restoring(current, step, leftover.ref, said, notes)
            elif isinstance(step, Run):
                said.append("undone in its container")
        return [*found, *_unmarking(current, leftover.found.id)]

    if cluster.change(leftover.ref, operations) is None:
        said.append("it is gone itself")
    text = f"{leftover.ref}: {', '.join(said) or 'mark taken off'}"
    return Undone(leftover=leftover, said=text, notes=tuple(notes))


def _restoring(
    current: Json, step: Restore, ref: Ref, said: list[str], notes: list[str]
) -> list[Json]:
    """Only what is still as the fault set it; what somebody else set meanwhile is theirs."""
    now = value_at(current, step.path)
    if same(step.path, now, step.put):
        said.append(f"{show(step.path)} is {_worded(ref, step.was)} again")
        return put(current, step.path, step.was)
    if same(step.path, now, step.was):
        said.append(f"{show(step.path)} is {_worded(ref, step.was)} already")
        return []
    notes.append(
        f"{ref}: {show(step.path)} was changed by somebody else to {_worded(ref, now)} and"
        f" stays so; before the fault it was {_worded(ref, step.was)}"
    )
    return []


def _unmarking(current: Json, fault: str) -> list[Json]:
    found: list[Json] = []
    for key in marks.keys(fault):
        if value_at(current, ("metadata", "annotations", key)):
            found += put(current, ("metadata", "annotations", key), ())
    label = value_at(current, ("metadata", "labels", LABEL))
    if label and all(other.id == fault for other in marks.marks(current)):
        found += put(current, ("metadata", "labels", LABEL), ())
    return found


def _await_controller(cluster: Cluster, ref: Ref) -> None:
    """Until the Deployment controller has seen the undoing: before, it may copy the mark again."""
    deadline = time.monotonic() + CONTROLLER_WITHIN_S
    while time.monotonic() < deadline:
        now = cluster.find(ref) or {}
        wanted = now.get("metadata", {}).get("generation", 0)
        if (now.get("status") or {}).get("observedGeneration", wanted) >= wanted:
            return
        time.sleep(0.05)


def _clean_copies(cluster: Cluster, leftover: Leftover) -> None:
    """Take the mark off ReplicaSets, once their Deployment does not have it any more.

    Deployments' annotations are copied to their ReplicaSets, and a rollback copies them back. The
    copies have no label. Those of other faults stay: they may be all that is known of them.
    """
    for obj, copy in _copies(cluster, leftover.ref.namespace):
        if copy.id == leftover.found.id:
            cluster.change(Ref.to(obj), partial(_unmarking, fault=copy.id))


def _copies(cluster: Cluster, namespace: str) -> list[tuple[Json, FoundMark]]:
    """ReplicaSets with the marks on them that their Deployment does not have."""
    found = [
        (obj, each)
        for obj in cluster.objects(kind_of("ReplicaSet"), namespace)
        for each in marks.marks(obj)
    ]
    if not found:
        return []
    kept = {
        (obj["metadata"]["uid"], each.id)
        for obj in cluster.objects(kind_of("Deployment"), namespace)
        for each in marks.marks(obj)
    }
    return [
        (obj, each)
        for obj, each in found
        for owners in (obj["metadata"].get("ownerReferences") or (),)
        if not any((owner["uid"], each.id) in kept for owner in owners)
    ]


def _run(cluster: Cluster, leftover: Leftover, step: Run) -> str:
    """Why the command could not be run to its good end; "" when it was, or nothing is there."""
    pods = _running(cluster, leftover, step)
    if pods is None:
        return ""
    why = f"no running pod has the labels {step.labels}"
    for pod in pods:
        try:
            output = cluster.execute(pod.name, pod.namespace, step.container, step.command)
        except ClusterError as error:
            if _running(cluster, leftover, step) is None:
                return ""  # it ended meanwhile
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
        return [Ref.to(p) for p in pods if _is_running(p, step.container)]
    pod = cluster.find(leftover.ref)
    if pod is None or leftover.uid not in ("", pod["metadata"]["uid"]):
        return None
    return [leftover.ref] if _is_running(pod, step.container) else None


def _is_running(pod: Json, container: str) -> bool:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return any(s["name"] == container and "running" in s.get("state", {}) for s in statuses)


def _stuck(leftover: Leftover, reason: str) -> Stuck:
    return Stuck(
        leftover=leftover,
        reason=reason,
        before=_before(leftover),
        command=by_hand(leftover),
    )


def _before(leftover: Leftover) -> str:
    mark = leftover.found.mark
    if mark is None:
        return "not known, as its undo data is damaged or gone"
    said = []
    for step in mark.steps:
        match step:
            case Restore():
                said.append(f"{show(step.path)} was {_worded(leftover.ref, step.was)}")
            case Remove():
                said.append("it was not there")
            case Run():
                said.append(f"container {step.container} was as it is without the fault")
    return ", ".join(said)


def by_hand(leftover: Leftover) -> str:
    """The kubectl commands that put the object back as it was, mark and all."""
    ref, mark = leftover.ref, leftover.found.mark
    if mark is None:
        return f"{ref.kubectl('get')} -o yaml"
    commands = [_run_by_hand(ref, s) for s in mark.steps if isinstance(s, Run)]
    if any(isinstance(s, Remove) for s in mark.steps):
        return " && ".join([*commands, ref.kubectl("delete")])
    restores = [s for s in mark.steps if isinstance(s, Restore)]
    if restores and ref.kind.kind == "Secret":  # its values are for no screen
        commands.append(f"{ref.kubectl('edit')} (the values are in the annotation {UNDO}{mark.id})")
    elif restores:
        commands.append(f"{ref.kubectl('patch')} -p {shlex.quote(_patch(restores))}")
    commands.append(f"{ref.kubectl('annotate')} {' '.join(f'{k}-' for k in marks.keys(mark.id))}")
    commands.append(f"{ref.kubectl('label')} {LABEL}-")
    return " && ".join(commands)


def _run_by_hand(ref: Ref, step: Run) -> str:
    where = ref.kubectl("exec")
    if step.labels:
        pods = f"kubectl -n {ref.namespace} get pod -l {step.labels} -o name"
        where = f"kubectl -n {ref.namespace} exec $({pods} | head -1)"
    return f"{where} -c {step.container} -- {shlex.join(step.command)}"


def _patch(restores: Iterable[Restore]) -> str:
    """A strategic merge patch: it finds items of lists by name, and null takes a field away."""
    whole: Json = {}
    for step in restores:
        node: Any = whole
        for at, name in enumerate(step.path):
            last = at == len(step.path) - 1
            if isinstance(node, list):
                key, _, wanted = name.partition("=")
                item = next((i for i in node if i.get(key) == wanted), None)
                if item is None:
                    item = {key: wanted}
                    node.append(item)
                node = item
                if last:
                    item |= _item(step)
            elif last:
                node[name] = step.was[0] if step.was else None
            else:
                node = node.setdefault(name, [] if "=" in step.path[at + 1] else {})
    return json.dumps(whole)


def _item(step: Restore) -> Json:
    """What makes an item of a list that was set as a whole be what it was."""
    if not step.was:
        return {"$patch": "delete"}
    return {**dict.fromkeys(step.put[0] if step.put else ()), **step.was[0]}


def _worded(ref: Ref, value: Value) -> str:
    """For people; what a Secret holds is for nobody's eyes."""
    if not value:
        return "not there"
    if ref.kind.kind == "Secret":
        return "(secret)"
    text = json.dumps(value[0])
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
