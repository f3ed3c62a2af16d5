"""What a step may do, read from its text before anything runs. Pure.

A runbook is somebody else's text. Three fences stand behind each other: this reading refuses what
hides its intent (eval, a program given by a variable, an interpreter); the programs themselves look
at their words (program.py); and the kernel and the API server keep the rest (jail.py,
operator_account.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

PROGRAMS = frozenset(
    [
        "awk",
        "base64",
        "basename",
        "cat",
        "cp",
        "cut",
        "date",
        "diff",
        "dirname",
        "egrep",
        "fgrep",
        "grep",
        "head",
        "jq",
        "kubectl",
        "ls",
        "md5sum",
        "mkdir",
        "mv",
        "rm",
        "sed",
        "seq",
        "sha256sum",
        "sleep",
        "sort",
        "tail",
        "tee",
        "timeout",
        "touch",
        "tr",
        "uniq",
        "watch",
        "wc",
        "xargs",
    ]
)
_BUILTINS = frozenset(
    [
        ":",
        "[",
        "break",
        "cd",
        "continue",
        "declare",
        "echo",
        "exit",
        "export",
        "false",
        "let",
        "local",
        "mapfile",
        "printf",
        "pwd",
        "read",
        "readarray",
        "readonly",
        "return",
        "set",
        "shift",
        "test",
        "true",
        "typeset",
        "unset",
        "wait",
    ]
)
_WRAPPERS = frozenset(("timeout", "watch", "xargs"))
_HIDING = {
    "eval": "runs text that the step does not show",
    "source": "runs text that the step does not show",
    ".": "runs text that the step does not show",
    "exec": "replaces the shell that watches the step",
    "command": "passes by the list of programs",
    "builtin": "passes by the list of programs",
    "enable": "loads code into the shell",
    "trap": "runs text at another time",
    "alias": "gives a program another name",
    "kill": "sends signals to processes of this machine",
    "killall": "sends signals to processes of this machine",
    "pkill": "sends signals to processes of this machine",
    "ulimit": "changes the limits of the step",
    "sudo": "acts as somebody else",
    "su": "acts as somebody else",
    **dict.fromkeys(
        [
            "bash",
            "sh",
            "dash",
            "zsh",
            "ksh",
            "python",
            "python3",
            "perl",
            "ruby",
            "node",
            "env",
            "nohup",
            "setsid",
            "find",
            "ssh",
            "nc",
        ],
        "runs anything on this machine",
    ),
}
_HELD = ("PATH", "HOME", "IFS", "ENV", "SHELLOPTS", "PROMPT_COMMAND", "KUBECONFIG", "PS4")
_HELD_PREFIXES = ("LD_", "BASH", "PYTHON", "KUBE")
_LITERAL = frozenset(("word", "number"))


class Ruling(StrEnum):
    REFUSED = "refused"
    ABSENT = "absent"  # what the step needs is not here


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a step does not run. `line` counts from 0 in the step's text."""

    ruling: Ruling
    line: int
    reason: str


def objections(text: str, programs: frozenset[str] = PROGRAMS) -> tuple[Objection, ...]:
    """All that speaks against running the text with `programs` at hand."""
    root = _parser().parse(text.encode()).root_node
    if root.has_error:
        reason = "cannot be read as shell text, so nobody knows what it would do"
        return (Objection(Ruling.REFUSED, 0, reason),)
    return tuple(_objections(root, programs))


def assigned(text: str) -> tuple[str, ...]:
    """Names of the variables that the text sets, for the steps that follow it."""
    root = _parser().parse(text.encode()).root_node
    found = (
        _text(child)
        for node in _walk(root)
        if node.type in {"variable_assignment", "for_statement"}
        for child in node.children
        if child.type == "variable_name"
    )
    return tuple(dict.fromkeys(found))


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _objections(root: Node, programs: frozenset[str]) -> Iterator[Objection]:
    for node in _walk(root):
        line = node.start_point.row
        if node.type == "command":
            found = _command(node, programs)
            if found is not None:
                yield Objection(found[0], line, found[1])
        elif node.type == "function_definition":
            yield Objection(Ruling.REFUSED, line, "a function hides what runs when")
        elif node.type == "variable_assignment":
            name = _text(node.children[0]).partition("[")[0]
            if name in _HELD or name.startswith(_HELD_PREFIXES):
                yield Objection(Ruling.REFUSED, line, f"sets {name}, which decides what runs")
        elif node.type == "file_redirect":
            why = _redirect(node)
            if why:
                yield Objection(Ruling.REFUSED, line, why)


def _command(node: Node, programs: frozenset[str]) -> tuple[Ruling, str] | None:
    head = node.child_by_field_name("name")
    if head is None:
        return None
    name = _text(head)
    if len(head.children) != 1 or head.children[0].type not in _LITERAL:
        return Ruling.REFUSED, f"{name} names a program by what it expands to"
    if "/" in name or "\\" in name:
        return Ruling.REFUSED, f"{name} is a program by its path"
    if name in _HIDING:
        return Ruling.REFUSED, f"{name} {_HIDING[name]}"
    if name in _BUILTINS:
        return None
    if name not in programs:
        return Ruling.ABSENT, f"needs {name}, which is not here"
    return _wrapped(name, node, programs) if name in _WRAPPERS else None


def _wrapped(name: str, node: Node, programs: frozenset[str]) -> tuple[Ruling, str] | None:
    """xargs and the like start the program that their words name."""
    words = [_text(c) for c in node.children_by_field_name("argument")]
    inner = next((w for w in words if not w.startswith("-") and not w[:1].isdigit()), "echo")
    inner = inner.strip("'\"").split()[0] if inner.strip("'\"") else ""
    if inner in programs or inner in _BUILTINS or inner == "{}":
        return None
    return Ruling.REFUSED, f"{name} starts {inner}, which is not on the list of programs"


def _redirect(node: Node) -> str:
    target = node.child_by_field_name("destination") or node.children[-1]
    name = _text(target)
    if target.type not in _LITERAL and target.type not in {"string", "raw_string"}:
        return f"{name}: a file that is named by what it expands to"
    name = name.strip("'\"")
    if name == "/dev/null":
        return ""
    if name.startswith(("/", "~")) or ".." in name or "$" in name:
        return f"{name}: a file outside the step's own folder"
    return ""


def _text(node: Node) -> str:
    return (node.text or b"").decode(errors="replace")


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_bash.language()))
