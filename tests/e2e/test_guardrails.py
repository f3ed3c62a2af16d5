"""A game day that is ended early, by whatever ends it, has put everything back by then."""

import json
import signal
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from service.cluster import embedded
from service.cluster.kube import DEPLOYMENTS, MERGE_PATCH, NAMESPACES, Kube
from service.gameday import FOLDER, RUNBOOK
from tests.e2e.conftest import Command, eventually

pytestmark = pytest.mark.slow

NS = "bizra-system"
PLAN = """\
name: endless
target: {namespace: bizra-system, workload: bizra-api, service: bizra-api-internal, port: 8000}
prometheus: {service: prometheus-service, port: 9090, scrape_interval: 2s}
load: {scenario: smoke}
guardrails:
  all_pods_of: [redis]
  stop: [STOP]
experiments:
  - name: redis-gone
    title: Redis is gone
    fault: {kind: scale-to-zero, workload: {name: redis}}
    baseline: 2s
    duration: 10m
    recovery: 10s
"""
PATIENCE = """
## 12. Patience

### Patience

```bash
sleep 600
sleep 601
```
"""


@pytest.fixture(scope="module")
def kube(cluster_directory: Path) -> Kube:
    return Kube.connect(str(embedded.up(directory=cluster_directory).kubeconfig))


@pytest.fixture
def before(kube: Kube) -> Iterator[dict[str, Any]]:
    """The Deployment that will be broken; afterwards it is as before."""
    found = redis(kube)
    yield found
    assert redis(kube) == found


def redis(kube: Kube) -> dict[str, Any]:
    found = kube.get(DEPLOYMENTS, "redis", NS)
    metadata = found["metadata"]
    return {
        "spec": found["spec"],
        "labels": metadata.get("labels"),
        "annotations": metadata.get("annotations"),
    }


def journal(gameday: Command) -> dict[str, dict[str, Any]]:
    """The last entry of each kind."""
    path = gameday.latest / "journal.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return {e["event"]: e for e in map(json.loads, lines)}


def start(gameday: Command, stop: str = "") -> subprocess.Popen[str]:
    path = gameday.directory / "endless.yaml"
    path.write_text(PLAN.replace("STOP", stop))
    return gameday.start("run", str(path), "--embedded")


def finish(run: subprocess.Popen[str]) -> str:
    said, _ = run.communicate(timeout=120)
    assert "Traceback" not in said
    return said


@pytest.mark.alone
@pytest.mark.usefixtures("before")
def test_a_confirmed_breach_ends_the_run_with_everything_undone(gameday: Command) -> None:
    """On what Prometheus says; its own health is as good as any other."""
    run = start(gameday, "{promql: 'vector(7)', above: 5, every: 4s, times: 2}")
    said = finish(run)
    assert run.returncode == 4, said
    told = journal(gameday)
    assert "it is 7, 2 times in a row" in told["guardrail.breached"]["reason"]
    assert told["run.ended"]["ended_by"] == "aborted"
    assert "fault.injected" in told
    moments = [
        datetime.fromisoformat(told[e]["time"]) for e in ("guardrail.breached", "fault.restored")
    ]
    assert moments == sorted(moments)


@pytest.mark.usefixtures("before")
def test_a_stop_condition_that_nobody_can_evaluate_is_no_all_clear(gameday: Command) -> None:
    run = start(gameday, "{promql: 'no_such_metric', above: 5, every: 1s, times: 2}")
    said = finish(run)
    assert run.returncode == 4, said
    assert "cannot be evaluated: no data" in journal(gameday)["guardrail.breached"]["reason"]


@pytest.mark.usefixtures("before")
def test_abort_from_another_terminal_and_a_second_game_day_changes_nothing(
    gameday: Command, kube: Kube
) -> None:
    run = start(gameday)
    try:
        eventually(lambda: "fault.confirmed" in journal(gameday), 120)
        second = gameday("run", str(gameday.directory / "endless.yaml"), "--embedded")
        assert second.returncode == 2
        assert "another game day runs in namespace bizra-system" in second.stderr
        up = gameday("cluster", "up")
        assert up.returncode == 0, up.stdout + up.stderr
        assert "it is left as it is: a game day runs in namespace bizra-system" in up.stdout
        assert redis(kube)["spec"]["replicas"] == 0  # the fault of the first
        left = gameday("recover", "--embedded")
        assert left.returncode == 0
        assert "left alone, its run lives: scale-to-zero of redis-gone" in left.stdout
        done = gameday("abort", "runs/latest", "--embedded")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "everything was undone" in done.stdout
        said = finish(run)
    finally:
        run.kill()
    assert run.returncode == 4, said
    assert "gameday abort: asked by" in journal(gameday)["run.ended"]["reason"]


@pytest.mark.usefixtures("before")
def test_an_abort_does_not_wait_for_the_procedure_that_is_carried_out(gameday: Command) -> None:
    runbook = gameday.directory / "slow.md"
    runbook.write_text(RUNBOOK.read_text("utf-8") + PATIENCE)
    path = gameday.directory / "cured.yaml"
    cured = PLAN.replace("STOP", "").replace("duration: 10m", "duration: 1s")
    cured = cured.replace("recovery: 10s", "recovery: {procedure: patience, lasts: 5s, limit: 10m}")
    path.write_text(cured)
    run = gameday.start("run", str(path), "--embedded", "--runbook", str(runbook))
    try:
        eventually(lambda: "step.started" in journal(gameday), 120)
        assert gameday("abort", "--embedded").returncode == 0
        said = finish(run)
    finally:
        run.kill()
    assert run.returncode == 4, said
    told = journal(gameday)
    assert told["step.ended"]["reason"] == "ended half-way, as the run was ended"
    assert "procedure.ended" not in told  # its second step was never begun
    assert "fault.restored" in told


@pytest.mark.usefixtures("before")
def test_a_hang_up_undoes_and_a_second_one_does_not_stop_it(gameday: Command) -> None:
    run = start(gameday)
    try:
        eventually(lambda: "fault.confirmed" in journal(gameday), 120)
        run.send_signal(signal.SIGHUP)
        run.send_signal(signal.SIGHUP)
        said = finish(run)
    finally:
        run.kill()
    assert run.returncode == 129, said
    assert "fault.restored" in journal(gameday)


def test_what_cannot_be_undone_ends_with_5_and_says_what_to_type(
    gameday: Command, kube: Kube
) -> None:
    damaged = {
        "labels": {"gameday.dev/fault": "true"},
        "annotations": {"undo.gameday.dev/f1": '{"data": "{}", "sha256": "0"}'},
    }
    kube.patch(DEPLOYMENTS, "redis", {"metadata": damaged}, NS, content_type=MERGE_PATCH)
    try:
        done = gameday("recover", "--namespace", NS, "--embedded")
        assert done.returncode == 5, done.stdout
        assert "CANNOT BE UNDONE: f1 on deployment bizra-system/redis" in done.stderr
        assert "does not have the checksum" in done.stderr
        assert "by hand: kubectl -n bizra-system get deployment/redis -o yaml" in done.stderr
        path = gameday.directory / "endless.yaml"
        path.write_text(PLAN.replace("STOP", ""))
        refused = gameday("run", str(path), "--embedded")
        assert refused.returncode == 5
        assert "left by an earlier run, cannot be undone" in refused.stderr
    finally:
        clean = {
            "labels": {"gameday.dev/fault": None},
            "annotations": {"undo.gameday.dev/f1": None},
        }
        kube.patch(DEPLOYMENTS, "redis", {"metadata": clean}, NS, content_type=MERGE_PATCH)


def test_a_namespace_that_does_not_allow_faults(gameday: Command, kube: Kube) -> None:
    # Not with --embedded, which applies the manifests anew, this label among them.
    config = str(gameday.cluster / "kubeconfig")
    there = ("--system", str(FOLDER), "--kubeconfig", config)
    label = {"metadata": {"labels": {"gameday.dev/allowed": None}}}
    kube.patch(NAMESPACES, NS, label, content_type=MERGE_PATCH)
    try:
        path = gameday.directory / "endless.yaml"
        path.write_text(PLAN.replace("STOP", ""))
        done = gameday("run", str(path), *there, "--dry-run")
        assert done.returncode == 2
        assert f"kubectl label namespace {NS} gameday.dev/allowed=true" in done.stderr
        assert not (gameday.directory / "runs").exists()
    finally:
        label["metadata"]["labels"]["gameday.dev/allowed"] = "true"  # type: ignore[assignment]
        kube.patch(NAMESPACES, NS, label, content_type=MERGE_PATCH)
    dry = gameday("run", str(path), *there, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "change deployment bizra-system/redis: spec.replicas = 0" in dry.stdout
