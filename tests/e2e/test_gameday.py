"""Whole game days on the embedded cluster, as a user runs them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from service.cluster import embedded
from service.cluster.kube import DEPLOYMENTS, PODS, Kube
from tests.e2e.conftest import Command, eventually

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def kube(cluster_directory: Path) -> Kube:
    """The module's cluster, up."""
    return Kube.connect(str(embedded.up(directory=cluster_directory).kubeconfig))


def journal_has(run_dir: Path, event: str) -> bool:
    path = run_dir / "journal.jsonl"
    return path.exists() and f'"{event}"' in path.read_text()


def processes_of(directory: Path) -> list[int]:
    """Every process whose command line or log speaks of the directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes()
        except OSError:
            continue
        pid = int(path.name)
        if str(directory).encode() in words and pid != os.getpid():
            found.append(pid)
    return found


@pytest.mark.alone
@pytest.mark.usefixtures("kube")
def test_a_service_that_survives_passes_and_leaves_all_its_evidence(gameday: Command) -> None:
    done = gameday("run", str(gameday.write_plan()), "--embedded")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Pass" in done.stdout
    run = gameday.latest
    names = {p.name for p in run.iterdir()}
    assert names == {
        "plan.yaml",
        "runbook.md",
        "policy.yaml",
        "system.yaml",
        "journal.jsonl",
        "samples.parquet",
        "metrics.parquet",
        "events.jsonl",
        "verdict.json",
        "report.html",
        "junit.xml",
        "summary.md",
    }
    verdict = json.loads((run / "verdict.json").read_text())
    assert verdict["outcome"] == "pass"
    (experiment,) = verdict["experiments"]
    effect = next(c for c in experiment["checks"] if c["name"] == "effect")
    assert effect["outcome"] == "pass"
    assert "is gone" in effect["evidence"]
    judged = [o for o in verdict["objectives"] if o["judged"]]
    assert {o["objective"]["name"] for o in judged} == {
        "response_time_p95",
        "error_rate",
        "cpu_utilization",
        "memory_usage",
        "pod_availability",
        "faiss_query_time",
    }
    assert all(o["indicator"]["count"] > 0 for o in judged)
    suites = ElementTree.parse(run / "junit.xml").getroot()
    assert suites.get("failures") == suites.get("errors") == "0"
    # Scoring and rendering again, from the directory alone, gives the same bytes.
    before = {p.name: p.read_bytes() for p in run.iterdir()}
    assert gameday("score", "runs/latest").returncode == 0
    assert gameday("report", "runs/latest").returncode == 0
    assert {p.name: p.read_bytes() for p in run.iterdir()} == before
    assert gameday("gate", "runs/latest").returncode == 0


@pytest.mark.usefixtures("kube")
def test_a_promise_that_cannot_be_kept_fails(gameday: Command) -> None:
    override = "objectives: {response_time_p95: {target: 0.5ms, critical: 1ms}, "
    plan = gameday.write_plan("objectives: {", override)
    done = gameday("run", str(plan), "--embedded", "--json")
    assert done.returncode == 1, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert (said["outcome"], said["exit_code"]) == ("fail", 1)
    assert gameday("gate", "runs/latest").returncode == 1


def test_with_prometheus_stopped_halfway_it_says_inconclusive(gameday: Command, kube: Kube) -> None:
    run = gameday.start("run", str(gameday.write_plan()), "--embedded")
    try:
        eventually(lambda: journal_has(gameday.latest, "fault.injected"))
        stopped = {"spec": {"replicas": 0}}
        kube.patch(DEPLOYMENTS, "prometheus", stopped, "bizra-system")
        said, _ = run.communicate(timeout=120)
    finally:
        run.kill()
        kube.patch(DEPLOYMENTS, "prometheus", {"spec": {"replicas": 1}}, "bizra-system")
    assert run.returncode == 3, said
    verdict = json.loads((gameday.latest / "verdict.json").read_text())
    assert verdict["outcome"] == "inconclusive"
    missing = [o for o in verdict["objectives"] if o["indicator"]["missing"]]
    assert missing
    assert all(o["outcome"] == "inconclusive" for o in missing)


@pytest.mark.usefixtures("kube")
def test_a_selector_that_matches_nothing_is_inconclusive_never_a_pass(gameday: Command) -> None:
    path = gameday.write_plan("labels: {app: bizra-api}", "labels: {app: nobody}")
    text = path.read_text().replace("10s", "6s").replace("9s", "5s")
    path.write_text(text)
    done = gameday("run", str(path), "--embedded")
    assert done.returncode == 3, done.stdout + done.stderr
    assert journal_has(gameday.latest, "fault.refused")
    assert not journal_has(gameday.latest, "fault.injected")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "TERM"]
)
def test_a_signal_halfway_leaves_nothing_running(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    gameday = Command(tmp_path, tmp_path / "own-cluster")
    run = gameday.start("run", str(gameday.write_plan()), "--embedded")
    try:
        eventually(lambda: journal_has(gameday.latest, "fault.injected"), 120)
        run.send_signal(number)
        said, _ = run.communicate(timeout=60)
    finally:
        run.kill()
    assert run.returncode == code, said
    assert "Traceback" not in said
    assert journal_has(gameday.latest, "run.ended")
    verdict = json.loads((gameday.latest / "verdict.json").read_text())
    assert verdict["ended_by"] == "interrupted"
    # Inconclusive at best: on a busy machine the requests so far may already break an objective.
    assert verdict["outcome"] in {"inconclusive", "fail"}
    assert not gameday.cluster.exists()
    assert processes_of(tmp_path) == []


def test_kill_9_of_the_runner_leaves_no_process(tmp_path: Path) -> None:
    gameday = Command(tmp_path, tmp_path / "own-cluster")
    run = gameday.start("run", str(gameday.write_plan()), "--embedded")
    try:
        eventually(lambda: journal_has(gameday.latest, "phase.started"), 120)
    finally:
        run.kill()
        run.wait()
    assert gameday("cluster", "down").returncode == 0
    eventually(lambda: processes_of(tmp_path) == [], 30)
    assert not gameday.cluster.exists()
    # What was written before the kill can still be scored, and is no pass.
    assert gameday("score", "runs/latest").returncode == 3


def test_cluster_status_names_the_kubeconfig_and_kubectl_works_on_it(
    gameday: Command, kube: Kube
) -> None:
    assert kube
    done = gameday("cluster", "status", "--json")
    assert done.returncode == 0
    status = json.loads(done.stdout)
    assert status["pods_ready"] == status["pods"] > 0
    kubectl = Path(sys.executable).parent / "kubectl"
    listed = subprocess.run(
        [str(kubectl), "--kubeconfig", status["kubeconfig"], "get", "pods", "-n", "bizra-system"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert listed.stdout.count("Running") >= 6


@pytest.mark.usefixtures("kube")
def test_load_alone_reports_each_endpoint(gameday: Command) -> None:
    done = gameday("load", "smoke", "--embedded", "--duration", "4s", "--json", "--out", "kept")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["sent"] == said["kept"] > 50
    assert {e["endpoint"] for e in said["endpoints"]} >= {"POST /score", "POST /search"}
    assert (gameday.directory / "kept/samples.parquet").exists()


def test_doctor_says_what_is_there(gameday: Command) -> None:
    done = gameday("doctor", "--json")
    assert done.returncode == 0, done.stdout
    findings = {f["name"]: f["state"] for f in json.loads(done.stdout)}
    assert {findings[name] for name in ("Prometheus", "Redis", "GNU Wget")} == {"ok"}


def test_a_runbook_is_held_against_the_cluster_and_the_prometheus_that_run(
    gameday: Command, kube: Kube
) -> None:
    """What the cluster does not have is named; what Prometheus has is not called missing."""
    reference = Path(__file__).parents[1] / "slo" / "runbooks" / "reference.md"
    pods = kube.list(PODS, "bizra-system")["items"]
    (pod,) = (p for p in pods if p["metadata"]["labels"].get("app") == "prometheus")
    kubeconfig = str(embedded.up(directory=gameday.cluster).kubeconfig)
    url = f"http://{pod['status']['podIP']}:9090"
    arguments = ("--kubeconfig", kubeconfig, "--prometheus", url, "--json")
    done = gameday("runbook", "check", str(reference), *arguments)
    assert done.returncode == 1, done.stderr
    said = json.loads(done.stdout)
    found = {(f["rule"], f["line"]): f["message"] for f in said["findings"]}
    assert "no Ingress 'bizra-ingress' in the cluster" in found["unknown-object", 554]
    assert "no Service 'bizra-api' in the cluster" in found["unknown-object", 173]
    assert ("replicas-against-autoscaler", 36) in found
    assert not [rule for rule, _ in found if rule == "metric-not-exported"]
    assert [gap["rule"] for gap in said["not_checked"]] == ["prometheus-version"]  # none was named

    other = gameday.directory / "other.md"
    other.write_text("```promql\n# Requests\nsum(rate(bizra_http_requests_total[5m]))\n```\n")
    done = gameday("runbook", "check", str(other), *arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    (finding,) = json.loads(done.stdout)["findings"]
    assert (finding["rule"], finding["line"]) == ("metric-not-exported", 3)
    assert "bizra_requests_total" in finding["suggestion"]


BROKEN = """\
name: broken
locustfile: broken.py
stages: [{rate: 1}]
request_timeout: 1s
max_in_flight: 1
"""


@pytest.mark.usefixtures("kube")
def test_a_locustfile_that_cannot_be_imported_ends_the_run_before_any_fault(
    gameday: Command,
) -> None:
    (gameday.directory / "broken.yaml").write_text(BROKEN)
    (gameday.directory / "broken.py").write_text("import nothing_like_it\n")
    plan = gameday.write_plan("scenario: smoke", "scenario: broken.yaml")
    done = gameday("run", str(plan), "--embedded")
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.splitlines()[-1] == (
        f"gameday: {gameday.directory / 'broken.py'}, line 1: cannot be imported:"
        " ModuleNotFoundError: No module named 'nothing_like_it'"
    )
    assert journal_has(gameday.latest, "run.ended")
    assert not journal_has(gameday.latest, "fault.intended")
