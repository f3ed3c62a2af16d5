"""A file copied into a directory of a pod that may not be there."""

import posixpath
from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.commands import calls_of
from slo.runbook.lint.kubectl import Call
from slo.runbook.lint.objects import WORKLOADS, Objects
from slo.runbook.model import Procedure

_ALWAYS = frozenset(
    """
    / /tmp /var/tmp /etc /root /home /opt /usr /var /var/log /mnt /srv /dev/shm .
    """.split()  # noqa: SIM905 - paths are easier to read than quotes
)


def check(context: Context) -> Iterator[Problem]:
    for procedure in context.runbook.procedures:
        yield from _procedure(context, procedure)


def _procedure(context: Context, procedure: Procedure) -> Iterator[Problem]:
    made: set[str] = set()
    for _, call in calls_of(context, procedure):
        inner = call.command.inner
        if inner and "mkdir" in inner[0]:
            made |= {w.rstrip("/") for w in inner[1:] if w.startswith("/")}
        elif inner:
            made |= {
                w.rstrip("/")
                for word in inner
                for w in word.split()
                if w.startswith("/") and "mkdir" in word
            }
        if call.verb == "cp" and (target := _into(call)):
            folder = posixpath.dirname(target.rstrip("/")) or "."
            if folder in _ALWAYS or any(m == folder or m.startswith(f"{folder}/") for m in made):
                continue
            mounted = context.objects is not None and _mounted(context.objects, folder)
            there = (
                f"; a volume is mounted there in {context.objects.origin}, but the file is replaced"
                " while it may be read"
                if mounted and context.objects
                else ""
            )
            yield Problem(
                line=call.command.line,
                message=f"kubectl cp writes {target}, for which the directory {folder} must"
                f" exist in the pod{there}",
                suggestion=f"make it first: kubectl exec … -- mkdir -p {folder}; copy under another"
                " name, and rename",
            )


def _into(call: Call) -> str:
    """The path inside the pod, if the copy goes there."""
    paths = list(call.arguments)
    if len(paths) != 2 or ":" not in paths[1]:  # noqa: PLR2004 - from and to
        return ""
    return paths[1].rpartition(":")[2]


def _mounted(objects: Objects, folder: str) -> bool:
    return any(
        str(mount.get("mountPath", "")).rstrip("/") == folder
        for kind in WORKLOADS
        for workload in objects.of(kind)
        for container in objects.containers(workload)
        for mount in container.get("volumeMounts") or ()
    )


RULE = Rule(
    id="copy-needs-directory",
    level=Level.NOTE,
    title="A copy needs its directory to exist",
    why="kubectl cp unpacks with tar inside the pod and makes no parents: the recovery fails on a"
    " fresh pod, which is the case it is for.",
    check=check,
)
