import shutil
from collections.abc import Iterator

import pytest

from service import deploy
from service.cluster import embedded
from tests.runbook.stage import Stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Two nodes with the stack of service/deploy, for all commands one after the other."""
    directory = tmp_path_factory.mktemp("runbook") / "cluster"
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(deploy.path().parents[1], home, dirs_exist_ok=True)
    try:
        info = embedded.up(directory=directory, nodes=2, timeout_s=240)
        yield Stage(info.kubeconfig, home)
    finally:
        embedded.down(directory)
