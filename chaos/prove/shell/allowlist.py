"""What a step may do, read from its text before anything runs. Pure.

A runbook is somebody else's text. Three fences stand behind each other: this reading refuses what
hides its intent (eval, a program given by a variable, an interpreter) and what is not known to be
harmless (grammar.py, builtins.py); the programs themselves look at their words (program.py); and
the kernel, the door to the API server and its rights keep the rest (jail.py, api_door.py,
operator_account.py).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from chaos.prove.shell import builtins, grammar
from chaos.prove.shell.grammar import text_of

LONGEST = 65_536

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
# By program: options whose value is the next word.
_WRAPPERS = {
    "timeout": ("-s", "--signal", "-k", "--kill-after"),
    "watch": ("-n", "--interval", "-q", "--equexit"),
    "xargs": ("-I", "-n", "-P", "-L", "-d", "-E", "-s", "-a", "--max-args", "--max-procs"),
}
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
_DECLARING = frozenset(
    """
    program declaration_command word variable_assignment variable_name string string_content
    ansi_c_string raw_string array subscript number concatenation
    """.split()  # noqa: SIM905
)
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
    if len(text) > LONGEST:
        reason = f"is longer than {LONGEST} characters, more than anybody reads"
        return (Objection(Ruling.REFUSED, 0, reason),)
    root = _parser().parse(text.encode()).root_node
    if root.has_error:
        reason = "cannot be read as shell text, so nobody knows what it would do"
        return (Objection(Ruling.REFUSED, 0, reason),)
    try:
        return tuple(_objections(root, programs))
    except RecursionError:
        reason = f"is nested more than {grammar.DEEPEST} deep, so nobody knows what it would do"
        return (Objection(Ruling.REFUSED, 0, reason),)


def assigned(text: str) -> tuple[str, ...]:
    """Names of the variables that the text sets, for the steps that follow it."""
    root = _parser().parse(text.encode()).root_node
    found = (
        text_of(child)
        for node in grammar.walk(root)
        if node.type in {"variable_assignment", "for_statement"}
        for child in node.children
        if child.type == "variable_name"
    )
    return tuple(dict.fromkeys(found))


def only_declares(text: str, names: Iterable[str]) -> bool:
    """Is it what `declare -p` says of these variables, and nothing that runs?"""
    root = _parser().parse(text.encode()).root_node
    try:
        nodes = list(grammar.walk(root))
    except RecursionError:
        return False
    kinds = {n.type for n in nodes if n.is_named}
    named = {
        text_of(n.children[0]).partition("[")[0]
        for n in nodes
        if n.type == "variable_assignment" and n.children[0].type == "variable_name"
    }
    well = all(c.type == "declaration_command" for c in root.children if c.is_named)
    return not root.has_error and well and kinds <= _DECLARING and named <= set(names)


def _objections(root: Node, programs: frozenset[str]) -> Iterator[Objection]:
    for node, why in grammar.unknown(root):
        yield Objection(Ruling.REFUSED, node.start_point.row, why)
    for node in grammar.walk(root):
        line = node.start_point.row
        if node.type == "command":
            found = _command(node, programs)
            if found is not None:
                yield Objection(found[0], line, found[1])
        why = _other(node)
        if why:
            yield Objection(Ruling.REFUSED, line, why)


def _other(node: Node) -> str:
    """What is wrong with anything but a command."""
    if node.type == "declaration_command":
        return builtins.declaration(node)
    if node.type == "unset_command":
        return builtins.unset(node)
    if node.type == "file_redirect":
        return _redirect(node)
    sets = node.type in {"variable_assignment", "for_statement"}
    sets = sets or (
        node.type == "expansion" and any(text_of(c) in {":=", "="} for c in node.children)
    )
    for child in node.children if sets else ():
        name = text_of(child).partition("[")[0]
        if child.type in {"variable_name", "subscript"} and builtins.is_held(name):
            return f"sets {name}, which decides what runs"
    return ""


def _command(node: Node, programs: frozenset[str]) -> tuple[Ruling, str] | None:
    head = node.child_by_field_name("name")
    if head is None:
        return None
    name = text_of(head)
    if len(head.children) != 1 or head.children[0].type not in _LITERAL:
        return Ruling.REFUSED, f"{name} names a program by what it expands to"
    return _called(name, list(node.children_by_field_name("argument")), programs)


def _called(name: str, words: list[Node], programs: frozenset[str]) -> tuple[Ruling, str] | None:
    if "/" in name or "\\" in name:
        return Ruling.REFUSED, f"{name} is a program by its path"
    if name in _HIDING:
        return Ruling.REFUSED, f"{name} {_HIDING[name]}"
    if name in _BUILTINS:
        why = builtins.objection(name, words)
        return (Ruling.REFUSED, why) if why else None
    if name not in programs:
        return Ruling.ABSENT, f"needs {name}, which is not here"
    return _wrapped(name, words, programs) if name in _WRAPPERS else None


def _wrapped(name: str, words: list[Node], programs: frozenset[str]) -> tuple[Ruling, str] | None:
    """xargs and the like start the program that their words name."""
    i = 0
    while i < len(words) and text_of(words[i]).startswith("-"):
        if words[i].type not in _LITERAL:
            return Ruling.REFUSED, f"{name} has an option that the step does not show"
        i += 2 if text_of(words[i]) in _WRAPPERS[name] else 1
    if name == "timeout":
        i += 1  # how long
    if i >= len(words):
        return None
    if name == "watch":  # its words are a text for a shell
        text = " ".join(text_of(w).strip("'\"") for w in words[i:])
        return next(((o.ruling, o.reason) for o in objections(text, programs)), None)
    inner = text_of(words[i])
    if words[i].type not in _LITERAL or inner not in programs:
        return Ruling.REFUSED, f"{name} starts {inner}, which is not on the list of programs"
    return _called(inner, words[i + 1 :], programs)


def _redirect(node: Node) -> str:
    target = node.child_by_field_name("destination") or node.children[-1]
    name = text_of(target)
    if target.type == "process_substitution":
        return ""  # what runs in it is read as well
    if target.type not in _LITERAL and target.type not in {"string", "raw_string"}:
        return f"{name}: a file that is named by what it expands to"
    name = name.strip("'\"")
    if name == "/dev/null":
        return ""
    if name.startswith(("/", "~")) or ".." in name or "$" in name:
        return f"{name}: a file outside the step's own folder"
    return ""


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_bash.language()))
