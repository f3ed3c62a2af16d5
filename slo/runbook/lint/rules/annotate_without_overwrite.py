"""An annotation or label that can be set once only."""

from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.commands import kubectl_calls, literal


def check(context: Context) -> Iterator[Problem]:
    calls = [call for _, call in kubectl_calls(context)]
    pairs = {a.partition("=")[::2] for c in calls if c.verb == "label" for a in c.arguments}
    for call in calls:
        if call.verb not in {"annotate", "label"} or "overwrite" in call.options:
            continue
        set_to = [a.partition("=")[::2] for a in call.arguments if "=" in a]
        # A label that has the value already is "not labeled", and kubectl exits with 0.
        keys = [
            key
            for key, value in set_to
            if call.verb == "annotate" or not literal(value) or _others(pairs, key, value)
        ]
        if keys:
            yield Problem(
                line=call.command.line,
                message=f"kubectl {call.verb} sets {', '.join(keys)} without --overwrite: the"
                " second time it fails, because the key is there",
                suggestion=f"kubectl {call.verb} --overwrite …",
            )


def _others(pairs: set[tuple[str, str]], key: str, value: str) -> bool:
    """Is the label set to another value elsewhere?"""
    return any(k == key and v not in {value, ""} for k, v in pairs)


RULE = Rule(
    id="annotate-without-overwrite",
    level=Level.WARNING,
    title="An annotation is set without --overwrite",
    why="The procedure works in rehearsal and fails in the second incident.",
    check=check,
)
