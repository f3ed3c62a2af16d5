"""Strangers whose programs are fetched: podinfo by its Go module, httpbin into its own environment.

`make test-strangers` runs these; they need Go and the package indexes, and are no part of
`make test`.
"""

import json
import os
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import eventually
from tests.strangers import manifests
from tests.strangers.team import Team, bare_cluster, ready

pytestmark = [pytest.mark.strangers, pytest.mark.timeout(900)]

PODINFO = "github.com/stefanprodan/podinfo/cmd/podinfo@v1.8.1-0.20250910200901-e86405a8674e"
PROGRAMS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gameday/strangers"
HTTPBIN = """
import os
from httpbin import app
app.run(host=os.environ["POD_IP"], port=8000, threaded=True)
"""


def podinfo() -> list[str]:
    """The program, built once."""
    binary = PROGRAMS / "podinfo"
    if not binary.exists():
        env = {**os.environ, "GOBIN": str(PROGRAMS)}
        command = ["go", "install", PODINFO]
        subprocess.run(command, env=env, check=True, timeout=800)
    return ["sh", "-c", f'exec {binary} --host="$POD_IP" --port=8000']


def httpbin() -> list[str]:
    """With the versions that it wants itself, which are not ours."""
    home = PROGRAMS / "httpbin"
    if not (home / "ready").exists():
        venv.create(home, with_pip=True, clear=True)
        pip = [str(home / "bin/python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "httpbin==0.10.2", "setuptools<81"], check=True, timeout=600)
        (home / "ready").touch()
    return [str(home / "bin/python"), "-c", HTTPBIN]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("others")
    images = {"podinfo-shop:1": podinfo(), "httpbin-shop:1": httpbin()}
    with bare_cluster(folder, images) as kubeconfig:
        yield kubeconfig


@pytest.fixture(scope="module")
def monitored(cluster: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    Team(tmp_path_factory.mktemp("admin"), cluster).apply(manifests.prometheus())
    eventually(ready(cluster, "prometheus", manifests.MONITORING), 90)
    return cluster


def verdict_of(team: Team, namespace: str, *, preset: str) -> dict[str, set[str]]:
    """Of init and a run of the plan that it wrote, nothing edited: which views judged what."""

    def described() -> bool:
        done = team.gameday("init", "--namespace", namespace, "--force")
        assert done.returncode == 0, done.stderr
        system = (team.directory / "gameday/system.yaml").read_text()
        return preset in system and "scrape_interval: 2s" in system  # after three scrapes

    eventually(described, 60)
    team.allow_faults(namespace)
    done = team.gameday("run", "smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads((team.directory / "runs/latest/verdict.json").read_text())
    found: dict[str, set[str]] = {}
    for each in verdict["objectives"]:
        if each["indicator"]["value"] is not None:
            found.setdefault(each["view"], set()).add(each["objective"]["name"])
    return found


@pytest.mark.alone
def test_podinfo_is_judged_by_its_load_and_by_its_own_metrics(
    monitored: Path, tmp_path: Path
) -> None:
    team = Team(tmp_path, monitored)
    team.apply(manifests.shop("podinfo-team", "shop", "podinfo-shop:1", "/readyz"))
    eventually(ready(monitored, "shop", "podinfo-team"), 90)
    views = verdict_of(team, "podinfo-team", preset="[go-http]")
    assert {"error_rate", "response_time_p95"} <= views["client"]
    assert {"error_rate", "response_time_p95"} <= views["server"]


@pytest.mark.alone
def test_httpbin_has_no_metrics_and_is_judged_by_its_load(monitored: Path, tmp_path: Path) -> None:
    team = Team(tmp_path, monitored)
    team.apply(manifests.shop("httpbin-team", "shop", "httpbin-shop:1", "/status/200"))
    eventually(ready(monitored, "shop", "httpbin-team"), 90)
    views = verdict_of(team, "httpbin-team", preset="name: shop")
    assert {"error_rate", "response_time_p95"} <= views["client"]
