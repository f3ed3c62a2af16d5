"""Requests whose answer is lost, or that fail for a while, do what they were meant to do, once."""

from collections.abc import Iterator
from typing import Any

import pytest

from chaos.faults.changes import Create, Edit, Set
from chaos.faults.injection import inject
from chaos.kube import Cluster, ClusterError, Patience, Ref, kind_of
from chaos.undo.recover import recover
from tests.chaos.cluster_fixture import NS, make, state
from tests.chaos.run.test_preflight import tag

pytestmark = pytest.mark.slow

REF = Ref.of("Service", NS, "lossy")
QUICK = Patience(within_s=30, first_s=0.01, longest_s=0.05)


class Lossy(Cluster):
    """Every request that changes something is done, and its answer lost, the first time."""

    lost = 0

    def _send(self, method: str, path: str, doing: str, **named: Any) -> bytes:
        answer = super()._send(method, path, doing, **named)
        self.lost += 1
        if method != "GET" and self.lost % 2:
            raise ClusterError(f"cannot {doing}: no answer", passing=True)
        return answer


@pytest.fixture
def settings(cluster: Cluster) -> Iterator[None]:
    manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": REF.name, "namespace": NS},
        "spec": {"selector": {"mode": "good"}, "ports": [{"port": 80}]},
    }
    make(cluster, manifest)
    yield
    cluster.delete(REF)


def break_and_undo(cluster: Cluster) -> None:
    at = ("spec", "selector")
    edit = Edit(ref=REF, fields=(Set((*at, "mode"), ("bad",)), Set((*at, "new"), ("x",))))
    inject(cluster, edit, tag(), lambda *_: None)
    manifest = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": tag().name, "namespace": NS},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    }
    inject(cluster, Create(manifest=manifest), tag(), lambda *_: None)
    assert cluster.get(REF)["spec"]["selector"] == {"mode": "bad", "new": "x"}
    assert len(cluster.objects(kind_of("NetworkPolicy"), NS)) == 1
    found = recover(cluster, NS)
    assert found.stuck == []
    assert len(found.undone) == 2


@pytest.mark.usefixtures("settings")
def test_an_answer_that_is_lost_after_the_deed(cluster: Cluster, small_kubeconfig: object) -> None:
    before = state(cluster)
    lossy = Lossy.connect(str(small_kubeconfig), patience=QUICK)
    for _ in range(4):  # the losses fall on other requests each time
        break_and_undo(lossy)
        assert state(cluster) == before
        lossy.find(REF)
    assert isinstance(lossy, Lossy)
    assert lossy.lost > 0


@pytest.mark.usefixtures("settings")
def test_an_api_server_with_bad_moments(cluster: Cluster) -> None:
    """409, 429 and 500 for half of all requests."""
    before = state(cluster)
    patient = cluster.patient(QUICK)
    hiccup = {
        "apiVersion": "gameday.dev/v1",
        "kind": "Hiccup",
        "metadata": {"name": "shaky", "namespace": NS},
        "spec": {
            "rates": {"409": 0.2, "429": 0.1, "500": 0.2},
            "seed": 1,
            "until": "2100-01-01T00:00:00Z",
        },
    }
    cluster.create(hiccup)
    for _ in range(5):
        break_and_undo(patient)
    cluster.delete(Ref.to(hiccup))
    assert {"409", "429", "500"} <= set(cluster.retried)
    assert state(cluster) == before
    assert cluster.get(REF)["spec"]["selector"] == {"mode": "good"}
