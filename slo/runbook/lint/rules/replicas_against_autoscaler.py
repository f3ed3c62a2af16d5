"""A number of replicas that the autoscaler does not allow, stated or set."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from slo.runbook.lint.base import Context, Level, Need, Problem, Rule
from slo.runbook.lint.claims import minimum_claims
from slo.runbook.lint.commands import kubectl_calls
from slo.runbook.lint.objects import Objects, kind_of


class _Range(NamedTuple):
    name: str
    low: int
    high: int
    where: str


def check(context: Context) -> Iterator[Problem]:
    objects = context.objects
    if objects is None:
        return
    ranges = _ranges(objects)
    for _, call in kubectl_calls(context):
        replicas = call.options.get("replicas", "")
        if call.verb != "scale" or not replicas.isdigit():
            continue
        for kind, name in call.resources():
            found = ranges.get((kind_of(kind), name))
            if found is not None and not found.low <= int(replicas) <= found.high:
                yield Problem(
                    line=call.command.line,
                    message=f"this scales {name} to {replicas}, and the autoscaler {found.name}"
                    f" keeps it between {found.low} and {found.high} ({found.where}): undone at the"
                    " autoscaler's next look",
                    suggestion="change the autoscaler's bounds, or take it away meanwhile",
                )
    yield from _claims(context, ranges)


def _claims(context: Context, ranges: dict[tuple[str, str], _Range]) -> Iterator[Problem]:
    for claim in minimum_claims(context.runbook):
        about = set(re.findall(r"[a-z0-9]+", claim.text.casefold()))
        for (_, name), found in ranges.items():
            parts = set(name.casefold().split("-"))
            if (parts & about or len(ranges) == 1) and claim.minimum != found.low:
                yield Problem(
                    line=claim.line,
                    message=f"{claim.text!r} says a minimum of {claim.minimum} for {name}, and the"
                    f" autoscaler {found.name} goes down to {found.low} ({found.where})",
                    suggestion=f"say {found.low}, or set minReplicas: {claim.minimum}",
                )


def _ranges(objects: Objects) -> dict[tuple[str, str], _Range]:
    found = {}
    for hpa in objects.of("HorizontalPodAutoscaler"):
        spec = hpa.body.get("spec") or {}
        target = spec.get("scaleTargetRef") or {}
        high = spec.get("maxReplicas")
        if isinstance(high, int):
            key = str(target.get("kind", "")), str(target.get("name", ""))
            found[key] = _Range(hpa.name, int(spec.get("minReplicas") or 1), high, hpa.where)
    return found


RULE = Rule(
    id="replicas-against-autoscaler",
    level=Level.ERROR,
    title="A number of replicas is outside the autoscaler's bounds",
    why="What the runbook scales by hand comes undone within seconds, and capacity that people"
    " count on is not there.",
    check=check,
    needs=frozenset((Need.OBJECTS,)),
)
