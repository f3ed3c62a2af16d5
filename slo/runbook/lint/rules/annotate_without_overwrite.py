"""An annotation or label that can be set once only."""

import re
from collections.abc import Iterator

from slo.runbook.lint.base import Context, Fix, Level, Problem, Rule
from slo.runbook.lint.commands import kubectl_calls, literal
from slo.runbook.lint.kubectl import Call


def check(context: Context) -> Iterator[Problem]:
    calls = [call for _, call in kubectl_calls(context)]
    pairs = {
        (_object(c), *a.partition("=")[::2])
        for c in calls
        if c.verb == "label"
        for a in c.arguments
        if literal(a.partition("=")[2])
    }
    for call in calls:
        if call.verb not in {"annotate", "label"} or "overwrite" in call.options:
            continue
        set_to = [a.partition("=")[::2] for a in call.arguments if "=" in a]
        keys = [
            key
            for key, value in set_to
            if key != _CHANGE_CAUSE
            and (_differs(value) or _others(pairs, _object(call), key, value))
        ]
        if keys:
            yield Problem(
                line=call.command.line,
                message=f"kubectl {call.verb} sets {', '.join(keys)} without --overwrite: the"
                " second time it fails, because the key is there with another value",
                suggestion=f"kubectl {call.verb} --overwrite …",
                fix=Fix(call.command.line, f" {call.verb} ", f" {call.verb} --overwrite "),
            )


# kubectl overwrites this one without being told to.
_CHANGE_CAUSE = "kubernetes.io/change-cause"


def _differs(value: str) -> bool:
    """Is it another value each time? The same value again is no error: kubectl exits with 0."""
    return bool(
        re.search(r"\$\(\s*date\b|`\s*date\b|\$\{?(?:RANDOM|SECONDS|EPOCHSECONDS)\b", value)
    )


def _object(call: Call) -> tuple[str, ...]:
    """The verb and what it is done to."""
    return (call.verb, *(a for a in call.arguments if "=" not in a))


def _others(
    pairs: set[tuple[tuple[str, ...], str, str]], of: tuple[str, ...], key: str, value: str
) -> bool:
    """Is the same label of the same object set to another value elsewhere? Annotations may be
    orders that a controller takes away once it has carried them out."""
    if not all(map(literal, of)):
        return False  # which object it is the reader fills in
    return any(o == of and k == key and was not in {value, ""} for o, k, was in pairs)


RULE = Rule(
    id="annotate-without-overwrite",
    level=Level.WARNING,
    title="An annotation is set without --overwrite",
    why="The procedure works in rehearsal and fails in the second incident.",
    check=check,
)
