"""The runner works with exactly the verbs of its Role, and says which one it lacks."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chaos.faults.injection import Tag
from chaos.kube import Cluster, ClusterError, Json, Ref
from chaos.plan.model import Experiment, Plan, PlanWatchdog
from chaos.run import rbac
from chaos.run.dry_run import dry_run_of, scene_of
from chaos.run.fault_lifecycle import FaultLifecycle, Task
from chaos.run.journal_writer import JournalWriter
from chaos.run.preflight import preflight
from slo.evidence.journal import read_journal
from tests.chaos.accounts import as_account, grant
from tests.chaos.cluster_fixture import NS, eventually, state, whole

pytestmark = pytest.mark.slow

EXPERIMENT = {"title": "t", "baseline": "1s", "duration": "1m", "recovery": "1m"}
PLAN = Plan.model_validate(
    {
        "name": "permitted",
        "target": {"namespace": NS, "workload": "web", "url": "http://127.0.0.1:9"},
        "prometheus": {"url": "http://127.0.0.1:9"},
        "load": {"scenario": "smoke"},
        "guardrails": {"all_pods_of": ["store"]},
        "experiments": [
            {
                **EXPERIMENT,
                "name": "store-gone",
                "fault": {
                    "kind": "scale-to-zero",
                    "workload": {"kind": "StatefulSet", "name": "store"},
                },
            },
            {
                **EXPERIMENT,
                "name": "memory",
                "fault": {
                    "kind": "oom",
                    "select": {"labels": {"app": "web"}, "count": 1},
                },
            },
            {
                **EXPERIMENT,
                "name": "release",
                "fault": {"kind": "bad-image", "workload": {"name": "web"}},
            },
        ],
    }
)


@pytest.fixture
def runner(cluster: Cluster, small_kubeconfig: Path, tmp_path: Path) -> Iterator[Cluster]:
    """The cluster as the runner's own account sees it."""
    grant(small_kubeconfig)
    yield as_account(small_kubeconfig, rbac.RUNNER, tmp_path)
    restore(cluster)


def permit(cluster: Cluster, rules: list[Json]) -> None:
    """Make these the rules of the runner's Role."""
    step = {"op": "replace", "path": "/rules", "value": rules}
    cluster.change(Ref.of("Role", NS, rbac.RUNNER), lambda _: [step])


def restore(cluster: Cluster) -> None:
    permit(cluster, rbac.rules(rbac.OF_RUNNER))


def test_a_game_day_needs_no_more_than_the_manifests_grant(
    cluster: Cluster, runner: Cluster, tmp_path: Path
) -> None:
    before = state(cluster)
    found = dry_run_of(PLAN, runner, "")
    assert (found.problems, found.denied) == ([], [])
    with (
        JournalWriter(tmp_path / "journal.jsonl") as journal,
        preflight(runner, NS, "permitted", PlanWatchdog(), print),
    ):
        for experiment in PLAN.experiments:
            told = drilled(runner, experiment, journal, tmp_path / "journal.jsonl")
            assert told >= {"fault.confirmed", "fault.reverted"}
            eventually(lambda: whole(cluster, "Deployment", "web"))
    assert state(cluster) == before


def drilled(
    runner: Cluster, experiment: Experiment, journal: JournalWriter, path: Path
) -> set[str]:
    """What the journal says of one experiment, done without load."""
    tag = Tag(
        id=experiment.name,
        run="permitted",
        experiment=experiment.name,
        kind=experiment.fault.kind,
        namespace=NS,
        expires=datetime.now(UTC) + timedelta(minutes=5),
    )
    task = Task(
        experiment=experiment.name,
        fault=experiment.fault,
        tag=tag,
        after=timedelta(0),
        lasts=experiment.duration,
    )
    scene = scene_of(PLAN, experiment, runner, "")
    drill = FaultLifecycle(task, scene, journal, print, lambda: datetime.now(UTC))

    def told() -> set[str]:
        own = [e for e in read_journal(path) if getattr(e, "experiment", "") == experiment.name]
        return {e.event for e in own}

    drill.start()
    eventually(lambda: told() & {"fault.confirmed", "fault.refused"}, 90)
    drill.end()
    eventually(lambda: drill.gone or drill.failure, 90)
    drill.close()
    return told()


def test_outside_of_its_namespace_the_runner_may_do_nothing(runner: Cluster) -> None:
    with pytest.raises(ClusterError) as caught:
        runner.pods("default", "app=web")
    assert caught.value.status == 403


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        (rbac.Permission("apps", "statefulsets", "patch"), "patch statefulsets.apps"),
        (rbac.Permission("", "pods/exec", "create"), "create pods/exec"),
        (
            rbac.Permission("coordination.k8s.io", "leases", "create"),
            "create leases.coordination.k8s.io",
        ),
    ],
    ids=str,
)
def test_a_missing_verb_is_named_by_the_dry_run_which_changes_nothing(
    cluster: Cluster, runner: Cluster, lacking: rbac.Permission, said: str
) -> None:
    before = state(cluster)
    permit(cluster, rbac.rules(rbac.OF_RUNNER - {lacking}))
    assert dry_run_of(PLAN, runner, "").denied == [f"not permitted in namespace {NS}: {said}"]
    assert state(cluster) == before
