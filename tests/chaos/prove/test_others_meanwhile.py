"""Others at work in the namespace while a drill goes on: what is theirs stays, and is named."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from chaos.kube import Cluster, Json, Ref
from chaos.kube.operator_account import operator
from chaos.kube.system_under_test import SystemUnderTest
from chaos.prove.drills import Drill, Stage, sight
from chaos.prove.prover import Prover
from chaos.prove.shell.api_door import ApiDoor, api_door
from chaos.prove.shell.shell_session import ShellSession, find_programs
from chaos.undo.snapshot_store import is_left
from slo.runbook.reader import survey
from slo.verdict.proofs import Sight
from tests.chaos.prove.test_prover import NS, prover, system
from tests.parts import KUBECTL

__all__ = ["prover", "system"]

TEXT = """\
# Shop

## Debug Mode: on

```bash
kubectl create configmap of-step --from-literal=a=b -n default
kubectl patch configmap settings -n default -p '{"data":{"step":"was here"}}'
kubectl label configmap settings -n default step=was-here
kubectl delete configmap doomed -n default
kubectl get configmap settings -n default -o name
```
"""
NAMES = ("settings", "doomed", "of-step", "of-drill", "of-others")


def config(name: str, **data: str) -> Json:
    metadata = {"name": name, "namespace": NS}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def ref(name: str) -> Ref:
    return Ref.of("ConfigMap", NS, name)


@pytest.fixture
def cluster(system: SystemUnderTest) -> Iterator[Cluster]:
    """As somebody else sees it."""
    found = Cluster(system.cluster._api)
    found.create(config("settings", mode="good", theirs="old"))
    found.create(config("doomed", a="b"))
    yield found
    for name in NAMES:
        found.delete(ref(name))


@pytest.fixture
def door(cluster: Cluster, tmp_path: Path) -> Iterator[ApiDoor]:
    with (
        operator(cluster, NS) as token,
        api_door(cluster, token, tmp_path / "door.kubeconfig") as opened,
    ):
        yield opened


@pytest.fixture
def through_the_door(prover: Prover, door: ApiDoor, tmp_path: Path) -> Prover:
    def opened(folder: Path, mask: Callable[[str], str]) -> ShellSession:
        return ShellSession(
            home=folder,
            kubeconfig=tmp_path / "door.kubeconfig",
            port=door.port,
            api=door,
            programs=find_programs(KUBECTL),
            mask=mask,
        )

    return replace(prover, session=opened)


def test_only_what_the_drill_and_the_steps_wrote_is_undone(
    through_the_door: Prover, cluster: Cluster
) -> None:
    class Meddled(Drill):
        topic = "debug_mode"

        def fault(self, stage: Stage) -> None:
            change = [{"op": "replace", "path": "/data/mode", "value": "bad"}]
            stage.system.patch("ConfigMap", "settings", lambda _: change)
            stage.system.cluster.create(config("of-drill", a="b"))
            cluster.create(config("of-others", a="b"))
            theirs = [{"op": "replace", "path": "/data/theirs", "value": "new"}]
            cluster.change(ref("settings"), lambda _: theirs)

        def sights(self, stage: Stage) -> Sequence[Sight]:
            del stage
            return (sight("all", "well", holds=True, seen="well"),)

    through_the_door.own = (Meddled,)
    proof = through_the_door.prove(survey(TEXT, "shop.md").procedures[0])
    assert [(s.state.value, s.output) for s in proof.steps if s.state.value != "done"] == []
    told = proof.put_back.split(", ")
    assert "removed configmap of-step" in told
    assert "removed configmap of-drill" in told
    assert "reset configmap settings" in told
    assert "made configmap doomed again" in told
    assert "as the drill did not make it: configmap of-others" in proof.put_back
    assert "configmap settings: data.theirs" in proof.put_back
    settings = cluster.get(ref("settings"))
    assert settings["data"] == {"mode": "good", "theirs": "new"}
    assert not settings["metadata"].get("labels")
    there = {name: cluster.find(ref(name)) is not None for name in NAMES}
    assert there == dict.fromkeys(NAMES, True) | {"of-step": False, "of-drill": False}
    assert not is_left(cluster, NS)


@pytest.mark.parametrize(
    ("command", "because"),
    [
        ("get pods -n default --as=system:admin", "acts as somebody else"),
        ("delete secret gameday-before -n default", "changed by gameday alone"),
        ("apply -n default -f host.json", "mounts a folder of the node"),
        ("create -n default -f host.json", "mounts a folder of the node"),
        ("run p --image=x --privileged -n default", "has the node's rights"),
    ],
)
def test_the_door_refuses_what_leads_to_more_rights(
    through_the_door: Prover, tmp_path: Path, command: str, because: str
) -> None:
    session = through_the_door.session(tmp_path / "shell", lambda text: text)
    volumes = '[{"name": "h", "hostPath": {"path": "/"}}]'
    containers = '[{"name": "c", "image": "busybox:1"}]'
    spec = f'{{"volumes": {volumes}, "containers": {containers}}}'
    pod = f'{{"apiVersion": "v1", "kind": "Pod", "metadata": {{"name": "p"}}, "spec": {spec}}}'
    ran = session.run(f"echo '{pod}' > host.json\nkubectl {command}", limit_s=60)
    assert not ran.ok
    assert because in ran.output, ran.output


def test_the_door_passes_on_no_token_and_no_other_identity(door: ApiDoor) -> None:
    base = f"http://127.0.0.1:{door.port}/{door.secret}/api/v1/namespaces/{NS}"
    token = httpx.post(f"{base}/serviceaccounts/default/token", json={})
    assert (token.status_code, "no token" in token.text) == (403, True)
    other = httpx.get(f"{base}/pods", headers={"Impersonate-User": "system:admin"})
    assert (other.status_code, "acts as its own account" in other.text) == (403, True)
    assert httpx.get(f"{base}/pods").status_code == 200


def test_without_the_secret_the_door_stays_shut(through_the_door: Prover, door: ApiDoor) -> None:
    del through_the_door
    answer = httpx.get(f"http://127.0.0.1:{door.port}/api/v1/namespaces")
    assert answer.status_code == 403
    assert "for the steps of one runbook" in answer.text


def test_another_protocol_is_no_way_around_what_the_door_reads(
    door: ApiDoor, cluster: Cluster
) -> None:
    """A body that asks for an upgrade would be passed on unread, and its write unnoted."""
    answer = httpx.post(
        f"http://127.0.0.1:{door.port}/{door.secret}/api/v1/namespaces/{NS}/configmaps",
        headers={"Upgrade": "websocket"},
        json=config("unseen", a="b"),
    )
    assert (answer.status_code, "in another protocol" in answer.text) == (403, True)
    assert cluster.find(ref("unseen")) is None
