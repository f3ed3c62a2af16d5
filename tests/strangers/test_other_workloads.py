"""Strangers whose pods belong to no Deployment, or whose workload nobody sends requests to."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from chaos.kube import Cluster, ClusterError
from service.cluster import embedded
from tests.parts import KUBECTL
from tests.strangers import rollouts
from tests.strangers.team import Team

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
ROLLOUT = "Rollout.v1alpha1.argoproj.io"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("workloads")
    images = {"flask-shop:1": [sys.executable, str(HERE / "flask_shop.py")]}
    with (folder / "images.yaml").open("w") as file:
        YAML().dump(images, file)
    directory = folder / "cluster"
    try:
        yield embedded.up(
            deploy_service=False, directory=directory, images=folder / "images.yaml"
        ).kubeconfig
    finally:
        embedded.down(directory)


@pytest.fixture
def team(cluster: Path, tmp_path: Path) -> Team:
    return Team(tmp_path, cluster)


@pytest.mark.alone
def test_a_rollout_is_found_killed_and_seen_whole_by_its_scale(team: Team, cluster: Path) -> None:
    rollouts.deploy(team, "rolled", "flask-shop:1")
    done = team.gameday("init", "--namespace", "rolled")
    assert done.returncode == 0, done.stderr
    assert "Rollout rolled/shop is the only workload there" in done.stdout
    system = (team.directory / "gameday/system.yaml").read_text()
    assert "  kind: Rollout\n  api_version: argoproj.io/v1alpha1\n  service: shop\n" in system
    assert "gameday rbac rolled --custom rollouts.argoproj.io |" in done.stdout
    rights = team.gameday("rbac", "rolled", "--custom", "rollouts.argoproj.io")
    assert team(KUBECTL, "apply", "-f", "-", stdin=rights.stdout).returncode == 0
    dry = team.gameday("run", "smoke", "--dry-run")
    assert dry.returncode == 0, dry.stdout + dry.stderr
    done = team.gameday("run", "smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    journal = (team.directory / "runs/latest/journal.jsonl").read_text()
    entries = [json.loads(line) for line in journal.splitlines()]
    owners = {t["owner"] for e in entries for t in e.get("targets") or ()}
    assert owners == {f"{ROLLOUT}/shop"}
    (reverted,) = (e for e in entries if e["event"] == "fault.reverted")
    assert "shop: 2 of 2 pods ready" in json.dumps(reverted)

    # With another pod wanted that its ReplicaSet does not make, it is not whole.
    found = Cluster.connect(str(cluster))
    assert found.workload("rolled", "shop", ROLLOUT).whole
    scaled = team(KUBECTL, "-n", "rolled", "scale", "rollout/shop", "--replicas=3")
    assert scaled.returncode == 0, scaled.stderr
    wanted = found.workload("rolled", "shop", ROLLOUT)
    assert (wanted.desired, wanted.ready, wanted.whole) == (3, 2, False)


def test_what_is_no_workload_is_said_in_one_sentence(team: Team, cluster: Path) -> None:
    team.apply([rollouts.definition()])
    found = Cluster.connect(str(cluster))
    with pytest.raises(ClusterError, match="no kind Rolout of argoproj"):
        found.workload("default", "x", "Rolout.v1alpha1.argoproj.io")
    (team.directory / "gameday").mkdir()
    text = "name: shop\ntarget: {namespace: rolled, workload: shop, kind: Rollout}\n"
    (team.directory / "gameday/system.yaml").write_text(text)
    done = team.gameday("run", "smoke")
    assert done.returncode == 2
    assert "line 2" in done.stderr
    assert "needs its 'api_version', e.g. argoproj.io/v1alpha1" in done.stderr
