"""All pods are replaced by new ones of the same version."""

from collections.abc import Sequence

from chaos.kube.views import selector_of
from chaos.parts.find import KINDS
from chaos.prove.drills.base import Drill, Stage, served, sight, whole
from slo.runbook.lint.commands import literal
from slo.runbook.lint.objects import kind_of
from slo.runbook.model import Command, Procedure
from slo.verdict.proofs import Sight

_TOPICS = frozenset(("", "deployment", "troubleshooting", "health"))
_PREFIX = ("kubectl", "rollout", "restart")


class Restart(Drill):
    """What is restarted is what `kubectl rollout restart` names, else the target."""

    condition = "somebody wants new pods of the same version"
    claim = "every pod is a new one of the same version, and users are served"
    cure_within_s = 90.0

    def fits(self, procedure: Procedure) -> bool:
        return procedure.topic in _TOPICS and any(map(_restarts, procedure.commands))

    def prepare(self, stage: Stage) -> None:
        named = [ref for c in stage.procedure.commands if (ref := _named(c))]
        kind, name = named[-1] if named else (stage.system.kind, stage.system.workload)
        stage.memory["workload"] = kind, name
        stage.memory["pods"] = _pods(stage, kind, name)

    def sights(self, stage: Stage) -> Sequence[Sight]:
        kind, name = stage.memory["workload"]
        if stage.system.find(kind, name) is None:
            seen = f"the namespace has no {kind} {name!r}"
            return (sight("pods", f"new pods of {name}", holds=False, seen=seen),)
        before, now = stage.memory["pods"], _pods(stage, kind, name)
        left = len(before & now)
        seen = f"{left} of {len(before)} are from before" if left else f"{len(now)} new ones"
        return (
            sight("pods", f"new pods of {name}", holds=bool(now) and not left, seen=seen),
            whole(stage, kind, name),
            served(stage),
        )


def _restarts(command: Command) -> bool:
    return command.plain[:3] == _PREFIX


def _named(command: Command) -> tuple[str, str] | None:
    """Kind and name in `rollout restart deployment/shop` or `rollout restart deployment shop`."""
    if not _restarts(command):
        return None
    words = command.plain[3:]
    kind, slash, name = (words or [""])[0].partition("/")
    if not slash and len(words) > 1:
        name = words[1]
    kind = kind_of(kind)
    return (kind, name) if kind in KINDS and literal(name) else None


def _pods(stage: Stage, kind: str, name: str) -> set[str]:
    """The uids of its pods; none where there is no such workload."""
    found = stage.system.find(kind, name)
    if found is None:
        return set()
    return {p.uid for p in stage.system.pods(selector_of(found["spec"]["selector"]))}
