"""A game day as a Job: started from outside, followed, told to end, and fetched."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from chaos.kube import Cluster, kind_of
from chaos.plan.model import PlanWatchdog
from chaos.run.in_cluster import MOST_BYTES, ClusterRun, InClusterError
from chaos.run.jobs import KEEPER, RUNNER, run_job
from tests.chaos.accounts import grant
from tests.chaos.cluster_fixture import NS, eventually, whole

GAMEDAY = str(Path(sys.executable).with_name("gameday"))
PLAN = """
name: inside
target: {namespace: shop, workload: speaker, service: speaker, port: 8000}
load: {scenario: ./everyday.yaml}
experiments:
  - name: pod-delete
    title: One pod is deleted
    fault: {kind: pod-kill, how: delete, select: {labels: {app: speaker}, count: 1}}
    baseline: 3s
    duration: LENGTH
    recovery: 5s
    expect: {severity: SEV1}
guardrails: {max_share_of_pods: 1.0}
"""
SCENARIO = """
name: everyday
requests: [{path: /}]
stages: [{rate: 20}]
request_timeout: 2s
max_in_flight: 20
"""
RUNBOOK = """
# Shop

| Metric | Target | Critical |
|---|---|---|
| Error Rate | < 1% | > 50% |
"""


@pytest.mark.parametrize("image", [PlanWatchdog(), PlanWatchdog(pull_secrets=("registry",))])
def test_the_level_restricted_admits_it(image: PlanWatchdog) -> None:
    pod = run_job("shop", "run-1", image, ["run", "x"], secrets=["tokens"])["spec"]["template"][
        "spec"
    ]
    assert pod["securityContext"]["runAsNonRoot"]
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    runner, keeper = pod["containers"]
    assert (runner["name"], keeper["name"]) == (RUNNER, KEEPER)
    assert runner["envFrom"] == [{"secretRef": {"name": "tokens"}}]
    assert runner["args"] == ["run", "x"]


def test_more_than_a_config_map_holds_is_refused_before_anything_is_made() -> None:
    job = ClusterRun(None, "shop", PlanWatchdog(), print)  # type: ignore[arg-type]
    with (
        pytest.raises(InClusterError, match=r"1\.0 MiB, and a ConfigMap holds one"),
        job.started(b"x" * MOST_BYTES, ["run"]),
    ):
        pass


@pytest.fixture
def home(tmp_path: Path, small_kubeconfig: Path, cluster: Cluster) -> Path:
    """A folder with what a run needs but the plan, and a service that answers."""
    grant(small_kubeconfig)
    eventually(lambda: whole(cluster, "Deployment", "speaker"), 60)
    (tmp_path / "runbook.md").write_text(RUNBOOK)
    (tmp_path / "everyday.yaml").write_text(SCENARIO)
    return tmp_path


def command(home: Path, kubeconfig: Path, length: str) -> list[str]:
    (home / "plan.yaml").write_text(PLAN.replace("LENGTH", length))
    files = ["plan.yaml", "--runbook", "runbook.md"]
    return [GAMEDAY, "run", *files, "--in-cluster", "--kubeconfig", str(kubeconfig)]


def nothing_is_left(cluster: Cluster) -> bool:
    kinds = ("Job", "ConfigMap", "Lease")
    names = [o["metadata"]["name"] for k in kinds for o in cluster.objects(kind_of(k), NS)]
    return not any(name.startswith("gameday") for name in names)


@pytest.mark.slow
def test_the_verdict_of_a_run_in_the_cluster_comes_home(
    cluster: Cluster, small_kubeconfig: Path, home: Path
) -> None:
    done = subprocess.run(
        command(home, small_kubeconfig, "4s"),
        cwd=home, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "effect confirmed" in done.stdout
    assert (home / "runs/latest/verdict.json").is_file()
    assert "fetched: runs/" in done.stdout
    journal = (home / "runs/latest/journal.jsonl").read_text()
    assert '"watchdog_image":"local://gameday/gameday:' in journal
    eventually(lambda: nothing_is_left(cluster))


@pytest.mark.slow
def test_an_interrupt_is_passed_on_and_the_run_undoes_what_it_did(
    cluster: Cluster, small_kubeconfig: Path, home: Path
) -> None:
    running = subprocess.Popen(
        command(home, small_kubeconfig, "10m"), cwd=home, stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    said = []
    for line in running.stdout:
        said.append(line)
        if "effect confirmed" in line:
            running.send_signal(2)
            break
    rest = running.communicate(timeout=120)[0]
    assert running.returncode == 130, "".join(said) + rest
    assert "asked the run in the cluster to end" in rest
    assert '"event":"run.ended"' in (home / "runs/latest/journal.jsonl").read_text()
    eventually(lambda: nothing_is_left(cluster))


@pytest.mark.slow
def test_an_image_that_is_not_there_is_told_and_nothing_stays(cluster: Cluster) -> None:
    image = PlanWatchdog(image="gameday.invalid/none:1", starts_within=timedelta(seconds=5))
    job = ClusterRun(cluster, NS, image, print)
    with (
        pytest.raises(InClusterError, match=r"does not start .*(ErrImagePull|BackOff)"),
        job.started(b"x", ["run"]),
    ):
        job.follow(print)
    eventually(lambda: nothing_is_left(cluster))
