"""A shell as steps get it: real bash, real programs, the kernel's confinement."""

from pathlib import Path

import pytest

from chaos.prove.shell.shell_session import ShellSession, find_programs
from tests.parts import KUBECTL


@pytest.fixture
def session(tmp_path: Path) -> ShellSession:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("{}")
    return ShellSession(
        home=tmp_path / "session",
        kubeconfig=kubeconfig,
        port=6443,
        programs=find_programs(KUBECTL),
        mask=lambda text: text.replace("hunter2-secret", "•••"),
        follow_s=1.0,
    )
