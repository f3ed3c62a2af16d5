"""Each fault on a real cluster: its effect is seen, and afterwards everything is as before."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from pydantic import TypeAdapter

from chaos.faults import FAULTS, AnyFault, NoTargetError, Scene, changes
from chaos.faults.injection import Tag, inject
from chaos.kube import Cluster, Json, Ref, kind_of
from chaos.run import rbac
from chaos.run.fault_lifecycle import FaultLifecycle, Task
from chaos.run.journal_writer import JournalWriter
from chaos.run.rbac import Permission
from chaos.undo import lease as leases
from chaos.undo.recover import Recovered, recover
from slo.evidence.journal import Entry, read_journal
from tests.chaos.accounts import Recording, as_account, grant
from tests.chaos.cluster_fixture import NS, eventually, make, namespace, state, whole
from tests.cluster.apiserver_fixture import running_apiserver

pytestmark = pytest.mark.slow

FAULT: TypeAdapter[AnyFault] = TypeAdapter(AnyFault)

WEB = {"labels": {"app": "web"}, "count": 1}
CACHE = {"kind": "redis", "from": {"app": "web"}, "to": "cache.shop.svc:6379"}
MOOD = {"kind": "answer", "path": "/", "contains": "ill"}

EXAMPLES = {
    "bad-image": {"workload": {"name": "web"}},
    "control-plane-hiccup": {"answers": {409: 10, 429: 10, 500: 10, "timeout": 1}},
    "cpu-stress": {"select": WEB, "rise": 5},
    "crash-release": {"workload": {"name": "web"}},
    "file-damage": {
        "path": "/data/index",
        "claim": "index",
        "select": {"labels": {"app": "reader"}, "count": 1},
    },
    "freeze": {
        "select": {"labels": {"app": "cache"}, "count": 1},
        "witnesses": [{**CACHE, "ends": ["hangs"]}],
    },
    "memory-pressure": {"select": WEB, "fill": 60},
    "network-cut": {"from": {"app": "web"}, "to": {"app": "cache"}, "witnesses": [CACHE]},
    "network-degrade": {
        "service": "cache",
        "latency": "100ms",
        "witnesses": [{**CACHE, "ends": [], "slower_than": "150ms"}],
    },
    "node-drain": {"of": {"app": "web"}},
    "oom": {"select": WEB},
    "pod-evict": {"select": WEB},
    "pod-kill": {"select": WEB},
    "scale-to-zero": {"workload": {"kind": "StatefulSet", "name": "store"}},
    "set-env": {"workload": {"name": "speaker"}, "env": {"MOOD": "ill"}, "witnesses": [MOOD]},
}
NEEDS_AN_OPERATOR = {"network-chaos"}  # Chaos Mesh, which acts on its objects
WHOLE = {"web": "Deployment", "store": "StatefulSet", "cache": "Deployment"} | {
    "reader": "Deployment",
    "speaker": "Deployment",
}

ANYWAY = ("store", "app=cache", "node-1")  # may lose all of their pods
PASSING = {"oom", "pod-evict", "pod-kill"}  # there is nothing to put back
LASTING = sorted(set(EXAMPLES) - PASSING)

SELDOM = {  # what a request made whose answer was lost is looked at
    Permission("gameday.dev", "hiccups", "get"),
    Permission("networking.k8s.io", "networkpolicies", "get"),
}
IN_OTHER_RUNS = {Permission("apps", "daemonsets", "get")}  # where the target is a DaemonSet
CHAOS_MESH = {
    Permission("chaos-mesh.org", "networkchaos", verb) for verb in ("create", "get", "delete")
}
PROMETHEUS = {Permission("", "services/proxy", "get")}
DEAD = {  # the Lease of a run that is over
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {"name": leases.NAME, "namespace": NS},
    "spec": {"holderIdentity": "r", "leaseDurationSeconds": 1, "renewTime": "2026-01-01T00:00:00Z"},
}


def test_every_fault_of_the_registry_has_an_example_here() -> None:
    assert set(EXAMPLES) | NEEDS_AN_OPERATOR == set(FAULTS)


@pytest.fixture
def calm(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, whole before and after."""
    await_calm(cluster)
    yield cluster
    await_calm(cluster)


def await_calm(cluster: Cluster) -> None:
    """Until all pods are ready, and measured where faults compare with it."""
    eventually(lambda: all(whole(cluster, kind, name) for name, kind in WHOLE.items()))
    web = cluster.pods(NS, "app=web")
    eventually(lambda: all(cluster.usage(NS, p.name, "main") for p in web))


def scene(cluster: Cluster, *anyway: str, url: str = "") -> Scene:
    return Scene(
        cluster=cluster,
        namespace=NS,
        workload="web",
        seed=Random(7),
        max_share=0.8,
        anyway=frozenset(anyway),
        url=url,
    )


def tag(kind: str, fault: str = "f1") -> Tag:
    expires = datetime.now(UTC) + timedelta(minutes=5)
    return Tag(id=fault, run="r", experiment="e", kind=kind, namespace=NS, expires=expires)


def drill(
    cluster: Cluster,
    fault: AnyFault,
    path: Path,
    *anyway: str,
    lasts_s: float = 60,
    sham: bool = False,
) -> tuple[Entry, ...]:
    """One whole drill, ended as soon as the effect was seen or refused.

    Of a sham nobody waits to see that it is gone: there was nothing to go.
    """
    task = Task(
        experiment="e",
        fault=fault,
        tag=tag(fault.kind),
        after=timedelta(0),
        lasts=timedelta(seconds=lasts_s),
    )
    with JournalWriter(path / "journal.jsonl") as journal:
        url = cluster.service_url(NS, "speaker", 8000)
        place = scene(cluster, *anyway, url=url)
        going = FaultLifecycle(task, place, journal, print, lambda: datetime.now(UTC))
        going.start()
        events = lambda: {e.event for e in read_journal(path / "journal.jsonl")}  # noqa: E731
        eventually(lambda: events() & {"fault.confirmed", "fault.refused"} or going.settled, 90)
        going.end()
        eventually(lambda: sham or going.gone or going.failure, 90)
        going.close(cut_short=sham)
    return read_journal(path / "journal.jsonl")


@dataclass(frozen=True, slots=True)
class Played:
    """One drill: what its journal tells, and the namespace before and after."""

    told: tuple[Entry, ...]
    before: dict[str, Json]
    after: dict[str, Json]


class Stage:
    """Plays each example once, by the runner's own account."""

    def __init__(self, cluster: Cluster, runner: Recording, directory: Path) -> None:
        self.cluster, self.runner, self._directory = cluster, runner, directory
        self._played: dict[str, Played] = {}

    def play(self, kind: str) -> Played:
        if kind not in self._played:
            await_calm(self.cluster)
            before = state(self.cluster)
            path = self._directory / kind
            path.mkdir()
            told = drill(self.runner, example(kind), path, *ANYWAY)
            self._played[kind] = Played(told, before, state(self.cluster))
            await_calm(self.cluster)
        return self._played[kind]


def example(kind: str) -> AnyFault:
    return FAULT.validate_python({"kind": kind, **EXAMPLES[kind]})


@pytest.fixture(scope="module")
def stage(
    cluster: Cluster, small_kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> Stage:
    grant(small_kubeconfig, "--nodes")
    directory = tmp_path_factory.mktemp("drills")
    return Stage(cluster, as_account(small_kubeconfig, rbac.RUNNER, directory), directory)


@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_its_effect_is_seen_and_nothing_of_it_is_left(stage: Stage, kind: str) -> None:
    """With the rights of `gameday rbac` and no others."""
    played = stage.play(kind)
    events = [e.event for e in played.told]
    assert events[:3] == ["fault.intended", "fault.injected", "fault.confirmed"], played.told
    assert events[-1] == "fault.reverted", played.told
    assert played.after == played.before


@pytest.fixture(scope="module")
def left_to_the_watchdog(
    stage: Stage, small_kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Recording, Recovered, dict[str, Json], dict[str, Json]]:
    """All that leaves something behind at once, undone by the watchdog's own account."""
    await_calm(stage.cluster)
    before = state(stage.cluster)
    place = scene(stage.runner, *ANYWAY)
    chosen = {kind: example(kind).select(place) for kind in LASTING}
    wanted = [
        (change, tag(kind, f"left-{kind}"))
        for kind in LASTING
        for change in example(kind).changes(place, chosen[kind], tag(kind, f"left-{kind}"))
        if not isinstance(change, changes.Await | changes.Delete | changes.Evict)
    ]
    # Its token while nothing hiccups: kubectl does not ask again.
    watchdog = as_account(small_kubeconfig, rbac.WATCHDOG, tmp_path_factory.mktemp("watchdog"))
    # First what is done in pods, as releases take these away.
    for change, own in sorted(wanted, key=lambda w: not isinstance(w[0], changes.Inside)):
        inject(stage.runner, change, own, lambda *_: None)
    make(stage.cluster, DEAD)
    found = recover(watchdog, NS)
    after = state(stage.cluster)
    await_calm(stage.cluster)
    return watchdog, found, before, after


def test_the_watchdog_can_undo_every_fault(
    left_to_the_watchdog: tuple[Recording, Recovered, dict[str, Json], dict[str, Json]],
) -> None:
    _, found, before, after = left_to_the_watchdog
    undone = {u.leftover.found.mark.kind for u in found.undone if u.leftover.found.mark}
    assert (found.stuck, found.unseen) == ([], [])
    assert undone == set(LASTING)
    assert after == before


def test_no_verb_is_granted_that_no_fault_needs(
    stage: Stage,
    left_to_the_watchdog: tuple[Recording, Recovered, dict[str, Json], dict[str, Json]],
) -> None:
    for kind in EXAMPLES:
        stage.play(kind)
    watchdog, *_ = left_to_the_watchdog
    recover(stage.runner, NS)  # as every run does before its first fault
    known = SELDOM | CHAOS_MESH | PROMETHEUS | IN_OTHER_RUNS | rbac.AROUND
    assert set() == rbac.OF_RUNNER - stage.runner.used - known
    assert set() == rbac.OF_WATCHDOG - watchdog.used - SELDOM - CHAOS_MESH
    assert set() == rbac.OF_NODES - (stage.runner.used & watchdog.used)


@pytest.mark.parametrize("kind", ["bad-image", "scale-to-zero"])
def test_a_target_that_is_not_there_is_refused_and_never_a_success(
    calm: Cluster, tmp_path: Path, kind: str
) -> None:
    fault = FAULT.validate_python({"kind": kind, "workload": {"name": "nobody"}})
    (told,) = drill(calm, fault, tmp_path)
    assert told.event == "fault.refused"
    assert "there is no deployment shop/nobody" in told.reason


def test_all_pods_of_a_workload_go_only_where_the_plan_says_so(
    calm: Cluster, tmp_path: Path
) -> None:
    fault = FAULT.validate_python({"kind": "scale-to-zero", "workload": {"name": "web"}})
    (told,) = drill(calm, fault, tmp_path)
    assert told.event == "fault.refused"
    assert "guardrails.all_pods_of: [web]" in told.reason


def test_an_object_that_nobody_acts_on_is_unconfirmed(calm: Cluster, tmp_path: Path) -> None:
    """Chaos Mesh's kind is known to the cluster, its controller is not there."""
    fault = FAULT.validate_python(
        {
            "kind": "network-chaos",
            "action": "partition",
            "from": {"app": "web"},
            "to": {"app": "cache"},
            "witnesses": [CACHE],
        }
    )
    before = state(calm)
    events = [e.event for e in drill(calm, fault, tmp_path, lasts_s=2)]
    assert "fault.confirmed" not in events
    assert set(events) & {"fault.unconfirmed", "fault.refused"}
    assert state(calm) == before


def test_an_api_server_without_the_switch_has_no_hiccups(tmp_path: Path) -> None:
    fault = FAULT.validate_python({"kind": "control-plane-hiccup", "answers": {500: 10}})
    with running_apiserver(tmp_path / "api") as server:
        other = Cluster.connect(str(server.kubeconfig))
        other.create(namespace())
        with pytest.raises(NoTargetError, match=r"no switch for hiccups .* nothing to inject"):
            fault.select(scene(other))


def test_a_switch_that_does_nothing_is_unconfirmed(calm: Cluster, tmp_path: Path) -> None:
    fault = FAULT.validate_python({"kind": "control-plane-hiccup", "answers": {500: 1e-9}})
    events = [e.event for e in drill(calm, fault, tmp_path, lasts_s=2)]
    assert "fault.unconfirmed" in events
    assert "fault.confirmed" not in events


def test_hiccups_end_by_themselves(calm: Cluster) -> None:
    """Nobody is left to take the object away, and it has expired."""
    kind = kind_of("Hiccup")
    until = datetime.now(UTC) + timedelta(seconds=2)
    hiccup = {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": "forgotten", "namespace": NS},
        "spec": {"rates": {"429": 0.5}, "until": until.isoformat()},
    }
    calm.create(hiccup)
    before = len(calm.retried)
    eventually(lambda: calm.workload(NS, "web") and len(calm.retried) > before)
    eventually(lambda: datetime.now(UTC) > until)
    before = len(calm.retried)
    for _ in range(20):
        calm.workload(NS, "web")
    assert len(calm.retried) == before
    calm.delete(Ref.to(hiccup))


def test_a_witness_that_sees_it_before_the_fault_shows_nothing(
    calm: Cluster, tmp_path: Path
) -> None:
    away = {**CACHE, "to": "cache.shop.svc:6380"}
    fault = FAULT.validate_python({"kind": "freeze", "select": WEB, "witnesses": [away]})
    (told,) = drill(calm, fault, tmp_path)
    assert told.event == "fault.refused"
    assert "seen before the fault" in told.reason


def test_a_budget_that_holds_a_pod_back_is_a_refusal(calm: Cluster, tmp_path: Path) -> None:
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web", "namespace": NS},
        "spec": {"minAvailable": 3, "selector": {"matchLabels": {"app": "web"}}},
    }
    made = calm.create(budget)
    fault = FAULT.validate_python({"kind": "pod-evict", "select": WEB})
    try:
        *_, told = drill(calm, fault, tmp_path)
    finally:
        calm.delete(Ref.to(made))
    assert told.event == "fault.refused"
    assert "disruption budget" in told.reason


def test_a_sham_fault_without_effect_is_unconfirmed(calm: Cluster, tmp_path: Path) -> None:
    """An image that can be pulled after all."""
    fault = FAULT.validate_python(
        {"kind": "bad-image", "workload": {"name": "web"}, "image": "busybox:2"}
    )
    before = state(calm)
    told = drill(calm, fault, tmp_path, lasts_s=3)
    events = [e.event for e in told]
    assert "fault.unconfirmed" in events
    assert "fault.confirmed" not in events
    assert state(calm) == before
    assert calm.get(Ref.of("Deployment", NS, "web"))["metadata"]["labels"] == {"app": "web"}
