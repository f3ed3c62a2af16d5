"""`gameday runbook check` as a team lives with it: folders, a baseline, chosen rules, fixes."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from chaos.cli.app import app
from chaos.cli.errors import UsageError

WRONG = "# A\n\n## Restart\n\n```bash\nkubectl delet pod a\nkubectl exec -it a sh\n```\n"
RULES = "groups:\n- name: a\n  rules:\n  - alert: Up\n    expr: up == 0 and\n"
SYSTEM = "name: shop\ntarget: {namespace: shop, workload: web}\n"


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["runbook", "check", *map(str, words)])


def test_a_folder_is_read_with_its_rules_and_without_other_yaml(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(WRONG)
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "values.yaml").write_text("a: 1\n")
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "b.md").write_text(WRONG)
    done = run(tmp_path, "--json")
    assert done.exit_code == 1
    told = {Path(f["file"]).name: f["findings"] for f in json.loads(done.stdout)["files"]}
    assert sorted(told) == ["a.md", "rules.yaml"]
    assert [f["rule"] for f in told["rules.yaml"]] == ["promql-syntax"]


def test_what_is_in_the_baseline_is_not_shown_again(tmp_path: Path) -> None:
    book, known = tmp_path / "a.md", tmp_path / "known.json"
    book.write_text(WRONG)
    assert run(book, "--baseline", known, "--write-baseline").exit_code == 0
    done = run(book, "--baseline", known, "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["findings"] == []
    book.write_text(WRONG.replace("delet", "scal"))
    done = run(book, "--baseline", known, "--json")
    assert done.exit_code == 1
    assert [f["line"] for f in json.loads(done.stdout)["findings"]] == [6]


def test_a_system_chooses_its_rules_levels_and_versions(tmp_path: Path) -> None:
    (tmp_path / "gameday").mkdir()
    system = tmp_path / "gameday" / "system.yaml"
    system.write_text(
        SYSTEM
        + 'lint: {off: [kubectl-unknown], levels: {broken-command: note}, kubernetes: "1.30"}'
    )
    book = tmp_path / "gameday" / "runbook.md"
    book.write_text(WRONG.replace("delet pod a", "drain n --delete-local-data"))
    done = run(book, "--json")
    assert done.exit_code == 0, done.output
    found = [(f["rule"], f["severity"]) for f in json.loads(done.stdout)["findings"]]
    assert found == [("broken-command", "note")]


def test_a_rule_that_is_not_there_is_said_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "system.yaml").write_text(SYSTEM + "lint:\n  off: [no-such-rule]\n")
    (tmp_path / "runbook.md").write_text(WRONG)
    done = run(tmp_path / "runbook.md")
    assert isinstance(done.exception, UsageError)
    assert "system.yaml, line 4" in str(done.exception)
    assert "no rule 'no-such-rule'" in str(done.exception)


def test_fix_changes_the_file_and_keeps_its_line_ends(tmp_path: Path) -> None:
    book = tmp_path / "a.md"
    book.write_bytes(WRONG.replace("\n", "\r\n").encode())
    run(book, "--fix")
    wanted = WRONG.replace("-it a sh", "-it a -- sh").replace("\n", "\r\n")
    assert book.read_bytes() == wanted.encode()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--write-baseline"], "--write-baseline needs --baseline FILE"),
        (["--baseline", "none.json"], "none.json"),
        (["--kubernetes", "new"], "'new' is no version"),
        (["--prometheus", "new"], "no version such as 2.53"),
    ],
)
def test_options_that_cannot_be_used_are_refused(
    tmp_path: Path, words: list[str], said: str
) -> None:
    (tmp_path / "a.md").write_text(WRONG)
    done = run(tmp_path / "a.md", *words)
    assert isinstance(done.exception, UsageError)
    assert said in str(done.exception)
