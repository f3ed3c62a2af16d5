"""Mending text that was UTF-8, was read as a Windows or Latin code page, and saved again.

Unlike ftfy this also reads text that lost bytes on the way (code pages drop what they do not
define): what cannot be known any more becomes U+FFFD, and how much that is is told.
"""

import re
from typing import NamedTuple

_CODE_PAGES = ("cp1252", "cp1254", "latin-1")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
# One character of UTF-8, whole or cut short, or a byte that belongs to none.
_UNIT = re.compile(
    rb"(?P<whole>[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})"
    rb"|(?P<cut>[\xe0-\xef][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{1,2})"
    rb"|(?P<stray>[\x80-\xff])"
)
_LOST = "\ufffd"


class Repair(NamedTuple):
    """`note` is "" when the text was sound and is returned as it came."""

    text: str
    note: str


class _Reading(NamedTuple):
    text: str
    whole: int
    cut: int
    stray: int


def repair(text: str) -> Repair:
    """The text as it was before it was misread, once or several times over."""
    pages: list[str] = []
    lost = 0
    for _ in range(3):
        readings = [(_reading(text, page), page) for page in _CODE_PAGES]
        best, page = max(readings, key=lambda r: r[0].whole - r[0].stray)
        # Sound text has accented letters of which next to none look like UTF-8.
        if best.whole + best.cut <= best.stray:
            break
        text, lost = best.text, best.cut + best.stray
        pages.append(page)
    if not pages:
        return Repair(text, "")
    note = f"the text was damaged (UTF-8 read as {', then '.join(pages)}) and was repaired"
    return Repair(text, note + (f"; characters that had lost bytes: {lost}" if lost else ""))


def _reading(text: str, page: str) -> _Reading:
    counts = {"whole": 0, "cut": 0, "stray": 0}

    def mend(run: re.Match[str]) -> str:
        data = b"".join(_byte(character, page) for character in run[0])

        def decode(unit: re.Match[bytes]) -> bytes:
            kind = unit.lastgroup or "stray"
            counts[kind] += 1
            sound = kind == "whole" and _decodes(unit[0])
            return unit[0] if sound else _LOST.encode()

        return _UNIT.sub(decode, data).decode()

    return _Reading(_NOT_ASCII.sub(mend, text), **counts)


def _byte(character: str, page: str) -> bytes:
    """The byte that `page` shows as this character; if none does, 0xff, which UTF-8 never has."""
    try:
        return character.encode(page)
    except UnicodeEncodeError:
        # Bytes that the page does not define come through as C1 controls in some programs.
        code = ord(character)
        return bytes([code]) if 0x80 <= code <= 0x9F else b"\xff"  # noqa: PLR2004


def _decodes(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
