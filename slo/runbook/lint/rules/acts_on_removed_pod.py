"""A step that needs a pod which an earlier step has taken away."""

from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.commands import calls_of
from slo.runbook.lint.kubectl import Call
from slo.runbook.lint.objects import kind_of
from slo.runbook.model import Procedure

_NEEDS_POD = frozenset(("exec", "cp", "logs", "attach", "port-forward"))


def check(context: Context) -> Iterator[Problem]:
    for procedure in context.runbook.procedures:
        yield from _procedure(context, procedure)


def _procedure(context: Context, procedure: Procedure) -> Iterator[Problem]:
    gone: dict[tuple[str, str], int] = {}  # (kind, name) of workloads, and the line
    for _, call in calls_of(context, procedure):
        for kind, name in _targets(call):
            if call.verb == "scale":
                if call.options.get("replicas") == "0":
                    gone[kind, name] = call.command.line
                else:
                    gone.pop((kind, name), None)
            elif call.verb == "delete" and kind in {"Deployment", "StatefulSet"}:
                gone[kind, name] = call.command.line
        if call.verb in {"apply", "create", "replace"}:
            gone.clear()  # what comes back cannot be seen from here
        if call.verb in _NEEDS_POD:
            for kind, name in _targets(call):
                owner = _owner(kind, name, gone)
                if owner is not None:
                    what = f"{owner[0]} {owner[1]!r}"
                    yield Problem(
                        line=call.command.line,
                        message=f"kubectl {call.verb} needs {_said(kind, name)}, which the step on"
                        f" line {gone[owner]} has scaled away with {what}",
                        suggestion="do this while the pod runs, or mount its volume in a pod of its"
                        " own until the workload is scaled up again",
                    )


def _targets(call: Call) -> list[tuple[str, str]]:
    return [(kind_of(kind), name) for kind, name in call.resources() if name]


def _owner(kind: str, name: str, gone: dict[tuple[str, str], int]) -> tuple[str, str] | None:
    """The workload of the pod, if it is gone: neo4j-0 of the StatefulSet neo4j."""
    if (kind, name) in gone:
        return kind, name
    if kind != "Pod":
        return None
    for owner in gone:
        rest = name.removeprefix(f"{owner[1]}-")
        if rest != name and (owner[0] != "StatefulSet" or rest.isdigit()):
            return owner
    return None


def _said(kind: str, name: str) -> str:
    return f"the pod {name!r}" if kind == "Pod" else f"a pod of {kind} {name!r}"


RULE = Rule(
    id="acts-on-removed-pod",
    level=Level.ERROR,
    title="A step acts on a pod that an earlier step removed",
    why="The procedure stops halfway, with the service down and nothing restored.",
    check=check,
)
