"""What undoing may do, by kind of fault: marks on objects are data, and never orders.

Whoever may annotate an object must gain nothing by it. So a mark names one of a few repairs, whose
commands are made here, and it may put back only those fields, on those kinds of objects, that its
kind of fault changes. docs/decisions/0007-marks-are-data.md has the reasons.
"""

import re
import shlex
from typing import Literal

from chaos.undo.marks import Mark, Remove, Restore, Run

VARIABLE = "GAMEDAY_FAULT"
"""In the environment of what a fault left running: the fault's id."""

Repair = Literal["end", "thaw", "restore-file"]

_TEMPLATE = (("spec", "template"),)
_WORKLOADS = ("Deployment", "StatefulSet")
_EDITS: dict[str, tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]] = {
    "bad-image": (_WORKLOADS, _TEMPLATE),
    "crash-release": (_WORKLOADS, _TEMPLATE),
    "set-env": (_WORKLOADS, _TEMPLATE),
    "oom": (_WORKLOADS, _TEMPLATE),
    "scale-to-zero": (_WORKLOADS, (("spec", "replicas"),)),
    "network-degrade": (("Service",), (("spec", "selector"),)),
    "node-drain": (("Node",), (("spec", "unschedulable"),)),
}
"""By kind of fault: on which kinds of objects it changes fields, and below which paths."""

_MADE = {
    "network-degrade": ("Service", "Pod", "NetworkPolicy"),
    "network-cut": ("NetworkPolicy",),
    "network-chaos": ("NetworkChaos",),
    "control-plane-hiccup": ("Hiccup",),
    "pod-kill": ("Pod",),
    "freeze": ("Pod",),
}
"""By kind of fault: which kinds of objects it makes."""

_RUN_ON = {
    "cpu-stress": ("Pod",),
    "memory-pressure": ("Pod",),
    "freeze": ("Pod",),
    "file-damage": ("Pod", "PersistentVolumeClaim"),
}
"""By kind of fault: on which kinds of objects it leaves something to run."""


def own_name(kind: str, fault: str) -> str:
    """Of the objects that a fault makes, and of the files that it keeps."""
    return f"gameday-{kind}-{fault}"


def refusal(mark: Mark, kind: str, name: str) -> str:
    """Why no fault can have left this mark on an object of that kind and name; "" where one can."""
    for step in mark.steps:
        match step:
            case Restore():
                kinds, paths = _EDITS.get(mark.kind, ((), ()))
                fits = kind in kinds and any(step.path[: len(p)] == p for p in paths)
            case Remove():
                own = re.escape(own_name(mark.kind, mark.id))
                fits = kind in _MADE.get(mark.kind, ()) and bool(
                    re.fullmatch(rf"{own}(-\d+)?", name)  # one on each node
                )
            case Run():
                fits = kind in _RUN_ON.get(mark.kind, ())
                fits = fits and bool(step.labels) == (kind == "PersistentVolumeClaim")
        if not fits:
            return (
                f"its undo data is none that a {mark.kind} leaves on a {kind}, so somebody else"
                " wrote it, and nothing of it is carried out"
            )
    return ""


def command(mark: Mark, step: Run) -> tuple[str, ...]:
    """What undoing runs in a container. Safe to run twice."""
    scripts = {
        "end": end_marked(mark.id),
        "thaw": f"{signal_all(mark.id, 'CONT')}; {end_marked(mark.id)}",
        "restore-file": restore_file(mark.id, step.path),
    }
    return ("sh", "-c", scripts[step.repair])


def end_marked(fault: str) -> str:
    """End everything that the fault left running."""
    return (
        f"for e in $(grep -ls {VARIABLE}={fault} /proc/[0-9]*/environ); do"
        " p=${e#/proc/}; kill -KILL ${p%/environ} 2>/dev/null; done; true"
    )


def signal_all(fault: str, signal: str) -> str:
    """To all processes but those of the fault itself; process 1 is shielded from a STOP."""
    return (
        "for d in /proc/[0-9]*; do p=${d#/proc/};"
        ' [ "$p" = "$$" ]'
        f' || grep -qs {VARIABLE}={fault} "$d/environ" || kill -{signal} "$p" 2>/dev/null;'
        " done; true"
    )


def file_names(fault: str, path: str) -> str:
    """Shell variables: `file`, and where it is `kept` meanwhile."""
    kept = f"{path}.{own_name('file-damage', fault)}"
    return f"file={shlex.quote(path)}; kept={shlex.quote(kept)}"


def restore_file(fault: str, path: str) -> str:
    return f'{file_names(fault, path)}; [ ! -e "$kept" ] || mv -f "$kept" "$file"'
