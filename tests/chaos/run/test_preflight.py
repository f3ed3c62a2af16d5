"""Around the faults: who may run, one at a time, how it is ended, and what a dead run leaves."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chaos.faults.changes import Create, Edit, Set
from chaos.faults.injection import InjectionError, Tag, inject
from chaos.kube import Cluster, Json, Patience, Ref, kind_of
from chaos.plan.model import PlanWatchdog
from chaos.run import rbac
from chaos.run.preflight import RefusedError, preflight
from chaos.undo import lease as leases
from chaos.undo.by_hand import by_hand
from chaos.undo.fields import put
from chaos.undo.lease import Held, LeaseError
from chaos.undo.leftovers import Stuck, leftovers
from chaos.undo.marks import EXPIRES, LABEL, UNDO, keys, marks
from chaos.undo.recover import recover
from chaos.undo.watchdog import Heartbeat
from tests.chaos.cluster_fixture import NS, eventually, make, namespace, state, whole

pytestmark = pytest.mark.slow

IMAGE = ("spec", "template", "spec", "containers", "name=main", "image")
WEB = Ref.of("Deployment", NS, "web")
SETTINGS = Ref.of("Service", NS, "settings")


@pytest.fixture
def settings(cluster: Cluster) -> Iterator[Ref]:
    """A Service whose selector is to be changed, as it should be again afterwards."""
    manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": SETTINGS.name, "namespace": NS},
        "spec": {"selector": {"mode": "good", "other": "x"}, "ports": [{"port": 80}]},
    }
    make(cluster, manifest)
    yield SETTINGS
    cluster.delete(SETTINGS)


def tag(
    fault: str = "f1", run: str = "dead", minutes: float = 5, kind: str = "network-degrade"
) -> Tag:
    expires = datetime.now(UTC) + timedelta(minutes=minutes)
    return Tag(id=fault, run=run, experiment="e", kind=kind, namespace=NS, expires=expires)


def spoil(cluster: Cluster, ref: Ref, key: str = "mode", mark: Tag | None = None) -> None:
    edit = Edit(ref=ref, fields=(Set(("spec", "selector", key), ("bad",)),))
    inject(cluster, edit, mark or tag(), lambda *_: None)


def data(cluster: Cluster, ref: Ref) -> Json:
    found: Json = cluster.get(ref)["spec"]["selector"]
    return found


def test_what_a_dead_run_changed_and_made_is_undone_once(cluster: Cluster, settings: Ref) -> None:
    before = state(cluster)
    spoil(cluster, settings)
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": tag().name, "namespace": NS},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    }
    inject(cluster, Create(manifest=policy), tag(), lambda *_: None)
    inject(cluster, Create(manifest=policy), tag(), lambda *_: None)  # as after a lost answer
    assert state(cluster) != before
    assert len(recover(cluster, NS).undone) == 2
    assert state(cluster) == before
    assert recover(cluster, NS).undone == []


def test_what_somebody_else_changed_meanwhile_is_theirs(cluster: Cluster, settings: Ref) -> None:
    spoil(cluster, settings)
    theirs = [{"op": "replace", "path": "/spec/selector/mode", "value": "theirs"}]
    cluster.change(settings, lambda _: theirs)
    (undone,) = recover(cluster, NS).undone
    (note,) = undone.notes
    assert 'spec.selector.mode was changed by somebody else to "theirs"' in note
    assert 'before the fault it was "good"' in note
    found = cluster.get(settings)
    assert found["spec"]["selector"] == {"mode": "theirs", "other": "x"}
    assert not {k for k in found["metadata"].get("annotations", {}) if "gameday" in k}


def test_overlapping_faults_are_undone_apart_and_never_share_a_field(
    cluster: Cluster, settings: Ref
) -> None:
    spoil(cluster, settings, "mode", tag("f1"))
    spoil(cluster, settings, "other", tag("f2"))
    with pytest.raises(InjectionError, match="held by another fault already"):
        inject(
            cluster,
            Edit(ref=settings, fields=(Set(("spec", "selector", "mode"), ("worse",)),)),
            tag("f3"),
            lambda *_: None,
        )
    assert len(recover(cluster, NS).undone) == 2
    assert data(cluster, settings) == {"mode": "good", "other": "x"}
    assert LABEL not in cluster.get(settings)["metadata"].get("labels", {})


def test_nothing_is_changed_where_nobody_would_look_for_the_mark(cluster: Cluster) -> None:
    other = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "other", "namespace": NS},
        "data": {"mode": "good"},
    }
    before = state(cluster)
    edit = Edit(ref=Ref.of("ConfigMap", NS, "kube-root-ca.crt"), fields=())
    for change in (Create(manifest=other), edit):
        with pytest.raises(InjectionError, match="of a kind on which nobody looks for marks"):
            inject(cluster, change, tag(), lambda *_: None)
    assert state(cluster) == before


def test_damaged_undo_data_is_stuck_and_says_what_to_look_at(
    cluster: Cluster, settings: Ref
) -> None:
    spoil(cluster, settings)
    path = f"/metadata/annotations/{(UNDO + 'f1').replace('/', '~1')}"
    cluster.change(settings, lambda _: [{"op": "replace", "path": path, "value": "{}"}])
    (stuck,) = recover(cluster, NS).stuck
    assert isinstance(stuck, Stuck)
    assert "service shop/settings" in str(stuck)
    assert "kubectl -n shop get service/settings -o yaml" in stuck.command


def test_a_fault_whose_mark_a_rollback_took_off_is_undone_all_the_same(
    cluster: Cluster, small_kubeconfig: Path
) -> None:
    """`kubectl rollout undo` puts back the template and loses the mark; the replicas stay few."""
    eventually(lambda: whole(cluster, "Deployment", "web"))
    recover(cluster, NS)
    before = state(cluster)
    image = Edit(ref=WEB, fields=(Set(IMAGE, ("busybox:2",)),))
    inject(cluster, image, tag(kind="bad-image"), lambda *_: None)
    fewer = Edit(ref=WEB, fields=(Set(("spec", "replicas"), (1,)),))
    inject(cluster, fewer, tag("f2", kind="scale-to-zero"), lambda *_: None)
    eventually(lambda: whole(cluster, "Deployment", "web"))
    kubectl = [str(Path(sys.executable).parent / "kubectl"), "-n", NS, "rollout", "undo"]
    env = {**os.environ, "KUBECONFIG": str(small_kubeconfig)}
    subprocess.run([*kubectl, "deployment/web"], env=env, check=True, timeout=60)
    assert marks(cluster.get(WEB)) == ()
    with Held(cluster, NS, "dead"):
        assert {str(f.ref) for f in recover(cluster, NS).live} == {"deployment shop/web"}
    said = "; ".join(undone.said for undone in recover(cluster, NS).undone)
    assert "its mark is gone already, spec.replicas is 3 again" in said
    assert 'image is "busybox:1" already' in said
    assert state(cluster) == before
    assert recover(cluster, NS).undone == []
    eventually(lambda: whole(cluster, "Deployment", "web"))


def test_a_copy_that_outlived_its_undoing_changes_nothing(cluster: Cluster) -> None:
    """As after a kill between the undoing and the cleaning; one pod is what somebody wants now."""
    eventually(lambda: whole(cluster, "Deployment", "web"))
    edit = Edit(ref=WEB, fields=(Set(("spec", "replicas"), (1,)),))
    inject(cluster, edit, tag(kind="scale-to-zero"), lambda *_: None)
    eventually(lambda: copied(cluster))
    paths = [("metadata", "annotations", key) for key in keys("f1")]
    unmark = [("metadata", "labels", LABEL), *paths]
    cluster.change(WEB, lambda obj: [step for path in unmark for step in put(obj, path, ())])
    eventually(lambda: whole(cluster, "Deployment", "web"))
    recover(cluster, NS)
    assert cluster.get(WEB)["spec"]["replicas"] == 1
    assert not copied(cluster)
    three = [{"op": "replace", "path": "/spec/replicas", "value": 3}]
    cluster.change(WEB, lambda _: three)
    eventually(lambda: whole(cluster, "Deployment", "web"))


def copied(cluster: Cluster) -> bool:
    """Is a mark on any ReplicaSet?"""
    return any(marks(obj) for obj in cluster.objects(kind_of("ReplicaSet"), NS))


def test_undo_data_that_somebody_took_off_is_no_all_clear(
    cluster: Cluster, small_kubeconfig: Path, settings: Ref
) -> None:
    spoil(cluster, settings)
    cluster.change(settings, lambda _: [{"op": "remove", "path": "/metadata/annotations"}])
    with Held(cluster, NS, "dead"):  # whose runner would remember
        assert len(recover(cluster, NS).live) == 1
    command = [str(Path(sys.executable).parent / "gameday"), "recover", "--namespace", NS]
    done = subprocess.run(
        [*command, "--kubeconfig", str(small_kubeconfig)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 5, done.stdout
    assert "an unknown fault on service shop/settings: somebody took its undo data" in done.stderr
    assert "kubectl -n shop label service/settings gameday.dev/fault-" in done.stderr
    assert data(cluster, settings) == {"mode": "bad", "other": "x"}


def test_the_command_for_people_puts_everything_back(
    cluster: Cluster, small_kubeconfig: Path, settings: Ref
) -> None:
    """The last resort is tried as well: what is printed is typed into a shell."""
    before = state(cluster)
    spoil(cluster, settings)
    grace = ("spec", "template", "spec", "terminationGracePeriodSeconds")
    edit = Edit(ref=WEB, fields=(Set(IMAGE, ("gameday.invalid/x:1",)), Set(grace, (2,))))
    inject(cluster, edit, tag(kind="bad-image"), lambda *_: None)
    found, _ = leftovers(cluster, NS)
    assert len(found) == 2
    kubectl = Path(sys.executable).parent
    env = {
        **os.environ,
        "KUBECONFIG": str(small_kubeconfig),
        "PATH": f"{kubectl}:{os.environ['PATH']}",
    }
    for leftover in found:
        subprocess.run(
            ["sh", "-c", by_hand(leftover.ref, leftover.found.mark)],
            env=env,
            check=True,
            timeout=60,
        )
    assert state(cluster) == before


def test_an_expired_fault_is_undone_though_its_run_lives(cluster: Cluster, settings: Ref) -> None:
    with Held(cluster, NS, "living"):
        spoil(cluster, settings, mark=tag(run="living"))
        assert [str(f.ref) for f in recover(cluster, NS).live] == ["service shop/settings"]
        path = f"/metadata/annotations/{(EXPIRES + 'f1').replace('/', '~1')}"
        cluster.change(settings, lambda _: [{"op": "replace", "path": path, "value": "whenever"}])
        assert len(recover(cluster, NS).undone) == 1


def test_one_game_day_a_namespace(cluster: Cluster) -> None:
    with Held(cluster, NS, "first") as first:
        with pytest.raises(LeaseError, match=r"another game day runs in namespace shop \(first\)"):
            Held(cluster, NS, "second").__enter__()
        with pytest.raises(LeaseError, match="is first, not other"):
            leases.ask_to_end(cluster, NS, "other", "no")
        assert first.ended == ""
        assert leases.ask_to_end(cluster, NS, "first", "asked by a test") == "first"
        eventually(lambda: first.ended)
        assert first.ended == "gameday abort: asked by a test"
    assert cluster.find(leases.ref(NS)) is None
    with pytest.raises(LeaseError, match="no game day runs"):
        leases.ask_to_end(cluster, NS, "", "nobody")


def test_of_many_at_once_one_gets_the_lease(cluster: Cluster) -> None:
    """Also where they all find the expired Lease of a dead run."""
    long_ago = "2020-01-01T00:00:00.000000Z"
    make(
        cluster,
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": leases.NAME, "namespace": NS},
            "spec": {"holderIdentity": "dead", "leaseDurationSeconds": 10, "renewTime": long_ago},
        },
    )
    got: list[str] = []
    done = threading.Event()

    def attempt(name: str) -> None:
        try:
            with Held(cluster, NS, name):
                got.append(name)
                done.wait(60)
        except LeaseError:
            return

    threads = [threading.Thread(target=attempt, args=(f"run-{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    eventually(lambda: sum(not t.is_alive() for t in threads) == 7)
    done.set()
    for thread in threads:
        thread.join(60)
    assert len(got) == 1


def test_a_lease_taken_by_another_is_noticed_and_left_alone(cluster: Cluster) -> None:
    with Held(cluster, NS, "first") as first:
        theirs = [{"op": "replace", "path": "/spec/holderIdentity", "value": "other"}]
        cluster.change(leases.ref(NS), lambda _: theirs)
        eventually(lambda: first.ended)
        assert "lost the Lease to other" in first.ended
    assert leases.holder(cluster.find(leases.ref(NS))) == "other"
    leases.remove(cluster, NS, "other")


def test_a_namespace_that_does_not_allow_it_is_not_touched(cluster: Cluster) -> None:
    other = namespace("private")
    del other["metadata"]["labels"]
    make(cluster, other)
    with (
        pytest.raises(RefusedError, match=r"label namespace private gameday\.dev/allowed=true"),
        preflight(cluster, "private", "r", PlanWatchdog(), print),
    ):
        pass
    assert cluster.objects(kind_of("Lease"), "private") == []


def test_without_a_running_watchdog_nothing_begins(cluster: Cluster) -> None:
    make(cluster, *rbac.manifests(NS))
    watchdog = PlanWatchdog(image="gameday.invalid/none:1", starts_within=timedelta(seconds=5))
    with (
        pytest.raises(RefusedError, match=r"the watchdog does not run .*(ErrImagePull|BackOff)"),
        preflight(cluster, NS, "r", watchdog, print),
    ):
        pass
    assert cluster.find(leases.ref(NS)) is None
    eventually(lambda: not cluster.objects(kind_of("Job"), NS))


SILENT_S = leases.LASTS.total_seconds()

RUNNER = """
import sys
from datetime import UTC, datetime, timedelta
from chaos.faults.changes import Edit, Set
from chaos.kube import Cluster, Ref
from chaos.undo.fields import put
from chaos.faults.injection import Tag, inject
from chaos.plan.model import PlanWatchdog
from chaos.run.preflight import preflight
cluster = Cluster.connect(sys.argv[1])
with preflight(cluster, "shop", "doomed", PlanWatchdog(), lambda text: None):
    expires = datetime.now(UTC) + timedelta(hours=1)
    tag = Tag(
        id="f9", run="doomed", experiment="e", kind="network-degrade", namespace="shop",
        expires=expires,
    )
    settings = Ref.of("Service", "shop", "settings")
    edit = Edit(ref=settings, fields=(Set(("spec", "selector", "mode"), ("bad",)),))
    inject(cluster, edit, tag, lambda *_: None)
    print("broken", flush=True)
    sys.stdin.read()
"""


@pytest.mark.usefixtures("settings")
def test_when_the_runner_is_killed_the_watchdog_undoes_it_and_goes(
    cluster: Cluster, small_kubeconfig: Path
) -> None:
    make(cluster, *rbac.manifests(NS))
    before = state(cluster)
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(small_kubeconfig)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert runner.stdout is not None
    assert runner.stdout.readline() == "broken\n"
    assert state(cluster) != before
    os.kill(runner.pid, signal.SIGKILL)
    runner.wait()
    eventually(lambda: state(cluster) == before)
    eventually(lambda: cluster.find(leases.ref(NS)) is None)
    succeeded = lambda: [  # noqa: E731
        j for j in cluster.objects(kind_of("Job"), NS) if j["status"].get("succeeded")
    ]
    eventually(succeeded)
    cluster.delete(Ref.of("Job", NS, "gameday-watchdog"))


def test_a_heartbeat_is_judged_by_our_own_clock() -> None:
    """Theirs may be off by hours."""
    now = [100.0]
    heart = Heartbeat(clock=lambda: now[0])
    beat = lambda n: {"spec": {"holderIdentity": "r", "renewTime": f"1999-01-01T00:00:0{n}Z"}}  # noqa: E731
    assert heart.alive(beat(1)) == "r"
    now[0] += SILENT_S - 1
    assert heart.alive(beat(1)) == "r"
    assert heart.alive(beat(2)) == "r"
    now[0] += SILENT_S - 1
    assert heart.alive(beat(2)) == "r"
    now[0] += 1
    assert heart.alive(beat(2)) == ""
    assert heart.alive(None) == ""


def test_a_watchdog_that_is_killed_goes_on_counting_where_it_was(tmp_path: Path) -> None:
    now = [100.0]
    memory = tmp_path / "heartbeat.json"
    beat = lambda n: {"spec": {"holderIdentity": "r", "renewTime": f"1999-01-01T00:00:0{n}Z"}}  # noqa: E731
    start = lambda: Heartbeat(memory, clock=lambda: now[0])  # noqa: E731
    assert start().alive(beat(1)) == "r"
    now[0] += SILENT_S - 1
    assert start().alive(beat(1)) == "r"
    now[0] += 1
    assert start().alive(beat(1)) == ""
    assert start().alive(beat(2)) == "r"  # it was renewed while nobody looked
    now[0] = 5.0  # a node that was started anew: its clock begins again
    restarted = start()
    assert restarted.alive(beat(2)) == "r"
    now[0] += SILENT_S
    assert restarted.alive(beat(2)) == ""
    memory.write_text("[")
    assert start().alive(beat(2)) == "r"


def test_a_request_is_tried_until_its_deadline_and_refusals_are_not() -> None:
    from chaos.kube import ClusterError

    now = [0.0]
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    patience = Patience(within_s=3, first_s=0.5, longest_s=1, clock=lambda: now[0], sleep=sleep)
    calls = []

    def fail(status: int, *, passing: bool) -> None:
        calls.append(status)
        raise ClusterError("no", status=status, passing=passing)

    with pytest.raises(ClusterError):
        patience.persist(lambda: fail(500, passing=True))
    assert pauses == [0.5, 1, 1]
    with pytest.raises(ClusterError):
        patience.persist(lambda: fail(403, passing=False))
    assert calls.count(403) == 1
