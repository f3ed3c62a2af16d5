"""A command that names an object which is not there."""

import re
from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Need, Problem, Rule
from slo.runbook.lint.commands import calls_of, kubectl_calls, literal
from slo.runbook.lint.kubectl import Call
from slo.runbook.lint.objects import Objects, kind_of
from slo.runbook.model import Step


def check(context: Context) -> Iterator[Problem]:
    objects = context.objects
    if objects is None:
        return
    made = _made(context)
    for step, call in kubectl_calls(context):
        if call.verb == "create":
            continue
        for kind, name in [(kind_of(k), n) for k, n in call.resources()]:
            if not kind or not literal(name):
                continue
            if kind == "Pod":
                yield from _pod(objects, call, name)
            elif (
                objects.knows(kind) and name not in objects.names(kind) and (kind, name) not in made
            ):
                yield _problem(objects, call, kind, name, _applied(context, step, name))
        namespace = call.options.get("namespace", "")
        if literal(namespace) and namespace not in objects.names("Namespace"):
            yield _problem(objects, call, "Namespace", namespace)


def _pod(objects: Objects, call: Call, name: str) -> Iterator[Problem]:
    """Of pods only those of a StatefulSet have a name that can be known."""
    base, _, ordinal = name.rpartition("-")
    if ordinal.isdigit() and base and objects.workload_of(name) is None:
        if objects.live and objects.find("Pod", name):
            return
        yield _problem(objects, call, "StatefulSet", base)


def _made(context: Context) -> set[tuple[str, str]]:
    """What steps of the runbook itself create by name."""
    found = set()
    for _, call in kubectl_calls(context):
        if call.verb == "create" and call.arguments:
            kind = kind_of(call.sub.partition(" ")[0])
            found.add((kind, call.arguments[0]))
    return found


def _applied(context: Context, step: Step, name: str) -> str:
    """A file that the procedure applies before the step, that is not at hand, and whose name has
    a word of the object's: deployment-green.yaml may make web-green."""
    procedure = next((p for p in context.runbook.procedures if step in p.steps), None)
    for earlier, call in calls_of(context, procedure) if procedure else ():
        if earlier is step:
            break
        path = call.options.get("filename", "")
        shared = set(re.findall(r"[a-z0-9]+", path)) & set(name.split("-"))
        if call.verb == "apply" and shared and context.exists and not context.exists(path):
            return path
    return ""


def _problem(objects: Objects, call: Call, kind: str, name: str, applied: str = "") -> Problem:
    near = objects.near(kind, name)
    unless = f", unless {applied}, which is not here, makes it" if applied else ""
    return Problem(
        line=call.command.line,
        message=f"there is no {kind} {name!r} in {objects.origin}{unless}",
        suggestion=f"perhaps {near!r} is meant"
        if near
        else f"create it, or name the {kind} that is there",
        level=Level.WARNING if applied else None,
    )


RULE = Rule(
    id="unknown-object",
    level=Level.ERROR,
    title="A step names an object that does not exist",
    why="The step fails with NotFound, or worse: it makes something that nothing uses.",
    check=check,
    needs=frozenset((Need.OBJECTS,)),
)
