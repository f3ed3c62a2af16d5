"""Shell text as statements and the program calls inside them.

The grammar is tree-sitter's, which reads any text and marks what it cannot place; a placeholder
such as <pod-name>, which a shell would take for redirections, is a word here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from slo.runbook.model import Command

_PLACEHOLDER = re.compile(
    r"<(?=[A-Za-zÀ-ɏ])[^<>\n|&;$\"'`()/]{0,60}[\w]>"  # <pod-name>, <new password>
    r"|\{\{ ?[A-Za-z_][\w-]* ?\}\}"  # {{ pod }}, but not the {{.items}} of a template
    r"|\$\{?(?:POD|POD_NAME|NODE|NODE_NAME)\}?(?!\w)"
    r"|\bv?\d+\.x(?:\.x)?\b"  # v1.x.x
    r"|\bYYYY-?MM-?DD\b"
    r"|\b(?:YOUR|MY)_[A-Z][A-Z_]+\b"
)
_WORDS = frozenset(
    """
    word string raw_string concatenation number ansi_c_string simple_expansion expansion
    command_substitution process_substitution translated_string
    """.split()  # noqa: SIM905 - names are easier to read than quotes
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A comment or a command over lines `line` to `end`, counted from 0 in the text.

    `sound` is false where the grammar could not place something.
    """

    comment: bool
    text: str
    line: int
    end: int
    commands: tuple[Command, ...]
    sound: bool = True


def placeholders(text: str) -> tuple[str, ...]:
    """What a person must fill in, in order, each once."""
    assigned = set(re.findall(r"(?m)^\s*(\w+)=", text)) | set(re.findall(r"\bfor (\w+) in", text))
    found = (m[0] for m in _PLACEHOLDER.finditer(text))
    return tuple(dict.fromkeys(f for f in found if f.strip("${}") not in assigned))


def statements(text: str) -> tuple[Statement, ...]:
    """The top-level statements of a script, in order; blank lines are between them. Never raises.

    Statements that share a line (`a; b`) are one.
    """
    masked = _PLACEHOLDER.sub(_mask, text)
    original = text.encode()
    root = _parser().parse(masked.encode()).root_node
    found: list[Statement] = []
    for node in root.children:
        if not node.is_named and not node.text:
            continue
        start, end = node.start_point.row, node.end_point.row
        if node.end_point.column == 0 and end > start:
            end -= 1
        if node.type == "comment" and not (found and found[-1].end >= start):
            found.append(_statement(original, node, node, start, end))
        elif found and found[-1].end >= start and not found[-1].comment:
            found[-1] = _joined(text, found[-1], _statement(original, node, node, start, end))
        elif node.text and node.text.strip():
            found.append(_statement(original, node, node, start, end))
    return tuple(found)


def _statement(original: bytes, first: Node, last: Node, start: int, end: int) -> Statement:
    return Statement(
        comment=first.type == "comment",
        text=_slice(original, first.start_byte, last.end_byte).strip("\n"),
        line=start,
        end=end,
        commands=tuple(_commands(first, original)),
        sound=not first.has_error,
    )


def _joined(text: str, a: Statement, b: Statement) -> Statement:
    end = max(a.end, b.end)
    return Statement(
        comment=False,
        text="\n".join(text.split("\n")[a.line : end + 1]),
        line=a.line,
        end=end,
        commands=a.commands + b.commands,
        sound=a.sound and b.sound,
    )


def _commands(node: Node, original: bytes) -> Iterator[Command]:
    """Outer calls before those in their substitutions."""
    if node.type == "command":
        words = tuple(_words(node, original))
        if words:
            yield Command(words=words, line=node.start_point.row, inner=_inner(words))
    for child in node.children:
        yield from _commands(child, original)


def _words(command: Node, original: bytes) -> Iterator[str]:
    for child in command.children:
        if child.type == "command_name" or child.type in _WORDS:
            yield unquote(_slice(original, child.start_byte, child.end_byte))


def unquote(word: str) -> str:
    """The word as the program gets it, expansions left as they are written."""
    parts = re.findall(r"'[^']*'|\"(?:\\.|[^\"\\])*\"|\\.|[^'\"\\]+|.", word, re.DOTALL)
    return "".join(map(_unquoted, parts))


def _unquoted(part: str) -> str:
    if len(part) > 1 and part[0] == part[-1] == "'":
        return part[1:-1]
    if len(part) > 1 and part[0] == part[-1] == '"':
        return re.sub(r"\\([\"\\$`\n])", r"\1", part[1:-1])
    if part.startswith("\\"):
        return "" if part == "\\\n" else part[1:]
    return part


def _inner(words: tuple[str, ...]) -> tuple[str, ...]:
    """What comes after `--`, of programs that run another one elsewhere."""
    runners = {"kubectl", "oc", "docker", "podman", "nerdctl"}
    if (
        words[0].rpartition("/")[2] in runners
        and "--" in words
        and {"exec", "run", "debug"} & set(words)
    ):
        return words[words.index("--") + 1 :]
    return ()


def _mask(found: re.Match[str]) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "_" * len(c.encode()) for c in found[0])


def _slice(original: bytes, start: int, end: int) -> str:
    return original[start:end].decode(errors="replace")


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_bash.language()))
