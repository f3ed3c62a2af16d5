"""What people read on a terminal: plain text, of which nothing can act on the terminal itself.

Runbooks, names and logs are other people's text. A control character in them could move the
cursor over a line that was just shown, hide the rest of a command, or write to the clipboard; each
is shown as its escape sequence instead.
"""

import re
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook
from rich.segment import Segment

# Control characters but for the tab and the end of a line, and those that turn the direction of
# text (Unicode Standard Annex #9), by which a command looks like another one.
_ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    r"""The text with every character that a terminal would act on as \x1b or \u202e."""
    return _ACTS.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


class _Visible:
    """What another renderable prints, with its text made visible."""

    def __init__(self, within: ConsoleRenderable) -> None:
        self._within = within

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterable[Segment]:
        for segment in console.render(self._within, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))


class _Hook(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Visible(each) for each in renderables]


def console_on(file: TextIO, *, quiet: bool = False) -> Console:
    """A console on which brackets are brackets: text is never read as markup."""
    found = Console(file=file, quiet=quiet, highlight=False, markup=False, emoji=False)
    found.push_render_hook(_Hook())
    return found
