"""PromQL with what a person or a program fills in, as PromQL that parses: <module>, {{ }}, $job."""

import re

_HELM_LITERAL = re.compile(r"\{\{-?\s*`(.*?)`\s*-?\}\}", re.DOTALL)
_TEMPLATE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_ANGLE = re.compile(r"<([A-Za-z][\w .-]{0,40})>")
_RANGE = re.compile(r"\[\s*(?:<[^<>\]]*>|\$\{?\w+(?::\w+)?\}?|\{\{[^}]*\}\})\s*(:[^\]]*)?\]")
_VARIABLE = re.compile(r"\$\{(\w+)(?::\w+)?\}|\$(\w+)|\[\[(\w+)\]\]")


def without_placeholders(text: str) -> str:
    """A word or a number for each placeholder; as it is where there is none."""
    text = _HELM_LITERAL.sub(r"\1", text)
    text = _RANGE.sub("[5m]", text)
    for pattern in (_TEMPLATE, _ANGLE, _VARIABLE):
        text = pattern.sub(lambda m, t=text: _stand_in(t, m), text)  # type: ignore[misc]
    return text


def _stand_in(text: str, found: re.Match[str]) -> str:
    """In a string or beside letters a word, after an operator a number, else a metric's name."""
    word = re.sub(r"\W+", "_", next((g for g in found.groups() if g), "x")).strip("_") or "x"
    before, after = text[: found.start()], text[found.end() :]
    joined = bool(re.search(r"[\w:]$", before) or re.match(r"[\w:]", after))
    quoted = before.count('"') % 2 == 1 or before.count("'") % 2 == 1
    if joined or quoted or re.match(r"\s*[{(]", after):
        return word
    number = re.search(r"(?:[<>=]=?|[-+*/%^]|\bbool)\s*$", before)
    if number and not re.match(r"\s*\[", after):
        return "1"
    return word
