"""A kubectl verb or option that kubectl does not have."""

import difflib
import re
from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.commands import kubectl_calls
from slo.runbook.lint.kubectl import Call
from slo.runbook.lint.newer import came_with
from slo.runbook.lint.removed import was_removed
from slo.runbook.lint.versions import older, written

# Plugins and aliases that people install; what they take is theirs to know.
_PLUGINS = frozenset(
    [
        "krew",
        "neat",
        "ctx",
        "tree",
        "view-secret",
        "argo",
        "cnpg",
        "minio",
        "rook-ceph",
        "cert-manager",
        "alpha",
    ]
)


_INSTALLED = re.compile(r"\bkubectl[ -]krew install ([\w-]+)|\bkubectl-([\w]+)\b")


def check(context: Context) -> Iterator[Problem]:
    verbs = sorted({v.partition(" ")[0] for v in context.kubectl.verbs})
    text = "\n".join(context.runbook.lines)
    plugins = _PLUGINS | {a or b for a, b in _INSTALLED.findall(text)}
    for _, call in kubectl_calls(context):
        if was_removed(" ".join(("kubectl", *call.command.words[1:]))):
            continue  # command-removed says since when, and what to use
        unknown = call.verb not in verbs and call.verb not in plugins and _plain(call.verb)
        if call.verb and unknown and not _of_plugin(context, call):
            near = difflib.get_close_matches(call.verb, verbs, 1, 0.75)
            yield Problem(
                line=call.command.line,
                message=f"kubectl {context.kubectl.version} has no command {call.verb!r}",
                suggestion=f"perhaps kubectl {near[0]} is meant"
                if near
                else "if it is a plugin, say above how it is installed",
                # Far from every verb it is a plugin rather than a slip.
                level=None if near else Level.NOTE,
            )
        yield from _options(context, call)
        if (new := came_with(call)) and older(context.versions.kubernetes, new[1]):
            yield Problem(
                line=call.command.line,
                message=f"{new[0]} is there from kubectl {written(new[1])} on, and the runbook is"
                f" for {written(context.versions.kubernetes or new[1])}",
                suggestion="use what that version has, or a newer kubectl",
            )


def _of_plugin(context: Context, call: Call) -> bool:
    """Does the text speak of a plugin of that name?"""
    verb = re.escape(call.verb)
    text = " ".join(context.runbook.lines[max(0, call.command.line - 4) : call.command.line + 3])
    return bool(
        re.search(rf"\b{verb}\b[`\"']*\s+plug-?in|plug-?in[\w `]*\b{verb}\b", text, re.IGNORECASE)
    )


def _options(context: Context, call: Call) -> Iterator[Problem]:
    path = f"{call.verb} {call.sub}".strip()
    for option in call.unknown:
        if not _plain(option):
            continue
        known = context.kubectl.verbs.get(path, {})
        near = difflib.get_close_matches(option, [k for k in known if k.startswith("--")], 1, 0.6)
        yield Problem(
            line=call.command.line,
            message=f"kubectl {path} has no option {option}",
            suggestion=f"perhaps {near[0]} is meant" if near else f"see kubectl {path} --help",
        )


def _plain(word: str) -> bool:
    """Neither an expansion nor a placeholder."""
    return not any(c in word for c in "$`<{(")


RULE = Rule(
    id="kubectl-unknown",
    level=Level.ERROR,
    title="kubectl has no such command or option",
    why="The step fails at once, in the middle of the procedure.",
    check=check,
)
