"""The CI summary, the closing screen, and the files that a run gets."""

import io
import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from reports import format as fmt
from reports import markdown, terminal, write_all
from reports.causes import causes
from tests.reports import examples

every = pytest.mark.parametrize("name", examples.ALL)


@every
def test_the_summary_is_text_in_tables_and_nothing_else(name: str) -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown.render(examples.ALL[name]()))
    inline = [child.type for token in tokens for child in token.children or ()]
    html = [
        child.content
        for token in tokens
        for child in token.children or ()
        if child.type == "html_inline"
    ]
    assert set(html) <= {"<br>"}
    assert not {"link_open", "image", "em_open"} & set(inline)
    assert not [t for t in tokens if t.type == "html_block"]
    assert [t.tag for t in tokens if t.type == "heading_open"] == ["h2"]


def test_the_summary_tells_failures_before_anything_else() -> None:
    text = markdown.render(examples.failing())
    assert text.startswith("## ❌ Fail")
    assert text.index("not back by the end of the window") < text.index("| ✅ Pass")


def test_the_summary_is_short() -> None:
    assert len(markdown.render(examples.hour())) < 10_000


def screen(name: str, width: int, encoding: str = "utf-8") -> str:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=out, width=width, no_color=True)
    terminal.show(examples.ALL[name](), console, Path("runs/latest"))
    out.flush()
    return out.buffer.getvalue().decode(encoding)


@every
@pytest.mark.parametrize("width", [80, 120])
def test_the_screen_fits_and_names_verdict_and_report(name: str, width: int) -> None:
    text, verdict = screen(name, width), examples.ALL[name]()
    assert max(map(len, text.splitlines())) <= width
    assert fmt.WORDS[verdict.outcome] in text
    assert "runs/latest/report.html" in text
    assert not re.search("[\x00-\x08\x1b\u202e]", text)


@every
def test_the_verdict_the_next_steps_and_the_report_come_last(name: str) -> None:
    text = " ".join(screen(name, 400).split())
    verdict = examples.ALL[name]()
    headline = text.rindex(" ".join(fmt.clean(verdict.headline).split()))
    assert text.count("Severity observed") == 1
    assert text.index("Severity observed") < headline < text.index("What to do next")
    assert text.endswith("Report runs/latest/report.html")


@every
def test_the_verdict_is_on_the_last_page_of_the_screen(name: str) -> None:
    lines = screen(name, 80).splitlines()
    last = "\n".join(lines[-24:])
    assert fmt.WORDS[examples.ALL[name]().outcome] in last


def test_the_screen_lists_what_did_not_pass() -> None:
    text = " ".join(screen("failing", 300).split())
    for cause in causes(examples.failing()):
        assert cause.title in text
        assert cause.lead.observed in text
        assert cause.lead.reason in text


def test_the_screen_does_without_unicode() -> None:
    assert "x Fail" in screen("failing", 80, encoding="ascii")


def test_all_reports_are_written_and_replaced_as_a_whole(tmp_path: Path) -> None:
    write_all(examples.failing(), tmp_path)
    paths = write_all(examples.passing(), tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert {p.name for p in paths} == {"report.html", "junit.xml", "summary.md"}
    assert examples.passing().headline in (tmp_path / "summary.md").read_text(encoding="utf-8")


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_all(examples.empty(), tmp_path / "nowhere")
