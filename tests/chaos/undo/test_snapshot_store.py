"""What a drill keeps of a namespace: put back in time, never lost, and never by itself later."""

import base64
import gzip
import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chaos.kube import Cluster, ClusterError, Json, Ref
from chaos.kube.system_under_test import SystemUnderTest
from chaos.plan.model import PlanWatchdog
from chaos.run import rbac
from chaos.run.preflight import RefusedError, preflight
from chaos.undo.lease import Held
from chaos.undo.snapshot import Snapshot
from chaos.undo.snapshot_store import TAKEN, forget, is_left, keep, put_back
from tests.chaos.accounts import as_account, grant
from tests.chaos.cluster_fixture import NS as SHOP
from tests.cluster.apiserver_fixture import RunningApiServer
from tests.e2e.conftest import GAMEDAY

NS = "default"
SETTINGS = Ref.of("ConfigMap", NS, "settings")
LATER = Ref.of("ConfigMap", NS, "later")
BEFORE = Ref.of("Secret", NS, "gameday-before")


def config(ref: Ref, mode: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": ref.name, "namespace": NS},
        "data": {"mode": mode},
    }


@pytest.fixture
def cluster(server: RunningApiServer) -> Cluster:
    return Cluster.connect(str(server.kubeconfig))


@pytest.fixture
def system(cluster: Cluster) -> Iterator[SystemUnderTest]:
    """With settings that a drill which died has spoiled, and one that it has made."""
    found = SystemUnderTest(cluster=cluster, namespace=NS, workload="", url="")
    cluster.create(config(SETTINGS, "good"))
    keep(Snapshot.take(found), "run/01")
    worse = [{"op": "replace", "path": "/data/mode", "value": "bad"}]
    cluster.change(SETTINGS, lambda _: worse)
    cluster.create(config(LATER, "new"))
    yield found
    forget(found)
    cluster.delete(SETTINGS)
    cluster.delete(LATER)


def forge(cluster: Cluster, *objects: Json) -> None:
    """As anybody writes it who may change Secrets in the namespace."""
    data = gzip.compress(json.dumps(objects).encode(), mtime=0)
    value = base64.b64encode(data).decode()
    change = [{"op": "replace", "path": "/data/objects.json.gz", "value": value}]
    cluster.change(BEFORE, lambda _: change)


def mode(cluster: Cluster) -> str:
    return str(cluster.get(SETTINGS)["data"]["mode"])


def age(cluster: Cluster, by: timedelta) -> None:
    """The drill was so long ago."""
    path = f"/metadata/annotations/{TAKEN.replace('/', '~1')}"
    then = (datetime.now(UTC) - by).isoformat()
    cluster.change(BEFORE, lambda _: [{"op": "replace", "path": path, "value": then}])


def recover(
    server: RunningApiServer, *words: str, kubeconfig: Path | None = None, namespace: str = NS
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [GAMEDAY, "recover", "--namespace", namespace, *words],
        env={**os.environ, "KUBECONFIG": str(kubeconfig or server.kubeconfig)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.usefixtures("system")
def test_what_a_dead_drill_left_is_put_back_and_removed(
    server: RunningApiServer, cluster: Cluster
) -> None:
    done = recover(server)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "put back: reset configmap settings" in done.stdout
    assert "put back: removed configmap later" in done.stdout
    assert mode(cluster) == "good"
    assert not is_left(cluster, NS)
    assert "nothing is left of any fault" in recover(server).stdout


@pytest.mark.usefixtures("system")
def test_while_its_run_lives_a_drill_is_left_alone(
    server: RunningApiServer, cluster: Cluster
) -> None:
    with Held(cluster, NS, "prove-1"):
        told = json.loads(recover(server, "--json").stdout)[NS]
    assert (told["live"], told["drill"]) == (["prove-1"], [])
    assert mode(cluster) == "bad"


@pytest.mark.usefixtures("system")
def test_what_is_old_is_put_back_on_request_alone_and_spares_what_came_later(
    server: RunningApiServer, cluster: Cluster
) -> None:
    age(cluster, timedelta(hours=3))
    done = recover(server)
    assert done.returncode == 5
    assert "secret default/gameday-before is what a drill that died kept 3.0 h ago" in done.stderr
    assert "gameday recover --force" in done.stderr
    assert mode(cluster) == "bad"
    forced = recover(server, "--force")
    assert forced.returncode == 0, forced.stderr
    assert mode(cluster) == "good"
    assert "left alone, as it was made later: configmap later" in forced.stdout
    assert cluster.find(LATER) is not None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("objects.json.gz", "bm90IGd6aXA="),
        ("objects.json.gz", "H4sIAAAAAAAC/6uuBQBDv6ajAgAAAA=="),  # whole, of an empty object
        ("password.json", "bm90IEpTT04="),
        ("password.json", "W10="),
    ],
)
@pytest.mark.usefixtures("system")
def test_what_is_damaged_is_named_and_changes_nothing(
    server: RunningApiServer, cluster: Cluster, key: str, value: str
) -> None:
    cluster.change(BEFORE, lambda _: [{"op": "add", "path": f"/data/{key}", "value": value}])
    done = recover(server, "--force")
    assert done.returncode == 5
    assert "secret default/gameday-before is damaged" in done.stderr
    assert "Traceback" not in done.stderr
    assert (mode(cluster), cluster.find(LATER) is not None) == ("bad", True)


def test_what_another_drill_kept_is_never_overwritten(system: SystemUnderTest) -> None:
    keep(Snapshot.take(system), "run/01")  # as after a lost answer
    with pytest.raises(ClusterError) as caught:
        keep(Snapshot.take(system), "run/02")
    assert caught.value.status == 409
    put_back(system.cluster, NS)
    assert mode(system.cluster) == "good"


@pytest.mark.usefixtures("system")
def test_no_game_day_begins_where_a_drill_died(cluster: Cluster) -> None:
    allowed = [{"op": "add", "path": "/metadata/labels/gameday.dev~1allowed", "value": "true"}]
    cluster.change(Ref.of("Namespace", "", NS), lambda _: allowed)
    watchdog = PlanWatchdog(enabled=False)
    with (
        pytest.raises(RefusedError, match="first put it back with: gameday recover"),
        preflight(cluster, NS, "r", watchdog, print),
    ):
        pass
    put_back(cluster, NS)
    with preflight(cluster, NS, "r", watchdog, print):
        pass


def test_an_account_that_may_not_look_for_drills_says_so_and_recovers_all_the_same(
    server: RunningApiServer, tmp_path: Path
) -> None:
    grant(server.kubeconfig)
    as_account(server.kubeconfig, rbac.RUNNER, tmp_path)
    own = tmp_path / f"{rbac.RUNNER}.kubeconfig"
    done = recover(server, kubeconfig=own, namespace=SHOP)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "drills were not looked for: cannot read secret shop/gameday-before" in done.stdout


def test_what_nobody_here_has_taken_is_not_put_back_by_itself(
    server: RunningApiServer, cluster: Cluster, system: SystemUnderTest
) -> None:
    kept = cluster.get(BEFORE)["data"]
    pod = {"containers": [{"name": "x", "image": "x", "securityContext": {"privileged": True}}]}
    forged = {"kind": "Deployment", "metadata": {"name": "theirs", "namespace": NS}, "spec": pod}
    forge(cluster, forged)
    done = recover(server)
    assert done.returncode == 5, done.stdout + done.stderr
    assert "was not written by this user on this machine" in done.stderr
    assert "Deployment theirs" in done.stderr
    assert "gameday recover --force" in done.stderr
    assert mode(cluster) == "bad"
    cluster.change(BEFORE, lambda _: [{"op": "replace", "path": "/data", "value": kept}])
    assert put_back(system.cluster, NS)
    assert mode(cluster) == "good"


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("words", [(), ("--force",)])
def test_a_snapshot_acts_in_its_own_namespace_alone(
    server: RunningApiServer, cluster: Cluster, words: tuple[str, ...]
) -> None:
    forged = config(Ref.of("ConfigMap", NS, "planted"), "x")
    forged["metadata"]["namespace"] = "kube-system"
    forge(cluster, forged)
    done = recover(server, *words)
    assert done.returncode == 5, done.stdout + done.stderr
    assert "is damaged" in done.stderr
    assert cluster.find(Ref.of("ConfigMap", "kube-system", "planted")) is None
    assert mode(cluster) == "bad"
