"""Faults on processes where the application is process 1 of its container, as it usually is."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.kube import Cluster, Json, Ref, kind_of
from tests.chaos.cluster_fixture import NS, eventually, make, speaker, whole
from tests.chaos.faults.test_beside_others import fault, played

pytestmark = pytest.mark.slow

ALONE = {"labels": {"app": "alone"}, "count": 2}


@pytest.fixture
def alone(cluster: Cluster) -> Iterator[Cluster]:
    """With a Deployment whose pods are one process each, which answers HTTP."""
    found = json.loads(json.dumps(speaker()).replace("speaker", "alone"))
    (container,) = found["spec"]["template"]["spec"]["containers"]
    container["readinessProbe"] = {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 1}
    make(cluster, found)
    eventually(lambda: whole(cluster, "Deployment", "alone"))
    yield cluster
    cluster.delete(Ref.of("Deployment", NS, "alone"))
    eventually(lambda: not cluster.pods(NS, "app=alone"))


@pytest.fixture
def guarded(alone: Cluster) -> Iterator[Cluster]:
    """Its namespace admits no pods with hostPID."""
    ref, label = Ref.of("Namespace", "", NS), "pod-security.kubernetes.io~1enforce"
    at = f"/metadata/labels/{label}"
    alone.change(ref, lambda _: [{"op": "add", "path": at, "value": "baseline"}])
    yield alone
    alone.change(ref, lambda _: [{"op": "remove", "path": at}])


def statuses(cluster: Cluster, app: str = "alone") -> list[Json]:
    pods = cluster.objects(kind_of("Pod"), NS, labels=f"app={app}")
    return [status for pod in pods for status in pod["status"]["containerStatuses"]]


def helpers(cluster: Cluster) -> list[str]:
    names = [pod["metadata"]["name"] for pod in cluster.objects(kind_of("Pod"), NS)]
    return [name for name in names if name.startswith("gameday-")]


def test_a_killed_process_1_ends_by_sigkill_and_its_container_restarts(
    alone: Cluster, tmp_path: Path
) -> None:
    told = played(alone, fault("pod-kill", how="process", select=ALONE), tmp_path)
    assert [e.event for e in told][-2:] == ["fault.confirmed", "fault.reverted"]
    ends = [status["lastState"]["terminated"] for status in statuses(alone)]
    assert [(end["exitCode"], end["reason"]) for end in ends] == [(137, "Error")] * 2
    assert helpers(alone) == []


def test_a_frozen_process_1_answers_nobody_until_it_goes_on(alone: Cluster, tmp_path: Path) -> None:
    before = [status["containerID"] for status in statuses(alone)]
    told = played(alone, fault("freeze", select=ALONE), tmp_path)
    assert [e.event for e in told][-2:] == ["fault.restored", "fault.reverted"]
    assert [status["containerID"] for status in statuses(alone)] == before
    eventually(lambda: helpers(alone) == [])


@pytest.mark.parametrize("kind", ["pod-kill", "freeze"])
def test_without_a_way_from_outside_nothing_is_broken_and_the_way_is_named(
    guarded: Cluster, tmp_path: Path, kind: str
) -> None:
    how = {"how": "process"} if kind == "pod-kill" else {}
    told = played(guarded, fault(kind, select=ALONE, **how), tmp_path)
    (refused,) = told
    assert refused.event == "fault.refused"
    assert "is process 1 of its container main" in refused.reason
    assert 'violates PodSecurity "baseline:latest": host namespaces' in refused.reason
    assert f"kubectl label namespace {NS} pod-security.kubernetes.io/enforce=" in refused.reason
    assert [status["restartCount"] for status in statuses(guarded)] == [0, 0]


def test_without_a_way_from_outside_an_init_that_is_not_the_application_suffices(
    guarded: Cluster, tmp_path: Path
) -> None:
    """The shell of `web` ends with the child that it waits for."""
    web = {"labels": {"app": "web"}, "count": 1}
    told = played(guarded, fault("pod-kill", how="process", select=web), tmp_path)
    assert [e.event for e in told][-2:] == ["fault.confirmed", "fault.reverted"]


def test_a_helper_that_cannot_run_breaks_nothing(alone: Cluster, tmp_path: Path) -> None:
    (_, refused, *_) = played(alone, fault("freeze", select=ALONE, image="no/such:1"), tmp_path)
    assert refused.event == "fault.refused"
    assert "of the fault does not start: Back-off pulling image" in refused.reason
    eventually(lambda: helpers(alone) == [])
