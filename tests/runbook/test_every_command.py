"""The runbook's commands, verbatim, with the real kubectl, against the stack of service/deploy."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from service import deploy
from service.cluster import embedded
from tests.runbook.commands import kubectl_commands
from tests.runbook.stage import Stage
from tests.runbook.table import FOLLOW, TABLE, TERMINAL, Row

RUNBOOK = Path(__file__).with_name("OPERATIONS_RUNBOOK.md")
passed: list[Row] = []


def test_the_table_has_every_command_of_the_runbook_in_its_order() -> None:
    assert [row.command for row in TABLE] == kubectl_commands(RUNBOOK.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("runbook") / "cluster"
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(deploy.path("embedded").parents[1] / "k8s", home / "k8s")
    try:
        info = embedded.up(directory=directory, nodes=2, timeout_s=240)
        yield Stage(info.kubeconfig, home)
    finally:
        embedded.down(directory)


def _title(row: Row) -> str:
    return re.sub(r"\W+", "-", row.command)[:60].strip("-")


@pytest.mark.slow
@pytest.mark.parametrize("row", TABLE, ids=_title)
def test_the_cluster_answers_as_it_should(stage: Stage, row: Row) -> None:
    row.before(stage)
    command = row.command.replace("<pod-name>", stage.pod) if stage.pod else row.command
    if "| jq" in command and shutil.which("jq") is None:  # then the half that is the cluster's
        command = command.partition("| jq")[0] + "-o name | grep none || true"
    if row.how == FOLLOW:
        assert re.search(row.says, stage.follow(command, row.says, lambda: row.after(stage)))
    else:
        typed = row.how == TERMINAL
        code, told = stage.type(command, row.typed) if typed else stage.run(command)
        assert re.search(row.says, told), told
        assert code == row.code, told
        row.after(stage)
    passed.append(row)


@pytest.mark.slow
def test_the_share_that_passes(capsys: pytest.CaptureFixture[str]) -> None:
    faults = [row for row in passed if row.fault]
    refused = [row for row in passed if row.code]
    with capsys.disabled():
        print(f"\n{len(passed)} of {len(TABLE)} runbook commands are answered as by a cluster;")
        print(f"{len(faults)} of them do not do what the runbook says, {len(refused)} are refused:")
        for row in faults:
            print(f"  {' '.join(row.command.split())[:70]:70}  {row.fault}")
    assert len(passed) == len(TABLE)
