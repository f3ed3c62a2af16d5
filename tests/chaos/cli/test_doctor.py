"""`gameday doctor` on a machine that lacks programs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chaos.cli import diagnosis
from service.cluster.packages import PACKAGES, user_cache

GAMEDAY = Path(sys.executable).with_name("gameday")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A cache with Neo4j alone, and on PATH an apt-get that refuses."""
    for name in ("apt-get", "dpkg-deb"):
        script = tmp_path / "path" / name
        script.parent.mkdir(exist_ok=True)
        script.write_text("#!/bin/sh\nexit 100\n")
        script.chmod(0o755)
    cache = tmp_path / "cache/gameday"
    cache.mkdir(parents=True)
    (cache / "neo4j").symlink_to(user_cache() / "neo4j")
    return {"PATH": str(tmp_path / "path"), "XDG_CACHE_HOME": str(tmp_path / "cache")}


def test_each_program_that_is_missing_has_a_line_with_what_to_do(
    environment: dict[str, str],
) -> None:
    done = subprocess.run(
        [GAMEDAY, "doctor", "--json"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    findings = {f["name"]: f for f in json.loads(done.stdout)}
    for package in PACKAGES:
        assert findings[package.name]["state"] == "missing"
        assert findings[package.name]["advice"] == package.hint
        assert f"install the package '{package.debian[0]}'" in package.hint


def test_each_fence_has_a_line_and_says_what_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"signals": "", "TCP ports": "connects to any TCP port"}
    monkeypatch.setattr(diagnosis, "fences", lambda: found)
    told = {d.name: d for d in diagnosis.examine() if d.name.startswith("steps: ")}
    assert told["steps: signals"].state is diagnosis.State.OK
    limited = told["steps: TCP ports"]
    assert limited.state is diagnosis.State.LIMITED
    assert "a step of a runbook connects to any TCP port" in limited.advice


def test_fix_says_what_it_fetches_and_what_could_not_be_had(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [GAMEDAY, "doctor", "--fix", "--quiet"],
        env=environment | {"COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    for package in PACKAGES:
        assert f"fetching {package.name} …" in done.stdout
        assert package.hint in done.stdout


def test_the_advice_names_the_distribution_that_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "EMBEDDED_MODULES", ("no_such_package",))
    found = next(d for d in diagnosis.examine() if d.name == "embedded cluster")
    assert found.state is diagnosis.State.MISSING
    assert found.advice == "pip install 'gameday-runbook[embedded]'"
