"""The parts of bash that a step may be made of: everything else is refused. Pure.

A list of what is allowed, as a list of what is bad is never whole: `${X@P}` expands a value as a
prompt and runs what is in it, `$((x))` does so where x is `a[$(id)]`, and so do `test -v`, `unset`,
`printf -v` and `read` with such a name.
"""

import re
from collections.abc import Iterator

from tree_sitter import Node

DEEPEST = 100  # parts within parts; what people write has some twenty
ALLOWED = frozenset(
    """
    ansi_c_string arithmetic_expansion array binary_expression brace_expression
    c_style_for_statement case_item case_statement command command_name command_substitution comment
    compound_statement concatenation declaration_command do_group elif_clause else_clause expansion
    extglob_pattern file_descriptor file_redirect for_statement heredoc_body heredoc_content
    heredoc_end heredoc_redirect heredoc_start herestring_redirect if_statement list negated_command
    number parenthesized_expression pipeline postfix_expression process_substitution program
    raw_string redirected_statement regex simple_expansion special_variable_name string
    string_content subscript subshell ternary_expression test_command test_operator unary_expression
    unset_command variable_assignment variable_assignments variable_name while_statement word
    """.split()  # noqa: SIM905
)
_OF_EXPANSIONS = frozenset(
    '${ } # ## % %% : :- - := = :+ + :? ? / // /# /% , ,, ^ ^^ "'.split()  # noqa: SIM905
)
_SPECIAL = frozenset("?#$!")  # numbers, always
_COMPARING = frozenset(("-eq", "-ne", "-lt", "-le", "-gt", "-ge"))
_NAME = re.compile(r"[A-Za-z_]\w*")
_DIGITS = re.compile(r"[0-9][0-9a-fA-FxX#]*")
_COUNTING = re.compile(r"(wc|seq|grep (\S+ )*-\w*c|date|kubectl (-\S+ \S+ )*get)\b")
_VALUES = frozenset(("simple_expansion", "expansion", "command_substitution"))


def text_of(node: Node) -> str:
    return (node.text or b"").decode(errors="replace")


def walk(root: Node) -> Iterator[Node]:
    """Every part, in order. Raises RecursionError below DEEPEST."""
    left = [(root, 0)]
    while left:
        node, depth = left.pop()
        if depth > DEEPEST:
            raise RecursionError
        yield node
        left += [(child, depth + 1) for child in reversed(node.children)]


def unknown(root: Node) -> Iterator[tuple[Node, str]]:
    """Parts that are not allowed, and why."""
    numbers = numeric(root)
    for node in walk(root):
        why = _why_not(node, numbers)
        if why:
            yield node, why


def numeric(root: Node) -> frozenset[str]:
    """Variables that the text sets to nothing but numbers."""
    found: dict[str, bool] = {}
    for node in walk(root):
        if node.type == "variable_assignment":
            name, value = text_of(node.children[0]), node.child_by_field_name("value")
            plain = node.children[0].type == "variable_name"
            found[name] = found.get(name, True) and plain and _is_number(value)
        elif node.type == "for_statement":
            named = node.child_by_field_name("variable")
            values = node.children_by_field_name("value")
            if named is not None:
                well = bool(values) and all(map(_is_number, values))
                found[text_of(named)] = found.get(text_of(named), True) and well
        elif node.type in {"command", "declaration_command"}:
            # read x, mapfile x, declare x: its value comes from elsewhere.
            head = node.child_by_field_name("name")
            named_here = head is None or text_of(head) in {"read", "mapfile", "readarray"}
            for child in node.children if named_here else ():
                if child.type in {"word", "variable_name"}:
                    found[text_of(child)] = False
    return frozenset(name for name, well in found.items() if well)


def _is_number(value: Node | None) -> bool:
    if value is None:
        return False
    if value.type in {"number", "arithmetic_expansion", "brace_expression"}:
        return True
    if value.type == "simple_expansion":
        return text_of(value)[1:] in _SPECIAL
    if value.type == "command_substitution":
        return _counts(value)
    return bool(_DIGITS.fullmatch(text_of(value).strip("'\"")))


def _counts(substitution: Node) -> bool:
    """Does what it runs last print a number, or something of the cluster's?"""
    inner = [c for c in substitution.children if c.is_named]
    last = inner[-1] if inner else None
    if last is not None and last.type == "pipeline":
        last = last.children[-1]
        return last.type == "command" and bool(re.match(r"wc\b|grep (\S+ )*-\w*c", text_of(last)))
    return (
        len(inner) == 1
        and last is not None
        and last.type == "command"
        and bool(_COUNTING.match(text_of(last)))
    )


def _why_not(node: Node, numbers: frozenset[str]) -> str:
    if node.is_named and node.type not in ALLOWED:
        if node.type == "function_definition":
            return "a function hides what runs when"
        return f"{text_of(node)[:40]} is not among what a step may be made of"
    if node.type == "expansion":
        return _expansion(node, numbers)
    if node.type == "subscript":
        return _all_numbers([c for c in node.children[1:] if c.is_named], numbers, star=True)
    opens = text_of(node.children[0]) if node.children else ""
    if node.type in {"arithmetic_expansion", "c_style_for_statement"} or opens == "((":
        body = (c for c in node.children if c.type not in {"do_group", "compound_statement"})
        return _all_numbers([c for c in body if c.is_named], numbers)
    if node.type == "test_command":
        return _test(node, numbers, words=opens != "[[")
    return ""


def _expansion(node: Node, numbers: frozenset[str]) -> str:
    tokens = [c for c in node.children if not c.is_named]
    for token in tokens:
        if text_of(token) not in _OF_EXPANSIONS:
            return f"{text_of(node)} expands a value once more, and may run what is in it"
    if any(text_of(t) == ":" for t in tokens):
        place = next(i for i, c in enumerate(node.children) if text_of(c) == ":")
        return _all_numbers([c for c in node.children[place:] if c.is_named], numbers)
    return ""


def _all_numbers(nodes: list[Node], numbers: frozenset[str], *, star: bool = False) -> str:
    """Bash computes with names, and runs what it finds in the subscripts of their values."""
    left = list(nodes)
    while left:
        node = left.pop()
        text = text_of(node)
        if node.type in {"variable_name", "word"}:
            known = text in numbers or _DIGITS.fullmatch(text) or (star and text in {"@", "*"})
            if not known:
                return _computes(text)
        elif node.type in {"simple_expansion", "expansion"}:
            names = [c for c in node.children if c.type == "variable_name"]
            special = [c for c in node.children if c.type == "special_variable_name"]
            length = node.type == "expansion" and text.startswith("${#")
            well = all(text_of(n) in numbers for n in names) or length
            if (
                not (names or special)
                or not well
                or any(text_of(s) not in _SPECIAL for s in special)
            ):
                return _computes(text)
        elif node.type == "command_substitution":
            if not _counts(node):
                return _computes(text)
        elif node.type in {"string", "raw_string", "ansi_c_string", "concatenation", "subscript"}:
            if not _DIGITS.fullmatch(text.strip("'\"")):
                return _computes(text)
        else:
            left += [c for c in node.children if c.is_named]
    return ""


def _computes(text: str) -> str:
    return f"computes with {text[:40]}, which the step does not set to a number, and may run it"


def _test(node: Node, numbers: frozenset[str], *, words: bool) -> str:
    """`[ … ]` and, with `words` false, `[[ … ]]`, which splits no values into words."""
    for inner in walk(node):
        literal = inner.type in {"test_operator", "word", "string", "raw_string"}
        if literal and text_of(inner).strip("'\"") in {"-v", "-R"}:
            return "test -v looks into a variable whose name it computes"
        operator = inner.child_by_field_name("operator")
        compared = inner.type == "binary_expression" and operator is not None
        if compared and not words and operator and text_of(operator) in _COMPARING:
            sides = [c for c in inner.children if c.is_named and c.type != "test_operator"]
            if why := _all_numbers(sides, numbers):
                return why
    if words:
        for inner in _unquoted(node):
            if not _is_plain(inner, numbers):
                return f"{text_of(inner)[:40]} in [ ] may be an operator: put it in double quotes"
    return ""


def _unquoted(node: Node) -> Iterator[Node]:
    for child in node.children:
        if child.type in _VALUES:
            yield child
        elif child.type != "string":
            yield from _unquoted(child)


def _is_plain(node: Node, numbers: frozenset[str]) -> bool:
    return not _all_numbers([node], numbers)
