"""The images' Dockerfiles, as a tool without a container engine reads them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FILES = {"chaos/image/Dockerfile": "chaos.cli", "service/deploy/Dockerfile": "service.api"}


def config(file: str) -> Any:
    command = [sys.executable, "chaos/image/config", file]
    return json.loads(subprocess.check_output(command, text=True, timeout=30))


@pytest.mark.parametrize("file", FILES)
def test_it_runs_as_an_ordinary_user_without_a_shell(file: str) -> None:
    found = config(file)
    user, _, group = found["User"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert found["Entrypoint"] == ["python3", "-P", "-m", FILES[file]]
    assert "HOME=/tmp" in found["Env"]


@pytest.mark.parametrize("file", FILES)
def test_what_the_dockerfile_copies_is_what_the_script_makes(file: str) -> None:
    text = Path(file).read_text()
    what = "gameday" if "chaos" in file else "service"
    assert f"/src/chaos/image/layer {what} /layer\n" in text
    assert f"PYTHONPATH=/opt/{what}" in config(file)["Env"]


def test_the_service_listens_on_all_addresses_of_its_pod() -> None:
    assert "HOST=0.0.0.0" in config("service/deploy/Dockerfile")["Env"]
