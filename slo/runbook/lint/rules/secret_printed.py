"""Credentials printed to the terminal."""

import re
from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.commands import kubectl_calls
from slo.runbook.lint.objects import kind_of
from slo.runbook.model import Command, Step


def check(context: Context) -> Iterator[Problem]:
    for step, call in kubectl_calls(context):
        if call.verb != "get" or not _shown(step, call.command):
            continue
        output = call.options.get("output", "")
        if output not in {"yaml", "json"} and not output.startswith(("jsonpath", "go-template")):
            continue
        if output.startswith(("jsonpath", "go-template")) and not _secret_field(output):
            continue
        for kind, name in call.resources():
            if kind_of(kind) == "Secret" and (name or output in {"yaml", "json"}):
                yield Problem(
                    line=call.command.line,
                    message=f"kubectl get {kind} {name} -o {output.partition('=')[0]} prints the"
                    " credentials into the terminal and whatever records it",
                    suggestion="look at the keys alone: kubectl describe secret …",
                )


# They take a secret and print something else of it, or nothing.
_ENDS = frozenset(
    """
    openssl wc sha256sum sha1sum md5sum cksum kubectl kubeseal docker helm podman vault age gpg
    xargs keytool ssh-keygen step pbcopy xclip wl-copy psql mysql redis-cli diff cmp tee
    """.split()  # noqa: SIM905
)


def _shown(step: Step, command: Command) -> bool:
    """Does what the command prints reach the terminal? Not from a variable, a file, or a pipe
    into what does not print it."""
    position = next((i for i, c in enumerate(step.commands) if c is command), -1)
    head = step.text[: max(0, step.text.find(" ".join(command.words[:2])))]
    if re.search(r"=\s*[\"']?\$\([^)]*$|<\([^)]*$|=\s*`[^`]*$|\$\([^)]*$", head):
        return bool(re.search(r"\b(?:echo|printf)\b[^;\n]*$", head))
    rest = _pipeline(step.text[len(head) :])
    if re.search(r"[^2&]>>?\s*[\w./~$]", rest):
        return False
    after = step.commands[position + 1 :] if "|" in rest else ()
    last = command.line + rest.count("\n")
    names = {c.program for c in after if command.line <= c.line <= last}
    counts = any(
        c.program == "grep"
        and ({"-c", "-q", "-qc"} & set(c.words) or c.words[-1].endswith((".crt", "type:", "name:")))
        for c in after
    )
    keys = any(
        c.program == "jq" and re.search(r"\bkeys\b|length", " ".join(c.words)) for c in after
    )
    return not (names & _ENDS or counts or keys)


def _pipeline(text: str) -> str:
    """The first line, and those that a backslash or a pipe continues."""
    lines = text.split("\n")
    end = 0
    while end + 1 < len(lines) and (
        lines[end].rstrip().endswith(("\\", "|")) or lines[end + 1].lstrip().startswith("|")
    ):
        end += 1
    return "\n".join(lines[: end + 1])


def _secret_field(output: str) -> bool:
    """Data of a Secret, but for certificates, which are public."""
    if not re.search(r"(?<!meta)data|\{\s*@?\s*\}|\.\.", output):
        return False
    fields = re.findall(r"data(?:\.|\[['\"]|\s+['\"])((?:\\.|[\w-])+)", output)
    return not fields or not all(f.replace("\\", "").endswith((".crt", ".pem")) for f in fields)


RULE = Rule(
    id="secret-printed",
    level=Level.WARNING,
    title="A step prints credentials",
    why="Base64 is no protection: they end in scrollback, recordings and the incident channel.",
    check=check,
)
