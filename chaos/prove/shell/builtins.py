"""The words that bash's own commands may get in a step. Pure.

Some of them take the name of a variable, and compute it: `read 'a[$(id)]'` runs id.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from tree_sitter import Node

from chaos.prove.shell.grammar import text_of

HELD = frozenset(
    """
    PATH HOME IFS ENV SHELLOPTS PROMPT_COMMAND KUBECONFIG PS4 GLIBC_TUNABLES GCONV_PATH LOCPATH
    CURL_HOME SSL_CERT_FILE SSL_CERT_DIR http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY
    ALL_PROXY NO_PROXY no_proxy TMPDIR
    """.split()  # noqa: SIM905
)
HELD_PREFIXES = ("LD_", "BASH", "PYTHON", "KUBE")
_NAME = re.compile(r"[A-Za-z_]\w*")
_LITERAL = frozenset(("word", "number", "variable_name"))
_FLAGS_OF_READ = re.compile(r"-[rse]*")
_VALUED_OF_READ = re.compile(r"-[rse]*[ptnd]")
_SET = re.compile(r"[-+][euxfvo]*|pipefail|errexit|nounset|xtrace|noglob")
_DECLARED = re.compile(r"-[aAxrgp]+|--")
_OPERATORS = frozenset("= == != -eq -ne -lt -le -gt -ge -nt -ot -ef ! ( ) -a -o".split())  # noqa: SIM905
_UNARY = re.compile(r"-[a-uw-zA-QS-Z]")


def is_held(name: str) -> bool:
    return name in HELD or name.startswith(HELD_PREFIXES)


def objection(name: str, words: Sequence[Node]) -> str:
    """Why one of bash's own commands does not get these words; "" where it does."""
    check = _CHECKS.get(name)
    return check(words) if check is not None else ""


def declaration(node: Node) -> str:
    """Of `declare`, `export`, `readonly` and the like."""
    for child in node.children[1:]:
        text = text_of(child)
        plain = child.type in _LITERAL and (_is_free(text) or _DECLARED.fullmatch(text))
        if child.type != "variable_assignment" and child.is_named and not plain:
            return f"{text_of(node.children[0])} {text[:40]} sets what the step does not show"
    return ""


def unset(node: Node) -> str:
    for child in node.children[1:]:
        plain = child.type in _LITERAL and (_is_free(text_of(child)) or text_of(child) == "-v")
        if child.is_named and not plain:
            return f"unset {text_of(child)[:40]} computes the name of a variable"
    return ""


def _is_free(text: str) -> bool:
    return bool(_NAME.fullmatch(text)) and not is_held(text)


def _read(words: Sequence[Node]) -> str:
    """Flags, a prompt or another value of theirs, then names."""
    valued = False
    for word in words:
        text = text_of(word)
        if valued:
            valued = False
        elif word.type in _LITERAL and _VALUED_OF_READ.fullmatch(text):
            valued = True
        elif not (word.type in _LITERAL and (_is_free(text) or _FLAGS_OF_READ.fullmatch(text))):
            return f"read {text[:40]} is not the name of a variable that a step may set"
    return ""


def _mapfile(words: Sequence[Node]) -> str:
    for word in words:
        text = text_of(word)
        if word.type not in _LITERAL or not (text == "-t" or _is_free(text)):
            return f"mapfile {text[:40]} may run something for each line"
    return ""


def _printf(words: Sequence[Node]) -> str:
    """Its format is literal at its beginning, so that it is not -v."""
    first = words[0] if words else None
    if first is None:
        return ""
    begins = first.children[1] if first.type == "string" and len(first.children) > 1 else first
    literal = begins.type in {"word", "raw_string", "ansi_c_string", "string_content", '"'}
    if first.type == "concatenation":
        literal = first.children[0].type == "word"
    text = text_of(first).lstrip("$").strip("'\"")
    if not literal and len(words) == 1:
        return ""
    if (
        not literal
        or (text.startswith("-") and text != "--")
        or (first.type == "word" and text[:1] == "\\")
    ):
        return f"printf {text[:40]} may set a variable whose name it computes"
    return ""


def _wait(words: Sequence[Node]) -> str:
    for word in words:
        text = text_of(word)
        if text not in {"-n", "$!"} and not re.fullmatch(r"%?\d+|\"?\$\w+\"?", text):
            return f"wait {text[:40]} is not for a process of the step"
        if text.startswith("$") and text != "$!":
            return f"wait {text}: put it in double quotes, as it may be an option"
    return ""


def _set(words: Sequence[Node]) -> str:
    for word in words:
        text = text_of(word)
        if text == "--":
            return ""
        if word.type not in _LITERAL or not _SET.fullmatch(text):
            return f"set {text[:40]} changes how the step runs"
    return ""


def _test(words: Sequence[Node]) -> str:
    """A value stands only behind or before an operator that can be seen."""
    texts = [text_of(w) for w in words]
    for text in texts:
        if text.strip("'\"") in {"-v", "-R"}:
            return "test -v looks into a variable whose name it computes"
    for i, word in enumerate(words):
        if word.type in {"word", "number", "raw_string"}:
            continue
        before = texts[i - 1] if i else ""
        after = texts[i + 1] if i + 1 < len(texts) else ""
        seen = before in _OPERATORS - {"!", "("} or _UNARY.fullmatch(before) or after in _OPERATORS
        if word.type != "string" or not (seen or len(words) == 1):
            return f"{texts[i][:40]} in test may be an operator: put it in double quotes"
    return ""


def _let(words: Sequence[Node]) -> str:
    del words
    return "let computes what its words say, and may run what is in them"


_CHECKS: Mapping[str, Callable[[Sequence[Node]], str]] = {
    "read": _read,
    "mapfile": _mapfile,
    "readarray": _mapfile,
    "printf": _printf,
    "wait": _wait,
    "set": _set,
    "test": _test,
    "let": _let,
}
