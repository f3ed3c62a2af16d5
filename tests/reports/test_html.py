"""The page says everything that the verdict says, and nothing in it comes from elsewhere."""

import base64
import hashlib
import os
import re
import subprocess
import sys
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest

from reports import chart, html, page
from reports import format as fmt
from slo.model import ObjectiveResult, Outcome, Verdict
from slo.verdict.results import settled_elsewhere
from tests.reports import examples
from tests.reports.pages import Page

SOURCES = {name: html.render(make()) for name, make in examples.ALL.items()}
PAGES = {name: Page(source) for name, source in SOURCES.items()}

every = pytest.mark.parametrize("name", examples.ALL)


def said(text: str) -> str:
    """The text as the page writes it."""
    return " ".join(fmt.clean(text).split())


def counts(verdict: Verdict, result: ObjectiveResult) -> bool:
    """Whether its outcome is one of the run's; what is thin and decided elsewhere is none."""
    return result.judged and not settled_elsewhere(result, verdict.promises)


@every
def test_the_first_words_are_the_outcome_and_the_headline(name: str) -> None:
    verdict, page = examples.ALL[name](), PAGES[name]
    start = page.text.index(fmt.WORDS[verdict.outcome], page.text.index(said(verdict.target)))
    assert page.text.index(said(verdict.headline)) - start < 80
    assert said(verdict.plan) in page.text
    assert fmt.utc(verdict.started) in page.text


@every
def test_every_result_appears_with_value_and_reason(name: str) -> None:
    verdict, page = examples.ALL[name](), PAGES[name]
    for result in verdict.objectives:
        assert fmt.measured(result.indicator, result.objective) in page.text
        assert said(result.reason) in page.text
        assert said(result.indicator.missing) in page.text
        assert said(f"{result.objective.source.file}:{result.objective.source.line}") in page.text
    outcomes = [r.outcome for r in verdict.objectives if counts(verdict, r)]
    badges = [a["class"] for a in page.named("span") if (a.get("class") or "").startswith("badge")]
    for outcome in Outcome:
        assert badges.count(f"badge {outcome.value}") >= outcomes.count(outcome)


@every
def test_every_check_endpoint_and_note_appears(name: str) -> None:
    verdict, page = examples.ALL[name](), PAGES[name]
    for experiment in verdict.experiments:
        assert said(experiment.fault) in page.text
        assert said(experiment.severity_reason) in page.text
        for check in experiment.checks:
            for words in (check.expected, check.observed, check.evidence):
                assert said(words) in page.text
    for endpoint in verdict.endpoints:
        assert said(endpoint.endpoint) in page.text
    assert all(said(note) in page.text for note in verdict.notes)
    assert said(verdict.load.reason) in page.text


@every
def test_nothing_is_fetched_and_nothing_is_run(name: str) -> None:
    page, source = PAGES[name], SOURCES[name]
    assert not {"script", "iframe", "object", "img", "base", "form"} & {t for t, _ in page.tags}
    for _, attributes in page.tags:
        assert not [key for key in attributes if key.startswith("on")]
        for key in ("href", "src", "xlink:href"):
            assert (attributes.get(key) or "#").startswith(("#", "data:,"))
    style = source[source.index("<style>") : source.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


@every
def test_drawings_are_well_formed_and_identifiers_single(name: str) -> None:
    drawings = re.findall(r"<svg.*?</svg>", SOURCES[name], flags=re.DOTALL)
    charts = [ET.fromstring(d) for d in drawings if "viewBox" in d and 'role="img"' in d[:400]]
    named = [c for c in charts if (c.get("aria-label") or "").startswith("Timeline")]
    assert len(named) == len(chart.SIZES), "one for each width of screens"
    ids = [a["id"] for _, a in PAGES[name].tags if "id" in a]
    assert len(ids) == len(set(ids))


@every
def test_every_colour_of_a_drawing_is_one_of_the_page(name: str) -> None:
    source = SOURCES[name]
    drawing = source[source.index('<div class="wide">') : source.index("<figcaption")]
    assert not re.search(r"#[0-9a-fA-F]{6}", re.sub(r"<text.*?</text>", "", drawing))
    used = set(re.findall(r"var\(--([\w-]+)\)", source))
    light, dark = (set(re.findall(r"--([\w-]+):", p)) for p in source.split("@media screen", 2)[:2])
    assert used - {"tone", "soft"} <= light
    assert used - {"tone", "soft"} <= dark


@every
def test_no_letter_of_a_drawing_is_smaller_than_eleven_pixels(name: str) -> None:
    """Each drawing is shown at its own size or larger: see the widths in style.css."""
    drawn = SOURCES[name][SOURCES[name].index('<figure class="chart">') :]
    sizes = re.findall(r'<text[^>]* font-size="([\d.]+)px"', drawn[: drawn.index("</figure>")])
    assert sizes
    assert min(map(float, sizes)) >= 11


@every
def test_every_link_leads_to_something_on_the_page(name: str) -> None:
    ids = {a["id"] for _, a in PAGES[name].tags if "id" in a}
    links = [str(a["href"]) for a in PAGES[name].named("a")]
    assert "#timeline" in links
    assert {link.removeprefix("#") for link in links} <= ids


@every
def test_the_policy_names_the_styles_by_their_hash_and_nothing_gets_around_it(name: str) -> None:
    source = SOURCES[name]
    policies = [a["content"] for a in PAGES[name].named("meta") if "http-equiv" in a]
    [style] = re.findall(r"<style>(.*?)</style>", source, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    allowed = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:"
    assert policies == [f"{allowed}; base-uri 'none'; form-action 'none'"]
    assert not [attributes for _, attributes in PAGES[name].tags if "style" in attributes]


def test_commands_of_the_next_steps_are_code_and_nothing_else_becomes_markup() -> None:
    assert "<code>gameday runbook prove</code>" in SOURCES["passing"]
    assert page.with_code("`<b>` and ` alone") == "<code>&lt;b&gt;</code> and ` alone"


def test_hostile_text_stays_text() -> None:
    source = SOURCES["hostile"]
    assert "<script" not in source
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in source
    assert "{{7*7}}" in source
    assert not re.search("[\x00-\x08\x1b\ud800-\udfff\u202e]", source)


def test_a_passing_report_has_no_badge_of_missing_evidence() -> None:
    assert "badge inconclusive" not in SOURCES["passing"]
    assert "badge inconclusive" in SOURCES["inconclusive"]


def test_missing_values_say_so_and_why() -> None:
    text = PAGES["empty"].text
    assert "no data: no objective was scored" in text
    assert "no data: no request was recorded" in text
    assert "no data: no experiment was begun" in text
    assert "The journal stops before the end of the run." in text


def test_a_scaled_run_says_on_its_first_screen_that_real_durations_were_not_tested() -> None:
    assert "the runbook's real durations were not tested" in PAGES["passing"].text
    assert "the runbook's real durations were not tested" not in PAGES["failing"].text


@pytest.mark.parametrize("name", ["passing", "hour"])
def test_the_page_is_light(name: str) -> None:
    assert len(SOURCES[name].encode()) < 500_000


def test_the_users_plot_settings_change_nothing() -> None:
    with mpl.rc_context({"lines.linewidth": 9, "svg.fonttype": "path", "font.size": 30}):
        assert html.render(examples.passing()) == SOURCES["passing"]


def test_two_processes_write_the_same_bytes() -> None:
    program = (
        "import hashlib; from tests.reports import examples; from reports import html, junit\n"
        "from reports import markdown\n"
        "for make in (examples.failing, examples.hostile):\n"
        "    for render in (html.render, junit.render, markdown.render):\n"
        "        print(hashlib.sha256(render(make()).encode()).hexdigest())\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("4242", "Asia/Tokyo"))
    }
    assert len(digests) == 1
