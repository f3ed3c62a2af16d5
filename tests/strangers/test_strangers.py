"""Services that nobody here wrote gameday for: from `init` to a verdict, with nothing edited."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import eventually
from tests.strangers import manifests
from tests.strangers.team import Team, bare_cluster, ready

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
PRESETS = {"fastapi": "fastapi-instrumentator", "flask": "flask-exporter"}
SHOPS = {"fastapi": ("fastapi_shop.py", "/health"), "flask": ("flask_shop.py", "/")}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Without the reference service; the strangers' images are known by a line each."""
    folder = tmp_path_factory.mktemp("strangers")
    images = {f"{n}-shop:1": [sys.executable, str(HERE / f)] for n, (f, _) in SHOPS.items()}
    with bare_cluster(folder, images) as kubeconfig:
        yield kubeconfig


@pytest.fixture(scope="module")
def monitored(cluster: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    Team(tmp_path_factory.mktemp("admin"), cluster).apply(manifests.prometheus())
    eventually(ready(cluster, "prometheus", manifests.MONITORING), 90)
    return cluster


@pytest.fixture
def team(request: pytest.FixtureRequest, monitored: Path, tmp_path: Path) -> Team:
    """With a shop of the library that the test names, ready and seen by Prometheus."""
    name = request.param
    found = Team(tmp_path, monitored)
    found.apply(manifests.shop(f"{name}-team", "shop", f"{name}-shop:1", SHOPS[name][1]))
    eventually(ready(monitored, "shop", f"{name}-team"), 90)
    return found


@pytest.mark.alone
@pytest.mark.parametrize("team", SHOPS, indirect=True)
def test_a_stranger_has_a_true_verdict_with_nothing_edited(
    team: Team, request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.params["team"]
    namespace = f"{name}-team"

    def described() -> bool:
        # Until Prometheus has scraped the pods a few times, it cannot be told what and how often.
        done = team.gameday("init", "--namespace", namespace, "--force")
        assert done.returncode == 0, done.stderr
        system = (team.directory / "gameday/system.yaml").read_text()
        return f"[{PRESETS[name]}]" in system and "scrape_interval: 2s" in system

    eventually(described, 60)
    team.allow_faults(namespace)
    dry = team.gameday("run", "smoke", "--dry-run")
    assert dry.returncode == 0, dry.stdout + dry.stderr
    done = team.gameday("run", "smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads((team.directory / "runs/latest/verdict.json").read_text())
    views = {
        (o["objective"]["name"], o["view"])
        for o in verdict["objectives"]
        if o["indicator"]["value"] is not None
    }
    assert {
        ("response_time_p95", "client"),
        ("response_time_p95", "server"),
        ("error_rate", "client"),
        ("error_rate", "server"),
    } <= views
    (experiment,) = verdict["experiments"]
    checks = {c["name"]: c["outcome"] for c in experiment["checks"]}
    assert checks["effect"] == checks["undone"] == "pass"


@pytest.mark.parametrize("team", ["fastapi"], indirect=True)
def test_what_is_there_is_not_overwritten_and_ids_come_from_lists(team: Team) -> None:
    assert team.gameday("init", "--namespace", "fastapi-team").returncode == 0
    users = (team.directory / "gameday/locustfile.py").read_text()
    assert 'known = IDS.get("/items")' in users
    assert 'self.client.get(path, name="/items/{item_id}")' in users
    assert "/orders" not in users  # it writes
    again = team.gameday("init", "--namespace", "fastapi-team")
    assert again.returncode == 2
    assert "gameday has system.yaml" in again.stderr
    assert "\n" not in again.stderr.strip()
    writing = team.gameday("init", "--namespace", "fastapi-team", "--writes", "--force")
    assert writing.returncode == 0
    assert 'post("/orders", json={' in (team.directory / "gameday/locustfile.py").read_text()


def test_several_workloads_are_a_question_and_not_a_guess(monitored: Path, tmp_path: Path) -> None:
    team = Team(tmp_path, monitored)
    team.apply(manifests.shop("several", "one", "flask-shop:1", "/"))
    team.apply(manifests.shop("several", "two", "flask-shop:1", "/"))
    done = team.gameday("init", "--namespace", "several")
    assert done.returncode == 2
    assert "several/one, several/two" in done.stderr
    assert not (tmp_path / "gameday").exists()
