"""What the command prints acts on nobody's terminal, and no bracket of a name is markup."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

from chaos.cli.screen import console_on, visible
from chaos.run.progress import Terminal

HOSTILE = "\x1b[2J\x1b]0;title\x07\x1b[8mkubectl delete ns shop\x1b[0m\r\x9b31m\u202etxt.\u2066"
STYLED = "\x1b[8mkubectl delete ns shop\x1b[0m \x9b31m \u202etxt."


def test_control_characters_are_shown_and_not_obeyed() -> None:
    shown = visible(HOSTILE)
    assert shown.startswith(r"\x1b[2J\x1b]0;title\x07\x1b[8mkubectl delete ns shop")
    assert r"\u202etxt.\u2066" in shown
    assert visible("a\tb\nc — ≥ Ihsān") == "a\tb\nc — ≥ Ihsān"


@given(st.text())
def test_nothing_is_left_that_a_terminal_acts_on(text: str) -> None:
    shown = visible(text)
    assert not [c for c in shown if c not in "\t\n" and (ord(c) < 32 or 127 <= ord(c) < 160)]
    assert visible(shown) == shown


@pytest.mark.parametrize("name", ["[/checkout]", "[red]web[/]", "[app=store]", ":boom:", STYLED])
def test_names_with_brackets_are_printed_as_they_are(name: str) -> None:
    file = io.StringIO()
    console = console_on(file)
    console.width = 500
    console.print(name)
    table = Table("pod")
    table.add_row(name)
    console.print(table)
    Terminal(console).say(f"effect confirmed: {name}")
    printed = file.getvalue()
    assert printed.count(visible(name)) == 3
    assert "\x1b" not in printed
