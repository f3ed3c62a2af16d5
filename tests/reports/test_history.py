"""The history of a folder of runs: each run is told once, and its links lead to the reports."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chaos.cli import app
from chaos.cli.errors import UsageError
from chaos.cli.history import read_runs
from reports import history
from slo.model import Outcome
from slo.verdict import verdict_json
from slo.verdict.proofs import ProofOutcome, dump
from tests.reports import examples
from tests.reports.pages import Page
from tests.reports.test_coverage import TEXT
from tests.reports.test_proofs import procedure, proofs


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two runs, a trial of a runbook, a run that cannot be read, and one that was not scored."""
    for name in ("passing", "failing"):
        folder = tmp_path / f"20260314T092653Z-{name}"
        folder.mkdir()
        (folder / "verdict.json").write_text(verdict_json.dump(examples.ALL[name]()))
    trial = tmp_path / "20260102T030405Z-prove"
    trial.mkdir()
    (trial / "proofs.json").write_text(dump(proofs(procedure(ProofOutcome.PROVEN, line=None))))
    (trial / "runbook.md").write_text(TEXT)
    broken, begun = tmp_path / "broken", tmp_path / "begun"
    broken.mkdir()
    (broken / "verdict.json").write_text("{}")
    begun.mkdir()
    (begun / "journal.jsonl").write_text("")
    (tmp_path / "latest").symlink_to("20260314T092653Z-passing")
    return tmp_path


def test_every_run_is_told_once_and_what_cannot_be_read_says_why(runs: Path) -> None:
    found, tried, left_out = read_runs(runs)
    assert {r.folder for r in found} == {"20260314T092653Z-passing", "20260314T092653Z-failing"}
    assert [(p.folder, p.proven, p.promises) for p in tried] == [("20260102T030405Z-prove", 1, 3)]
    reasons = {x.folder: x.reason for x in left_out}
    assert set(reasons) == {"broken", "begun"}
    assert "verdict.json" in reasons["broken"]
    assert reasons["begun"] == "it was never scored"


def test_the_figures_are_those_of_the_runs(runs: Path) -> None:
    by_plan = {r.plan: r for r in read_runs(runs)[0]}
    assert by_plan["smoke"].outcome is Outcome.PASS
    assert by_plan["smoke"].mttr_s == pytest.approx((6.2 + 11.4) / 2)
    assert by_plan["kill-half"].mttr_s == pytest.approx(6.2)
    assert by_plan["kill-half"].not_recovered == 1


def test_the_command_writes_the_page_and_the_same_as_json(runs: Path) -> None:
    done = CliRunner().invoke(app, ["history", str(runs), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert {r["folder"] for r in told["runs"]} == {r.folder for r in read_runs(runs)[0]}
    first = (runs / "index.html").read_bytes()
    CliRunner().invoke(app, ["history", str(runs)])
    assert (runs / "index.html").read_bytes() == first
    links = {str(a["href"]) for a in Page(first.decode()).named("a")}
    assert "20260314T092653Z-failing/report.html" in links
    assert "20260102T030405Z-prove/runbook.html" in links


def test_hostile_names_stay_text() -> None:
    run = history.run_of(f"x{examples.NASTY}", examples.hostile())
    left = history.LeftOut(folder=examples.NASTY, reason=examples.NASTY)
    run = replace(run, folder='a b/"><script>', plan=examples.NASTY)
    source = history.render([run], [], [left], "0")
    page = Page(source)
    assert "script" not in {tag for tag, _ in page.tags}
    assert not [a for _, a in page.tags if any(k.startswith("on") or k == "style" for k in a)]
    assert "a%20b/%22%3E%3Cscript%3E/report.html" in {str(a["href"]) for a in page.named("a")}


def test_an_empty_folder_has_a_page_and_no_folder_is_bad_input(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["history", str(tmp_path)]).exit_code == 0
    assert "No run with a verdict" in (tmp_path / "index.html").read_text()
    with pytest.raises(UsageError, match="there is no such folder of runs"):
        read_runs(tmp_path / "nowhere")
