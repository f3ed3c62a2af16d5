"""How an object was before a fault, and the commands by which a person puts it back."""

import json
import shlex
from collections.abc import Iterable
from typing import Any

from chaos.kube import Json, Ref
from chaos.undo import marks
from chaos.undo.fields import Value, show
from chaos.undo.marks import LABEL, UNDO, Mark, Remove, Restore, Run
from chaos.undo.repairs import command

LONGEST_VALUE = 120  # characters of a field's value in a sentence


def before(ref: Ref, mark: Mark | None) -> str:
    """The state before the fault, in words."""
    if mark is None:
        return "not known, as its undo data is damaged or gone"
    said = []
    for step in mark.steps:
        match step:
            case Restore():
                said.append(f"{show(step.path)} was {worded(ref, step.was)}")
            case Remove():
                said.append("it was not there")
            case Run():
                said.append(f"container {step.container} was as it is without the fault")
    return ", ".join(said)


def by_hand(ref: Ref, mark: Mark | None) -> str:
    """The kubectl commands that put the object back as it was, mark and all."""
    if mark is None:
        return f"{ref.kubectl('get')} -o yaml"
    commands = [_run_by_hand(ref, mark, s) for s in mark.steps if isinstance(s, Run)]
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


def _run_by_hand(ref: Ref, mark: Mark, step: Run) -> str:
    where = ref.kubectl("exec")
    if step.labels:
        labels = shlex.quote(step.labels)
        pods = f"kubectl -n {ref.namespace} get pod -l {labels} -o name"
        where = f"kubectl -n {ref.namespace} exec $({pods} | head -1)"
    return f"{where} -c {shlex.quote(step.container)} -- {shlex.join(command(mark, step))}"


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


def worded(ref: Ref, value: Value) -> str:
    """For people; what a Secret holds is for nobody's eyes."""
    if not value:
        return "not there"
    if ref.kind.kind == "Secret":
        return "(secret)"
    text = json.dumps(value[0])
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
