"""Shell text as statements and the program calls inside them.

The grammar is tree-sitter's, which reads any text and marks what it cannot place; a placeholder
such as <pod-name>, which a shell would take for redirections, is a word here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

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

    def moved(self, rows: int) -> "Statement":
        commands = tuple(replace(c, line=c.line + rows) for c in self.commands)
        return replace(self, line=self.line + rows, end=self.end + rows, commands=commands)


def placeholders(text: str) -> tuple[str, ...]:
    """What a person must fill in, in order, each once."""
    assigned = set(re.findall(r"(?m)^\s*(\w+)=", text)) | set(re.findall(r"\bfor (\w+) in", text))
    found = (m[0] for m in _PLACEHOLDER.finditer(text))
    return tuple(dict.fromkeys(f for f in found if f.strip("${}") not in assigned))


def statements(text: str) -> tuple[Statement, ...]:
    """The top-level statements of a script, in order; blank lines are between them. Never raises.

    Statements that share a line (`a; b`) are one.
    """
    masked = _masked(text)
    root = _parser().parse(masked.encode()).root_node
    if not root.has_error and not _swallows(root, masked):
        return _statements(text, root)
    lines = text.split("\n")
    found: list[Statement] = []
    for first, last in _pieces(masked.split("\n")):
        piece = "\n".join(lines[first : last + 1])
        tree = _parser().parse(_masked(piece).encode()).root_node
        found += (s.moved(first) for s in _statements(piece, tree))
    return tuple(found)


# Longer here-documents and functions in a block that the grammar cannot place are cut.
_LONGEST_PIECE = 80
_PARSED_AGAIN = 12  # lines, for each line of the block, so that the time stays linear
_GOES_ON = re.compile(
    r"(?:\\|\||&&|[({]|\b(?:do|then|else|in))\s*$|<<-?\s*[\"'\w]"
    r"|^\s*(?:for|while|until|if|case|select|function)\b|^\s*[\w-]+\s*\(\)"
)


def _pieces(lines: list[str]) -> Iterator[tuple[int, int]]:
    """First and last row of each run of lines that is shell by itself, or is one line that is not.

    The grammar errs on some sound scripts, and one bad line makes it misplace those after it. Cut
    at the ends of lines no command can become a part of another.
    """
    budget = _PARSED_AGAIN * len(lines)
    row = 0
    while row < len(lines):
        last = row
        open_quote = lines[row].count("'") % 2 or lines[row].count('"') % 2
        if not _whole(lines[row]) and (open_quote or _GOES_ON.search(lines[row])):
            for end in range(row + 1, min(row + _LONGEST_PIECE, len(lines))):
                budget -= end - row + 1
                if budget < 0:
                    break
                if _whole("\n".join(lines[row : end + 1])):
                    last = end
                    break
        if lines[row].strip():
            yield row, last
        row = last + 1


def _whole(masked: str) -> bool:
    if masked.endswith("\\"):
        return False
    root = _parser().parse(masked.encode()).root_node
    return not root.has_error and not _swallows(root, masked)


def _swallows(root: Node, text: str) -> bool:
    """Has a command words of the next line? The grammar does that after a pipeline of three."""
    source = text.encode()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        children = node.children
        if node.type == "command":
            for one, following in pairwise(children):
                rows = following.start_point.row - one.end_point.row
                between = source[one.end_byte : following.start_byte]
                if rows > between.count(b"\\\n"):
                    return True
        waiting += children
    return False


def _statements(text: str, root: Node) -> tuple[Statement, ...]:
    original = text.encode()
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


# "don't" in a line whose quotes do not pair: an apostrophe, which opens no string.
_APOSTROPHE = re.compile(r"(?<=[A-Za-z])'(?=(?:t|s|re|ll|ve|d|m)\b)")


def _masked(text: str) -> str:
    """The text for the grammar, byte for byte as long, with words in the place of placeholders."""
    lines = [
        _APOSTROPHE.sub("_", line) if line.count("'") % 2 else line for line in text.split("\n")
    ]
    return _PLACEHOLDER.sub(_mask, "\n".join(lines))


def _mask(found: re.Match[str]) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "_" * len(c.encode()) for c in found[0])


def _slice(original: bytes, start: int, end: int) -> str:
    return original[start:end].decode(errors="replace")


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_bash.language()))
