"""What a drill keeps of a namespace: put back in time, never lost, and never by itself later."""

import base64
import gzip
import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from chaos.kube import Cluster, ClusterError, Json, Ref
from chaos.kube.system_under_test import SystemUnderTest
from chaos.plan.model import PlanWatchdog
from chaos.run import rbac
from chaos.run.preflight import RefusedError, preflight
from chaos.undo.footprint import Footprint
from chaos.undo.lease import Held
from chaos.undo.snapshot import Snapshot
from chaos.undo.snapshot_store import (
    LARGEST_BYTES,
    TAKEN,
    forget,
    is_left,
    keep,
    keep_writes,
    put_back,
)
from tests.chaos.accounts import apply, as_account, grant
from tests.chaos.cluster_fixture import NS as SHOP
from tests.chaos.cluster_fixture import namespace
from tests.cluster.apiserver_fixture import RunningApiServer
from tests.e2e.conftest import GAMEDAY

NS = "default"
SETTINGS = Ref.of("ConfigMap", NS, "settings")
THEIRS = Ref.of("ConfigMap", NS, "theirs")
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
    drill = drilling(found)
    worse = [{"op": "replace", "path": "/data/mode", "value": "bad"}]
    drill.change(SETTINGS, lambda _: worse)
    drill.create(config(LATER, "new"))
    yield found
    forget(found)
    for ref in (SETTINGS, LATER, THEIRS):
        cluster.delete(ref)


def drilling(system: SystemUnderTest) -> Cluster:
    """The connection of a drill, or of the steps of its procedure."""
    save = partial(keep_writes, system)
    footprint = Footprint(cluster=system.cluster, namespace=NS, save=save)
    return system.cluster.witnessed(footprint.witness)


def forge(cluster: Cluster, *objects: Json) -> None:
    """As anybody writes it who may change Secrets in the namespace."""
    writes = [
        {
            "kind": obj["kind"],
            "name": obj["metadata"]["name"],
            "before": obj,
            "after": None,
            "answered": True,
            "sent": datetime.now(UTC).isoformat(),
        }
        for obj in objects
    ]
    data = gzip.compress(json.dumps(writes).encode(), mtime=0)
    value = base64.b64encode(data).decode()
    change = [{"op": "replace", "path": "/data/writes.json.gz", "value": value}]
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
def test_what_others_made_and_changed_meanwhile_stays_and_is_named(
    server: RunningApiServer, cluster: Cluster
) -> None:
    cluster.create(config(THEIRS, "new"))
    more = [
        {"op": "add", "path": "/data/more", "value": "theirs"},
        {"op": "add", "path": "/metadata/labels", "value": {"owner": "somebody"}},
    ]
    cluster.change(SETTINGS, lambda _: more)
    done = recover(server)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "put back: reset configmap settings" in done.stdout
    assert "left alone, as the drill did not make it: configmap theirs" in done.stdout
    told = "configmap settings: data.more, metadata.labels.owner"
    assert f"left as it is, as the drill did not change it: {told}" in done.stdout
    settings = cluster.get(SETTINGS)
    assert settings["data"] == {"mode": "good", "more": "theirs"}
    assert settings["metadata"]["labels"] == {"owner": "somebody"}
    assert (cluster.find(THEIRS) is not None, cluster.find(LATER)) == (True, None)


@pytest.mark.usefixtures("system")
def test_a_field_that_somebody_else_has_changed_since_stays_as_they_left_it(
    cluster: Cluster,
) -> None:
    theirs = [{"op": "replace", "path": "/data/mode", "value": "best"}]
    cluster.change(SETTINGS, lambda _: theirs)
    done = put_back(cluster, NS) or []
    assert done == [
        "removed configmap later",
        "left as it is, as the drill did not change it: configmap settings: data.mode",
    ]
    assert mode(cluster) == "best"


def test_what_a_drill_removed_comes_again_unless_others_have_made_it_again(
    cluster: Cluster, system: SystemUnderTest
) -> None:
    drill = drilling(system)
    drill.delete(SETTINGS)
    assert "made configmap settings again" in (put_back(cluster, NS) or [])
    keep(Snapshot.take(system), "run/02")
    drill = drilling(system)
    drill.delete(SETTINGS)
    cluster.create(config(SETTINGS, "theirs"))
    put_back(cluster, NS)
    assert mode(cluster) == "theirs"


def test_an_object_that_others_made_under_the_name_of_one_of_the_drills_stays(
    cluster: Cluster, system: SystemUnderTest
) -> None:
    cluster.delete(LATER)
    cluster.create(config(LATER, "theirs"))
    done = put_back(cluster, NS) or []
    assert "left alone, as the drill did not make it: configmap later" in done
    assert cluster.get(LATER)["data"] == {"mode": "theirs"}
    assert not is_left(cluster, system.namespace)


def test_what_a_drill_was_about_to_write_when_it_was_killed_is_undone(
    cluster: Cluster, system: SystemUnderTest
) -> None:
    put_back(cluster, NS)
    keep(Snapshot.take(system), "run/02")
    footprint = Footprint(cluster=cluster, namespace=NS, save=partial(keep_writes, system))
    worse = [{"op": "replace", "path": "/data/mode", "value": "bad"}]
    with footprint.witness("PATCH", SETTINGS.path, ""):
        cluster.change(SETTINGS, lambda _: worse)
        kept = cluster.get(BEFORE)["data"]  # as it is when a kill comes here
    assert json.loads(gzip.decompress(base64.b64decode(kept["writes.json.gz"])))
    cluster.change(BEFORE, lambda _: [{"op": "replace", "path": "/data", "value": kept}])
    assert put_back(cluster, NS, force=True) == ["reset configmap settings"]
    assert mode(cluster) == "good"


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
    cluster.create(config(THEIRS, "new"))
    done = recover(server)
    assert done.returncode == 5
    assert "secret default/gameday-before is what a drill that died kept 3.0 h ago" in done.stderr
    assert "gameday recover --force" in done.stderr
    assert mode(cluster) == "bad"
    forced = recover(server, "--force")
    assert forced.returncode == 0, forced.stderr
    assert mode(cluster) == "good"
    assert "left alone, as the drill did not make it: configmap theirs" in forced.stdout
    assert cluster.find(THEIRS) is not None


ENDLESS = base64.b64encode(gzip.compress(b" " * LARGEST_BYTES + b"[]")).decode()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("objects.json.gz", "bm90IGd6aXA="),
        ("objects.json.gz", "H4sIAAAAAAAC/6uuBQBDv6ajAgAAAA=="),  # whole, of an empty object
        ("writes.json.gz", "bm90IGd6aXA="),
        ("writes.json.gz", "H4sIAAAAAAAC/6uuBQBDv6ajAgAAAA=="),
        pytest.param("writes.json.gz", ENDLESS, id="more than is read"),
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
    apply(server.kubeconfig, [namespace(SHOP)])
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
