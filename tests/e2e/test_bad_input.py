"""Whatever a user gets wrong: one clear sentence, exit code 2, no traceback."""

from pathlib import Path

import pytest

from service.gameday import FOLDER
from tests.e2e.conftest import Command


def refused(gameday: Command, *arguments: str) -> str:
    done = gameday(*arguments, timeout=60)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (gameday.directory / "runs").exists()
    return done.stderr


def test_a_misspelt_field_of_a_plan(gameday: Command) -> None:
    path = gameday.write_plan("    baseline", "    basline")
    said = refused(gameday, "run", str(path), "--embedded")
    assert f"{path}, line 12: unknown field 'experiments[0].basline'" in said


def test_an_objective_that_the_runbook_does_not_have(gameday: Command) -> None:
    path = gameday.write_plan("{error_rate:", "{respons_time:")
    said = refused(gameday, "run", str(path), "--embedded")
    assert "objectives.respons_time" in said
    assert "response_time_p95" in said


def test_a_runbook_without_the_table(gameday: Command, tmp_path: Path) -> None:
    runbook = tmp_path / "book.md"
    runbook.write_text("# Nothing\n\nto see here\n")
    said = refused(gameday, "run", "smoke", "--embedded", "--runbook", str(runbook))
    assert str(runbook) in said


def test_a_plan_a_runbook_a_scenario_that_are_not_there(gameday: Command) -> None:
    assert "nowhere.yaml" in refused(gameday, "run", "nowhere.yaml", "--embedded")
    assert "none.md" in refused(gameday, "run", "--embedded", "--runbook", "none.md")
    path = gameday.write_plan("scenario: smoke", "scenario: gale")
    assert "gale" in refused(gameday, "run", str(path), "--embedded")


def test_a_cluster_that_does_not_answer(gameday: Command, tmp_path: Path) -> None:
    config = tmp_path / "kubeconfig"
    config.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:9'}}]\n"
        "contexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {}}]\n"
    )
    ours = ("run", "smoke", "--system", str(FOLDER), "--kubeconfig")
    assert "https://127.0.0.1:9" in refused(gameday, *ours, str(config))
    assert "nokubeconfig" in refused(gameday, *ours, "nokubeconfig")


def test_without_a_system_nothing_is_taken_from_another_one(gameday: Command) -> None:
    said = refused(gameday, "run", "smoke")
    assert "there is no plan 'smoke': it is no file, and there is no gameday/system.yaml" in said
    plan = str(FOLDER / "plans/smoke.yaml")
    assert "there is no runbook to judge by" in refused(gameday, "run", plan)
    said = refused(gameday, "run", "no-such-plan", "--system", str(FOLDER))
    assert "has bad-day, smoke" in said
    assert "there is no runbook to judge by" in refused(gameday, "runbook", "prove")


@pytest.mark.parametrize("command", ["score", "report", "gate"])
def test_a_directory_that_is_no_run(gameday: Command, command: str) -> None:
    (gameday.directory / "empty").mkdir()
    assert "empty" in refused(gameday, command, "empty")
    assert "nothing" in refused(gameday, command, "nothing")


def test_load_without_a_target(gameday: Command) -> None:
    ours = ("load", "smoke", "--system", str(FOLDER))
    assert "--url" in refused(gameday, *ours)
    assert "--duration" in refused(gameday, *ours, "--url", "http://127.0.0.1:1")
    assert "smoke: No such file" in refused(gameday, "load", "smoke", "--url", "http://127.0.0.1:1")
