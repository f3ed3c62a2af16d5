"""Faults that do nothing: none is ever called confirmed, whatever keeps its effect away."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from chaos.kube import Cluster, Json, Output, Patience
from chaos.run import rbac
from service.cluster import embedded
from tests.chaos.accounts import apply, as_account
from tests.chaos.cluster_fixture import NS, make, shop, state
from tests.chaos.faults.test_faults import ANYWAY, EXAMPLES, FAULT, await_calm, drill, example

pytestmark = pytest.mark.slow

ONLOOKER = "onlooker"
OF_EVERYBODY = {"control-plane-hiccup"}  # its target is the namespace itself
OF_FAULTS = ("GAMEDAY_FAULT", "oom_score_adj")  # words of their commands, not of witnesses


class Sham(Cluster):
    """Every change is a dry run, and no command of a fault is run: all seems to go well."""

    def patient(self, patience: Patience) -> Cluster:
        return Sham(self._api, patience, self.retried)

    def _send(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> bytes:
        if method != "GET":
            query = {**(query or {}), "dryRun": "All"}
        return super()._send(method, path, doing, query=query, body=body)

    def execute(
        self,
        pod_name: str,
        namespace: str,
        container: str,
        command: Sequence[str],
        within_s: float = 10.0,
    ) -> Output:
        if any(word in part for word in OF_FAULTS for part in command):
            return Output("", 0)
        return super().execute(pod_name, namespace, container, command, within_s)


@pytest.fixture(scope="module")
def small_kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cluster of their own: what did nothing here must not weigh on other tests."""
    directory = tmp_path_factory.mktemp("shams") / "cluster"
    try:
        yield embedded.up(deploy_service=False, directory=directory).kubeconfig
    finally:
        embedded.down(directory)


@pytest.fixture(scope="module")
def cluster(small_kubeconfig: Path) -> Cluster:
    found = Cluster.connect(str(small_kubeconfig))
    make(found, *shop())
    return found


@pytest.fixture(scope="module")
def sham(cluster: Cluster, small_kubeconfig: Path) -> Cluster:
    await_calm(cluster)
    return Sham.connect(str(small_kubeconfig))


@pytest.fixture(scope="module")
def onlooker(
    cluster: Cluster, small_kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> Cluster:
    """Who may look at everything and change nothing."""
    looks = [p for p in rbac.OF_RUNNER if p.verb in {"get", "list"}]
    rules = [{"apiGroups": [p.group], "resources": [p.resource], "verbs": [p.verb]} for p in looks]
    nodes = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list"]}]
    account = {"kind": "ServiceAccount", "name": ONLOOKER, "namespace": NS}
    manifests = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _named()},
        *_granted("", rules, account),
        *_granted("Cluster", nodes, account),
    ]
    apply(small_kubeconfig, manifests)
    await_calm(cluster)
    return as_account(small_kubeconfig, ONLOOKER, tmp_path_factory.mktemp(ONLOOKER))


def _named() -> Json:
    return {"name": ONLOOKER, "namespace": NS}


def _granted(reach: str, rules: list[Json], account: Json) -> list[Json]:
    head = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": _named()}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": f"{reach}Role", "name": ONLOOKER}
    return [
        {**head, "kind": f"{reach}Role", "rules": rules},
        {**head, "kind": f"{reach}RoleBinding", "roleRef": role, "subjects": [account]},
    ]


@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_a_fault_that_does_nothing_is_never_confirmed(
    cluster: Cluster, sham: Cluster, tmp_path: Path, kind: str
) -> None:
    before = state(cluster)
    told = drill(sham, example(kind), tmp_path, *ANYWAY, lasts_s=2, sham=True)
    events = [e.event for e in told]
    assert "fault.confirmed" not in events, told
    assert {*events} & {"fault.unconfirmed", "fault.refused"}, told
    assert state(cluster) == before


@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_a_fault_that_the_account_may_not_do_is_refused(
    cluster: Cluster, onlooker: Cluster, tmp_path: Path, kind: str
) -> None:
    before = state(cluster)
    told = drill(onlooker, example(kind), tmp_path, *ANYWAY, lasts_s=2, sham=True)
    assert "fault.confirmed" not in {e.event for e in told}, told
    refused = [e for e in told if e.event == "fault.refused"]
    assert "forbidden" in str(refused), told
    assert state(cluster) == before


@pytest.mark.parametrize("kind", sorted(set(EXAMPLES) - OF_EVERYBODY))
def test_a_fault_whose_target_is_not_there_is_refused(
    cluster: Cluster, tmp_path: Path, kind: str
) -> None:
    text = json.dumps({"kind": kind, **EXAMPLES[kind]})
    for name in ("web", "cache", "store", "reader", "speaker", "index"):
        text = text.replace(f'"{name}"', '"nobody"')
    before = state(cluster)
    told = drill(cluster, FAULT.validate_json(text), tmp_path, *ANYWAY, lasts_s=2)
    assert [e.event for e in told] == ["fault.refused"], told
    assert "nobody" in str(told[0]), told
    assert state(cluster) == before
