"""A patch that sets what is set already."""

import json
from collections.abc import Iterator
from typing import Any

from slo.runbook.lint.base import Context, Level, Need, Problem, Rule
from slo.runbook.lint.commands import kubectl_calls
from slo.runbook.lint.objects import Objects, kind_of


def check(context: Context) -> Iterator[Problem]:
    objects = context.objects
    if objects is None:
        return
    for _, call in kubectl_calls(context):
        if call.verb != "patch":
            continue
        try:
            patch = json.loads(call.options.get("patch", ""))
        except ValueError:
            continue
        for kind, name in call.resources():
            for container, limits in _limits(patch):
                same = _current(objects, kind_of(kind), name, container)
                if limits and same and all(str(same.get(k)) == str(v) for k, v in limits.items()):
                    what = ", ".join(f"{k} {v}" for k, v in limits.items())
                    yield Problem(
                        line=call.command.line,
                        message=f"the patch sets the limit that {name} has already ({what}, in"
                        f" {objects.origin}): nothing changes",
                        suggestion="set a higher limit than the one that was hit",
                    )


def _limits(patch: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        containers = patch["spec"]["template"]["spec"]["containers"]
        for container in containers:
            yield str(container["name"]), dict(container["resources"]["limits"])
    except (KeyError, TypeError, ValueError):
        return


def _current(objects: Objects, kind: str, name: str, container: str) -> dict[str, Any]:
    found = objects.find(kind, name)
    for one in objects.containers(found) if found else ():
        if one.get("name") == container:
            return dict((one.get("resources") or {}).get("limits") or {})
    return {}


RULE = Rule(
    id="limit-unchanged",
    level=Level.ERROR,
    title="A patch raises a limit to what it is already",
    why="No rollout starts, and the pods are killed again at the same limit.",
    check=check,
    needs=frozenset((Need.OBJECTS,)),
)
