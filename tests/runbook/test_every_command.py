"""The runbook's commands, verbatim, with the real kubectl, against the stack of service/deploy.

Then the commands beside them that people use, on the same cluster.
"""

import re
import shutil
from pathlib import Path

import pytest

from tests.runbook.commands import kubectl_commands
from tests.runbook.others import OTHERS
from tests.runbook.stage import Stage
from tests.runbook.table import FOLLOW, TABLE, TERMINAL, Row

RUNBOOK = Path(__file__).with_name("OPERATIONS_RUNBOOK.md")
passed: list[Row] = []


def test_the_table_has_every_command_of_the_runbook_in_its_order() -> None:
    assert [row.command for row in TABLE] == kubectl_commands(RUNBOOK.read_text(encoding="utf-8"))


def test_a_command_of_several_lines_is_one_command() -> None:
    block = "```bash\n# why\nkubectl a \\\n  -p '{\n}'\n\nfor x in y; do\n  kubectl b\ndone\n```\n"
    listed = "```markdown\n1. Pods: kubectl get pods\n2. kubectl is a program\n```\n"
    found = ["kubectl a \\\n  -p '{\n}'", "for x in y; do\n  kubectl b\ndone", "kubectl get pods"]
    assert kubectl_commands(block + listed)[:3] == found
    with pytest.raises(ValueError, match="bash does not understand"):
        kubectl_commands("```bash\nkubectl a '\n```\n")


def _title(row: Row) -> str:
    return re.sub(r"\W+", "-", row.command)[:60].strip("-")


def _check(stage: Stage, row: Row) -> None:
    row.before(stage)
    command = row.command.replace("<pod-name>", stage.pod) if stage.pod else row.command
    if "| jq" in command and shutil.which("jq") is None:  # then the half that is the cluster's
        command = command.partition("| jq")[0] + "| grep '\"privileged\": true' || true"
    if row.how == FOLLOW:
        stage.follow(command, row.says, lambda: row.after(stage))
    else:
        typed = row.how == TERMINAL
        code, told = stage.type(command, row.typed) if typed else stage.run(command)
        assert re.search(row.says, told), told
        assert row.code in (code, None), told
        row.after(stage)


@pytest.mark.slow
@pytest.mark.parametrize("row", TABLE, ids=_title)
def test_the_cluster_answers_the_runbook(stage: Stage, row: Row) -> None:
    _check(stage, row)
    passed.append(row)


@pytest.mark.slow
def test_the_share_that_passes(capsys: pytest.CaptureFixture[str]) -> None:
    faults = [row for row in passed if row.fault]
    with capsys.disabled():
        print(f"\n{len(passed)} of {len(TABLE)} commands of the runbook are answered as they")
        print(
            f"should be; {len(faults)} of them do not do what the runbook says, by its own fault:"
        )
        for row in faults:
            print(f"  {' '.join(row.command.split())[:60]:60}  {row.fault}")
    assert len(passed) == len(TABLE)


@pytest.mark.slow
@pytest.mark.parametrize("row", OTHERS, ids=_title)
def test_the_cluster_answers_what_else_people_ask(stage: Stage, row: Row) -> None:
    _check(stage, row)
