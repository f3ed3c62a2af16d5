"""What is wrong before any fault is said by its name, and no fault is blamed for it."""

from typing import Any

import pytest

from chaos.kube import Json
from chaos.run.steadiness import is_stuck, of_baseline, of_requests, of_workload
from loadtests.tail import LoadProgress, Recent

STUCK = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}


def deployment(**status: Any) -> Json:
    whole = {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3}
    return {
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "generation": 2},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}},
        "status": {**whole, **status},
    }


def pod(reason: str) -> Json:
    states = [{"state": {"waiting": {"reason": reason}}}]
    return {"metadata": {"name": "web-x"}, "status": {"containerStatuses": states}}


def progress(errors: int, of: int = 100) -> LoadProgress:
    return LoadProgress(requests=of, errors=errors, rate=20, error_rate=errors / of, p95_s=0.01)


def test_a_rollout_that_is_stuck_is_named_with_its_pod_though_all_old_pods_are_ready() -> None:
    found = deployment(updatedReplicas=1, replicas=4, conditions=[STUCK])
    assert is_stuck(found)
    assert of_workload(found, [pod("ContainerCreating"), pod("ImagePullBackOff")]) == (
        "its rollout is stuck: web: 1 of 3 pods are of this version;"
        " pod web-x waits: ImagePullBackOff"
    )


def test_a_rollout_that_goes_on_is_waited_for() -> None:
    found = deployment(updatedReplicas=1, replicas=4)
    assert not is_stuck(found)
    assert of_workload(found, []) == "web: 1 of 3 pods are of this version"


def test_a_workload_as_its_author_wants_it_is_well() -> None:
    assert of_workload(deployment(), [pod("CrashLoopBackOff")]) == ""


def test_requests_that_fail_before_any_fault_are_named() -> None:
    failures = {"GET /checkout": 12, "GET /": 0, "POST /pay": 3}
    assert of_requests(progress(15), failures, 0.05) == (
        "15.0% of the requests fail: GET /checkout (12 failed), POST /pay (3 failed)"
    )
    assert of_requests(progress(3), failures, 0.05) == ""


@pytest.mark.parametrize(
    ("failed", "time_s", "why"),
    [
        (0, 2.4, "p95 2400 ms"),
        (30, 0.01, "errors 10.00% of 300 requests"),
    ],
)
def test_a_service_past_critical_in_its_baseline_is_named(
    failed: int, time_s: float, why: str
) -> None:
    recent = Recent(requests=300, failed=failed, times=(time_s,) * 300)
    found = of_baseline(recent, {"GET /": failed}, error_rate=0.01, p95_s=1.0)
    assert found.startswith("it is past critical without any fault:")
    assert why in found
    assert "1000 ms promised" in found


@pytest.mark.parametrize(("times_s", "p95_s"), [((0.01,) * 300, 1.0), ((2.4,) * 300, None)])
def test_within_its_promises_or_without_any_it_may_be_broken(
    times_s: tuple[float, ...], p95_s: float | None
) -> None:
    recent = Recent(requests=300, failed=0, times=times_s)
    assert of_baseline(recent, {}, error_rate=0.01, p95_s=p95_s) == ""
