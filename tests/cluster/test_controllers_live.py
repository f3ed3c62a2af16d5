"""The controllers against the API server, with a stand-in for the kubelet (ground.py)."""

import contextlib
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from service.cluster.kube import (
    CONFIGMAPS,
    DEFINITIONS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    EVENTS,
    NAMESPACES,
    PODS,
    PVCS,
    REPLICASETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    STATEFULSETS,
    NotFoundError,
    Resource,
)
from tests.cluster.ground import Ground, eventually
from tests.cluster.objects import Json, template

pytestmark = pytest.mark.slow

JOBS = Resource("batch/v1", "jobs", "Job")


def test_a_namespace_gets_its_account_and_the_clusters_certificate(ground: Ground) -> None:
    accounts = eventually(lambda: ground.all(SERVICE_ACCOUNTS))
    assert [a["metadata"]["name"] for a in accounts] == ["default"]
    shown = eventually(lambda: ground.kubectl("get", "cm", "kube-root-ca.crt", "-o", "yaml").stdout)
    assert "BEGIN CERTIFICATE" in shown


def test_a_deployment_comes_up_and_tells_what_it_did(ground: Ground) -> None:
    ground.deployment(3)
    rollout = ground.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    assert "successfully rolled out" in rollout.stdout, rollout.stderr
    assert ground.settled(3)
    reasons = {"ScalingReplicaSet", "SuccessfulCreate", "Scheduled"}
    eventually(lambda: reasons <= {e["reason"] for e in ground.all(EVENTS)})


def test_a_deleted_pod_is_replaced(ground: Ground) -> None:
    ground.deployment(3)
    eventually(lambda: ground.settled(3))
    victim = ground.all(PODS)[0]["metadata"]
    ground.kube.delete(PODS, victim["name"], ground.home, grace_s=0)

    def others() -> list[Json]:
        return [p for p in ground.all(PODS) if p["metadata"]["uid"] != victim["uid"]]

    eventually(lambda: len(others()) == 3)
    eventually(lambda: ground.settled(3))
    assert len(ground.all(PODS)) == 3


def test_scaling_up_and_down_leaves_no_pod_too_many(ground: Ground) -> None:
    ground.deployment(2)
    eventually(lambda: ground.settled(2))
    for size in (6, 1, 4):
        ground.kubectl("scale", "deployment/web", f"--replicas={size}")
        eventually(lambda size=size: ground.settled(size) and len(ground.all(PODS)) == size)


def test_an_update_keeps_enough_pods_and_can_be_undone(ground: Ground) -> None:
    ground.deployment(4)
    eventually(lambda: ground.settled(4))
    lowest, most = [4], [4]
    stop = threading.Event()

    def observe() -> None:
        while not stop.is_set():
            alive = [p for p in ground.all(PODS) if not p["metadata"].get("deletionTimestamp")]
            conditions = [c for p in alive for c in (p.get("status") or {}).get("conditions", [])]
            ready = [c for c in conditions if c["type"] == "Ready" and c["status"] == "True"]
            lowest.append(len(ready))
            # The surge bounds the sizes asked for: a pod that its ReplicaSet has yet to delete
            # may be seen beside its successor, here as in Kubernetes.
            most.append(sum(found["spec"]["replicas"] for found in ground.all(REPLICASETS)))

    watcher = threading.Thread(target=observe)
    watcher.start()
    try:
        ground.kubectl("set", "image", "deployment/web", "app=app:2")
        eventually(lambda: ground.settled(4))
    finally:
        stop.set()
        watcher.join()
    assert min(lowest) >= 3
    assert max(most) <= 5
    history = ground.kubectl("rollout", "history", "deployment/web").stdout
    assert history.split()[3:] == ["1", "<none>", "2", "<none>"], history
    assert ground.kubectl("rollout", "undo", "deployment/web").returncode == 0
    eventually(lambda: ground.settled(4))
    images = {p["spec"]["containers"][0]["image"] for p in ground.all(PODS)}
    assert images == {"app:1"}
    assert len(ground.all(REPLICASETS)) == 2
    history = ground.kubectl("rollout", "history", "deployment/web").stdout
    assert history.split()[3:] == ["2", "<none>", "3", "<none>"], history
    back = ground.kubectl("rollout", "undo", "deployment/web", "--to-revision=2")
    assert back.returncode == 0, back.stderr
    eventually(lambda: ground.settled(4))
    assert {p["spec"]["containers"][0]["image"] for p in ground.all(PODS)} == {"app:2"}


def test_a_rollout_that_gets_stuck_says_so_and_is_undone(ground: Ground) -> None:
    ground.deployment(4, progressDeadlineSeconds=2)
    eventually(lambda: ground.settled(4))
    ground.kubectl("set", "image", "deployment/web", "app=never-ready")
    waited = ground.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    assert waited.returncode == 1
    assert "exceeded its progress deadline" in waited.stderr
    assert ground.condition("Progressing")["reason"] == "ProgressDeadlineExceeded"
    assert ground.condition("Available")["status"] == "True"
    assert ground.kubectl("rollout", "undo", "deployment/web").returncode == 0
    eventually(lambda: ground.settled(4))
    assert ground.condition("Progressing")["reason"] == "NewReplicaSetAvailable"


def test_a_restart_replaces_every_pod(ground: Ground) -> None:
    ground.deployment(3)
    eventually(lambda: ground.settled(3))
    before = {p["metadata"]["uid"] for p in ground.all(PODS)}
    assert ground.kubectl("rollout", "restart", "deployment/web").returncode == 0
    eventually(lambda: ground.settled(3) and len(ground.all(PODS)) == 3)
    assert not before & {p["metadata"]["uid"] for p in ground.all(PODS)}


def test_recreate_never_runs_two_templates_at_once(ground: Ground) -> None:
    ground.deployment(2, strategy={"type": "Recreate"})
    eventually(lambda: ground.settled(2))
    ground.kubectl("set", "image", "deployment/web", "app=app:2")

    def images() -> set[str]:
        return {p["spec"]["containers"][0]["image"] for p in ground.all(PODS)}

    def done() -> bool:
        assert images() != {"app:1", "app:2"}
        return ground.settled(2) and images() == {"app:2"}

    eventually(done)


def test_a_stateful_set_starts_in_order_and_updates_from_the_top(ground: Ground) -> None:
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    claim["spec"]["resources"] = {"requests": {"storage": "1Mi"}}  # type: ignore[assignment]
    selector = {"matchLabels": {"app": "web"}}
    spec = {"replicas": 3, "serviceName": "db", "selector": selector, "template": template()}
    ground.create(STATEFULSETS, "db", {**spec, "volumeClaimTemplates": [claim]})
    rollout = ground.kubectl("rollout", "status", "sts/db", "--timeout=20s")
    assert rollout.returncode == 0, rollout.stderr
    pods = sorted(ground.all(PODS), key=lambda p: int(p["metadata"]["resourceVersion"]))
    assert [p["metadata"]["name"] for p in pods] == ["db-0", "db-1", "db-2"]
    claims = {c["metadata"]["name"]: c["status"]["phase"] for c in ground.all(PVCS)}
    assert claims == {f"data-db-{n}": "Bound" for n in range(3)}
    ground.kubectl("set", "image", "sts/db", "app=app:2")
    rollout = ground.kubectl("rollout", "status", "sts/db", "--timeout=20s")
    assert "3 new pods have been updated" in rollout.stdout, rollout.stderr
    assert {p["spec"]["containers"][0]["image"] for p in ground.all(PODS)} == {"app:2"}
    ground.kubectl("scale", "sts/db", "--replicas=1")
    eventually(lambda: [p["metadata"]["name"] for p in ground.all(PODS)] == ["db-0"])
    assert len(ground.all(PVCS)) == 3


def test_endpoints_follow_readiness(ground: Ground) -> None:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    ground.create(SERVICES, "web", {"selector": {"app": "web"}, "ports": ports})
    ground.deployment(2)
    eventually(lambda: ground.settled(2))

    def ready() -> list[bool]:
        found = [e for s in ground.all(ENDPOINT_SLICES) for e in s.get("endpoints") or []]
        return sorted(e["conditions"]["ready"] for e in found)

    eventually(lambda: ready() == [True, True])
    (only,) = ground.all(ENDPOINT_SLICES)
    assert only["ports"][0]["port"] == 80
    ground.kubelet.report(ground.all(PODS)[0], ready=False)
    eventually(lambda: ready() == [False, True])


@pytest.mark.parametrize(("cascade", "left"), [("background", 0), ("foreground", 0), ("orphan", 1)])
def test_what_a_deployment_owns_goes_with_it_or_stays(
    ground: Ground, cascade: str, left: int
) -> None:
    ground.deployment(1)
    eventually(lambda: ground.settled(1))
    gone = ground.kubectl("delete", "deployment", "web", f"--cascade={cascade}", "--timeout=20s")
    assert gone.returncode == 0, gone.stderr
    eventually(lambda: len(ground.all(REPLICASETS)) == len(ground.all(PODS)) == left)
    for orphan in ground.all(REPLICASETS):
        assert not orphan["metadata"].get("ownerReferences")


def test_what_a_custom_object_owns_goes_with_it(ground: Ground) -> None:
    names = {"plural": "bosses", "kind": "Boss"}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    spec = {"group": "example.org", "scope": "Namespaced", "names": names, "versions": [version]}
    body = {"metadata": {"name": "bosses.example.org"}, "spec": spec}
    ground.kube.create(DEFINITIONS, body)
    boss = ground.create(Resource("example.org/v1", "bosses", "Boss"), "one", {})
    ref = {"apiVersion": "example.org/v1", "kind": "Boss", "name": "one"}
    metadata = {"name": "owned", "ownerReferences": [{**ref, "uid": boss["metadata"]["uid"]}]}
    ground.kube.create(CONFIGMAPS, {"metadata": metadata}, ground.home)
    ground.kubectl("delete", "boss", "one")
    eventually(lambda: "owned" not in [c["metadata"]["name"] for c in ground.all(CONFIGMAPS)])
    ground.kubectl("delete", "crd", "bosses.example.org")


def test_a_namespace_is_emptied_before_it_goes(ground: Ground) -> None:
    ground.deployment(2)
    eventually(lambda: ground.settled(2))
    gone = ground.kubectl("delete", "namespace", ground.home, "--timeout=30s")
    assert gone.returncode == 0, gone.stderr
    with pytest.raises(NotFoundError):
        ground.kube.get(NAMESPACES, ground.home)
    assert not ground.all(PODS)


def test_a_job_runs_to_completion(ground: Ground) -> None:
    pod = template(image="ends")
    pod["spec"]["restartPolicy"] = "Never"
    ground.create(JOBS, "once", {"template": pod, "completions": 2})
    done = ground.kubectl("wait", "--for=condition=complete", "job/once", "--timeout=20s")
    assert done.returncode == 0, done.stderr
    assert ground.get(JOBS, "once")["status"]["succeeded"] == 2


def test_a_pod_that_fits_nowhere_says_why(ground: Ground) -> None:
    pod = template()
    pod["spec"]["nodeSelector"] = {"disk": "tape"}
    ground.deployment(1, template=pod)

    def refused() -> list[Json]:
        found = [
            c for p in ground.all(PODS) for c in (p.get("status") or {}).get("conditions") or []
        ]
        return [c for c in found if c["type"] == "PodScheduled" and c["status"] == "False"]

    assert eventually(refused)[0]["reason"] == "Unschedulable"
    eventually(lambda: "FailedScheduling" in {e["reason"] for e in ground.all(EVENTS)})


def test_the_controllers_outlive_the_api_server(ground: Ground) -> None:
    """What changed while nobody looked is seen after the restart."""
    ground.deployment(2)
    eventually(lambda: ground.settled(2))
    ground.server.stop()
    ground.server.start()
    ground.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 3}})
    eventually(lambda: ground.settled(3))


def test_the_process_ends_with_its_parent(ground: Ground) -> None:
    """However the parent ends: here it is killed."""
    argv = [sys.executable, "-m", "service.cluster.controllers"]
    argv += ["--kubeconfig", str(ground.server.kubeconfig)]
    parent = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen({argv!r}, stderr=subprocess.PIPE)\n"
        "child.stderr.readline()\n"  # it runs
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as p:
        assert p.stdout is not None
        child = int(p.stdout.readline())
        p.kill()
    eventually(lambda: not Path(f"/proc/{child}").exists() or _is_zombie(child))


def _is_zombie(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return ") Z " in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    return True
