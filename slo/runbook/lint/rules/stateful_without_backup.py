"""State in the manifests that the backup schedule does not name."""

import re
from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Need, Problem, Rule
from slo.runbook.lint.objects import KubeObject, Objects
from slo.runbook.lint.recoverable import names


def check(context: Context) -> Iterator[Problem]:
    backups = context.runbook.backups
    if context.objects is None or not backups:
        return
    wanted = set().union(*(names(b) for b in backups))
    for one in _stateful(context.objects):
        words = set(re.findall(r"[a-z0-9]+", one.name.casefold()))
        if not words & wanted:
            yield Problem(
                line=backups[0].source.line,
                message=f"{one.kind} {one.name!r} keeps data ({one.where}), and the backup schedule"
                " does not name it",
                suggestion="add it to the schedule, or say there that its data may be lost",
            )


def _stateful(objects: Objects) -> Iterator[KubeObject]:
    for one in objects.of("StatefulSet"):
        if (one.body.get("spec") or {}).get("volumeClaimTemplates"):
            yield one
    yield from objects.of("PersistentVolumeClaim")


RULE = Rule(
    id="stateful-without-backup",
    level=Level.WARNING,
    title="Data in the manifests has no backup schedule",
    why="What nobody listed is what is gone after the incident.",
    check=check,
    needs=frozenset((Need.OBJECTS,)),
)
