"""Faults while others act on the same objects: what is undone, what is theirs, what is refused."""

import copy
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pydantic import TypeAdapter

from chaos.faults import AnyFault, NoTargetError, Scene
from chaos.faults.injection import Tag, inject
from chaos.kube import Cluster, Json, NotStartedError, Ref
from chaos.run import rbac
from chaos.run.fault_lifecycle import FaultLifecycle, Task
from chaos.run.journal_writer import JournalWriter
from chaos.undo.recover import recover
from slo.evidence.journal import Entry, read_journal
from tests.chaos.accounts import BIN, apply, as_account
from tests.chaos.cluster_fixture import NS, eventually, make, whole, workload

pytestmark = pytest.mark.slow

FAULT: TypeAdapter[AnyFault] = TypeAdapter(AnyFault)
WEB = {"labels": {"app": "web"}, "count": 1}
STORE = {"kind": "StatefulSet", "name": "store"}
CACHE = {"kind": "redis", "from": {"app": "web"}, "to": "cache.shop.svc:6379"}


def fault(kind: str, **fields: Any) -> AnyFault:
    return FAULT.validate_python({"kind": kind, **fields})


def scene(cluster: Cluster, name: str = "web") -> Scene:
    return Scene(
        cluster=cluster,
        namespace=NS,
        workload=name,
        seed=Random(7),
        max_share=1.0,
    )


def played(
    cluster: Cluster,
    wanted: AnyFault,
    path: Path,
    act: Callable[[], object] = lambda: None,
    *,
    back_within_s: float = 60,
) -> tuple[Entry, ...]:
    """One fault. `act` is what somebody else does once its effect was seen."""
    expires = datetime.now(UTC) + timedelta(minutes=5)
    tag = Tag(id="f1", run="r", experiment="e", kind=wanted.kind, namespace=NS, expires=expires)
    minute = timedelta(minutes=1)
    task = Task(experiment="e", fault=wanted, tag=tag, after=timedelta(0), lasts=minute)
    log = path / "journal.jsonl"
    with JournalWriter(log) as journal:
        going = FaultLifecycle(task, scene(cluster), journal, print, lambda: datetime.now(UTC))
        going.start()
        seen = lambda: {e.event for e in read_journal(log)}  # noqa: E731
        eventually(lambda: seen() & {"fault.confirmed", "fault.refused"}, 90)
        act()
        going.end()
        if back_within_s:
            eventually(lambda: going.gone, back_within_s)
        going.close()
    return read_journal(log)


def last(told: tuple[Entry, ...]) -> str:
    return told[-1].event


@pytest.fixture(autouse=True)
def calm(cluster: Cluster) -> Iterator[None]:
    """All that the fixture made is whole before and after."""
    names = {"web": "Deployment", "store": "StatefulSet", "cache": "Deployment"}
    eventually(lambda: all(whole(cluster, kind, name) for name, kind in names.items()))
    yield
    eventually(lambda: all(whole(cluster, kind, name) for name, kind in names.items()))


@pytest.fixture
def bare(cluster: Cluster) -> Iterator[str]:
    """A pod of nobody's, ready, with the labels of `web`."""
    template = workload("Deployment", "web")["spec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "bare", "namespace": NS, "labels": {"app": "web", "alone": "yes"}},
        "spec": copy.deepcopy(template["spec"]),
    }
    make(cluster, pod)
    eventually(lambda: any(p.ready for p in cluster.pods(NS, "alone=yes")))
    yield "bare"
    cluster.delete(Ref.of("Pod", NS, "bare"), grace_s=0)
    eventually(lambda: not cluster.pods(NS, "alone=yes"))


@pytest.fixture
def completed(cluster: Cluster) -> Iterator[None]:
    """A pod that has done its work, with the labels of `web`."""
    container = {"name": "main", "image": "busybox:1", "command": ["true"]}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "done", "namespace": NS, "labels": {"app": "web"}},
        "spec": {"restartPolicy": "Never", "containers": [container]},
    }
    make(cluster, pod)
    ref = Ref.of("Pod", NS, "done")
    eventually(lambda: (cluster.get(ref).get("status") or {}).get("phase") == "Succeeded")
    yield
    cluster.delete(ref, grace_s=0)


@pytest.mark.parametrize("kind", ["pod-kill", "pod-evict"])
def test_a_pod_that_nothing_would_make_anew_is_not_taken_away(
    cluster: Cluster, bare: str, kind: str
) -> None:
    alone = fault(kind, select={"labels": {"alone": "yes"}, "count": 1})
    with pytest.raises(NoTargetError, match="pod shop/bare belongs to no Deployment"):
        alone.select(scene(cluster))
    assert [p.name for p in cluster.pods(NS, "alone=yes")] == [bare]


def test_a_drain_leaves_bare_pods_what_has_ended_and_the_watchdog(
    cluster: Cluster, bare: str, completed: None
) -> None:
    del completed
    metadata = {"labels": {"app": "gameday-watchdog"}}
    container = {"name": "main", "image": "busybox:1", "command": ["sleep", "1000"]}
    spec = {"terminationGracePeriodSeconds": 0, "restartPolicy": "Never"}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "gameday-watchdog", "namespace": NS},
        "spec": {"template": {"metadata": metadata, "spec": {**spec, "containers": [container]}}},
    }
    make(cluster, job)
    eventually(lambda: any(p.ready for p in cluster.pods(NS, "app=gameday-watchdog")))
    node, *leaving = fault("node-drain", of={"app": "web"}).select(scene(cluster))
    cluster.delete(Ref.of("Job", NS, "gameday-watchdog"))
    eventually(lambda: not cluster.pods(NS, "app=gameday-watchdog"))
    assert node.kind == "Node"
    owners = {t.owner for t in leaving}
    assert {"Deployment/web", "StatefulSet/store", "Deployment/cache"} <= owners
    assert not {t.name for t in leaving} & {bare, "done"}
    assert "Job/gameday-watchdog" not in owners


def test_what_has_ended_with_the_same_labels_is_not_waited_for(
    cluster: Cluster, tmp_path: Path, completed: None
) -> None:
    del completed
    assert last(played(cluster, fault("pod-kill", select=WEB), tmp_path)) == "fault.reverted"


def test_whole_again_is_asked_of_the_workload_whose_pod_was_killed(cluster: Cluster) -> None:
    """And not of the one under test, which noticed nothing."""
    kill = fault("pod-kill", select={"labels": {"app": "store"}, "count": 1})
    targets = kill.select(scene(cluster))
    assert [t.owner for t in targets] == ["StatefulSet/store"]
    cluster.delete(Ref.of("Pod", NS, targets[0].name), grace_s=0)
    nobody = {"spec": {"nodeSelector": {"gameday.dev/no": "such-node"}}}
    with _template(cluster, "store", nobody):
        eventually(lambda: not any(p.ready for p in cluster.pods(NS, "app=store")))
        assert kill.undone(scene(cluster), targets) is None
    eventually(lambda: kill.undone(scene(cluster), targets))


class _template:  # noqa: N801 - reads like the function that it stands for
    """A StatefulSet whose pods cannot be placed meanwhile."""

    def __init__(self, cluster: Cluster, name: str, change: Json) -> None:
        self._cluster, self._ref = cluster, Ref.of("StatefulSet", NS, name)
        self._change = change["spec"]["nodeSelector"]

    def _set(self, operation: Json) -> None:
        at = "/spec/template/spec/nodeSelector"
        self._cluster.change(self._ref, lambda _: [{"path": at, **operation}])
        for pod in self._cluster.pods(NS, "app=store"):
            self._cluster.delete(Ref.of("Pod", NS, pod.name), grace_s=0)

    def __enter__(self) -> None:
        self._set({"op": "add", "value": self._change})

    def __exit__(self, *_: object) -> None:
        self._set({"op": "remove"})


@pytest.mark.parametrize("kind", ["bad-image", "pod-evict"])
def test_somebody_who_scales_down_meanwhile_leaves_nothing_undone(
    cluster: Cluster, tmp_path: Path, kind: str
) -> None:
    def scale(pods: int) -> None:
        ref = Ref.of("Deployment", NS, "web")
        operation = {"op": "replace", "path": "/spec/replicas", "value": pods}
        cluster.change(ref, lambda _: [operation])

    fields = {"workload": {"name": "web"}} if kind == "bad-image" else {"select": WEB}
    try:
        told = played(cluster, fault(kind, **fields), tmp_path, lambda: scale(2))
    finally:
        scale(3)
    assert last(told) == "fault.reverted", told


def test_a_rollout_takes_a_stress_with_it(cluster: Cluster, tmp_path: Path) -> None:
    def restart() -> None:
        at = "/spec/template/metadata/annotations"
        operation = {"op": "add", "path": at, "value": {"restarted": str(datetime.now(UTC))}}
        cluster.change(Ref.of("Deployment", NS, "web"), lambda _: [operation])
        eventually(lambda: whole(cluster, "Deployment", "web"))

    eventually(lambda: all(cluster.usage(NS, p.name, "main") for p in cluster.pods(NS, "app=web")))
    told = played(cluster, fault("cpu-stress", select=WEB, rise=5), tmp_path, restart)
    assert last(told) == "fault.reverted", told


def test_a_service_that_is_applied_meanwhile_leads_to_its_pods_again(
    cluster: Cluster, small_kubeconfig: Path, tmp_path: Path
) -> None:
    ports = [{"port": 6379, "name": "redis"}]
    plain = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "second", "namespace": NS},
        "spec": {"selector": {"app": "cache"}, "ports": ports},
    }
    apply(small_kubeconfig, [plain])
    slower = {**CACHE, "to": "second.shop.svc:6379", "ends": [], "slower_than": "150ms"}
    slow = fault("network-degrade", service="second", latency="100ms", witnesses=[slower])
    ref = Ref.of("Service", NS, "second")
    try:
        told = played(cluster, slow, tmp_path, lambda: apply(small_kubeconfig, [plain]))
        assert cluster.get(ref)["spec"]["selector"] == {"app": "cache"}
        assert last(told) == "fault.reverted", told
    finally:
        cluster.delete(ref)


@pytest.fixture
def denied(cluster: Cluster) -> Iterator[Callable[[Json], None]]:
    """Policies of the namespace, by what they select; taken away at the end."""
    made: list[Ref] = []

    def deny(selected: Json, **fields: Any) -> None:
        policy = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": f"deny-{len(made)}", "namespace": NS},
            "spec": {"podSelector": selected, "policyTypes": ["Ingress", "Egress"], **fields},
        }
        made.append(Ref.to(cluster.create(policy)))

    yield deny
    for ref in made:
        cluster.delete(ref)


SLOW = {**CACHE, "ends": [], "slower_than": "150ms"}


def test_where_all_is_denied_the_relay_is_slow_and_no_outage(
    cluster: Cluster, tmp_path: Path, denied: Callable[..., None]
) -> None:
    """Each workload lets the others of the namespace in and out, as such namespaces do."""
    denied({})
    everybody = [{"podSelector": {}}]
    for name in ("web", "cache"):
        allowed = {"ingress": [{"from": everybody}], "egress": [{"to": everybody}]}
        denied({"matchLabels": {"app": name}}, **allowed)
    slow = fault("network-degrade", service="cache", latency="100ms", witnesses=[SLOW])
    told = played(cluster, slow, tmp_path)
    assert last(told) == "fault.reverted", told
    assert not cluster.objects(Ref.of("NetworkPolicy", "", "").kind, NS, "gameday.dev/fault=true")


def test_variables_that_somebody_adds_meanwhile_stay_and_ours_go(cluster: Cluster) -> None:
    """`web` has no variables: the fault makes the list, and may take away only its own."""
    ref = Ref.of("Deployment", NS, "web")
    at = "/spec/template/spec/containers/0/env"
    never = {"kind": "answer", "path": "/", "status": "599"}

    def add() -> None:
        operation = {"op": "add", "path": f"{at}/-", "value": {"name": "THEIRS", "value": "1"}}
        cluster.change(ref, lambda _: [operation])

    def env() -> Json:
        container: Json = cluster.get(ref)["spec"]["template"]["spec"]["containers"][0]
        return container

    wanted = fault("set-env", workload={"name": "web"}, env={"A": "1", "B": "2"}, witnesses=[never])
    targets = (wanted.selected.target(scene(cluster), wanted.selected.read(scene(cluster))),)
    expires = datetime.now(UTC)
    tag = Tag(id="f2", run="r", experiment="e", kind="set-env", namespace=NS, expires=expires)

    for change in wanted.changes(scene(cluster), targets, tag):
        inject(cluster, change, tag, lambda *_: None)
    assert [v["name"] for v in env()["env"]] == ["A", "B"]
    add()
    assert recover(cluster, NS).stuck == []
    assert env()["env"] == [{"name": "THEIRS", "value": "1"}]
    cluster.change(ref, lambda _: [{"op": "remove", "path": at}])
    for change in wanted.changes(scene(cluster), targets, tag):
        inject(cluster, change, tag, lambda *_: None)
    assert recover(cluster, NS).stuck == []
    assert "env" not in env()


@pytest.mark.parametrize("kind", ["bad-image", "crash-release"])
def test_a_statefulset_gets_a_pod_that_starts_again(
    cluster: Cluster, tmp_path: Path, kind: str
) -> None:
    told = played(cluster, fault(kind, workload=STORE), tmp_path)
    assert last(told) == "fault.reverted", told
    assert whole(cluster, "StatefulSet", "store")


def test_a_program_that_the_container_does_not_have_never_ran(cluster: Cluster) -> None:
    pod = cluster.pods(NS, "app=web")[0]
    with pytest.raises(NotStartedError) as caught:
        cluster.execute(pod.name, NS, "main", ["no-such-program"])
    assert caught.value.missing


def test_a_command_that_was_never_let_in_leaves_no_mark(
    cluster: Cluster, small_kubeconfig: Path, tmp_path: Path
) -> None:
    """An account that may mark pods, and may not run anything in them."""
    command = [str(BIN / "gameday"), "rbac", NS]
    manifests = subprocess.check_output(command, text=True, timeout=60)
    env = {**os.environ, "KUBECONFIG": str(small_kubeconfig)}
    kubectl = [str(BIN / "kubectl"), "apply", "-f", "-"]
    subprocess.run(kubectl, env=env, input=manifests, text=True, check=True, capture_output=True)
    role = Ref.of("Role", NS, rbac.RUNNER)

    def without(found: Json) -> list[Json]:
        rules = [r for r in found["rules"] if "pods/exec" not in r["resources"]]
        return [{"op": "replace", "path": "/rules", "value": rules}]

    cluster.change(role, without)
    try:
        runner = as_account(small_kubeconfig, rbac.RUNNER, tmp_path)
        told = played(runner, fault("oom", select=WEB), tmp_path)
    finally:
        subprocess.run(
            kubectl, env=env, input=manifests, text=True, check=True, capture_output=True
        )
    assert last(told) == "fault.refused", told
    assert "403" in getattr(told[-1], "reason", "")
    assert all("gameday" not in json.dumps(p) for p in _labels(cluster))


def _labels(cluster: Cluster) -> list[Json]:
    found = cluster.objects(Ref.of("Pod", "", "").kind, NS, "app=web")
    return [p["metadata"].get("annotations") or {} for p in found]


def test_a_replacement_that_is_merely_slow_is_no_fault_that_is_left(
    cluster: Cluster, tmp_path: Path
) -> None:
    kill = fault("pod-kill", select={"labels": {"app": "cache"}, "count": 1})
    told = played(cluster, kill, tmp_path, back_within_s=0)
    assert last(told) in {"fault.not_whole", "fault.reverted"}
    if last(told) == "fault.not_whole":
        assert "Deployment/cache was not seen to be whole again" in getattr(told[-1], "reason", "")
