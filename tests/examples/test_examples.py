"""The examples, by the commands that stand in their own pages."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.cluster import embedded
from tests.e2e.conftest import GAMEDAY
from tests.parts import KUBECTL

ROOT = Path(__file__).parents[2] / "examples"
EXAMPLES = sorted(p.name for p in ROOT.iterdir() if p.is_dir())


def commands(page: Path) -> list[str]:
    blocks = re.findall(r"^```console\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def test_the_index_names_all_of_them_in_order() -> None:
    named = re.findall(r"\]\((\d\d-[\w-]+)\)", (ROOT / "README.md").read_text())
    assert named == EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_its_page_has_commands_and_its_files_are_whole(name: str) -> None:
    assert any(c.startswith("gameday ") for c in commands(ROOT / name / "README.md"))
    assert (ROOT / name / "gameday/system.yaml").is_file()


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("examples") / "cluster"
    try:
        yield embedded.up(deploy_service=False, directory=directory).kubeconfig
    finally:
        embedded.down(directory)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", EXAMPLES)
def test_every_command_of_its_page_ends_well(name: str, kubeconfig: Path, tmp_path: Path) -> None:
    folder = tmp_path / name
    shutil.copytree(ROOT / name, folder)
    tools = f"{Path(GAMEDAY).parent}:{Path(KUBECTL).parent}:{os.environ['PATH']}"
    env = {**os.environ, "KUBECONFIG": str(kubeconfig), "PATH": tools}
    for command in commands(folder / "README.md"):
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    if (folder / "runs").exists():
        assert (folder / "runs/latest").exists() or (folder / "runs/latest-proofs").exists()
