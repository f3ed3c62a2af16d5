"""The controllers against the API server, with a stand-in for the kubelet.

The stand-in knows no processes: a bound pod is Running and Ready at once, unless its image says
otherwise.
"""

import contextlib
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from service.cluster.informer import Informer
from service.cluster.kube import (
    CONFIGMAPS,
    DEFINITIONS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    EVENTS,
    MERGE_PATCH,
    NAMESPACES,
    NODES,
    PODS,
    PVCS,
    REPLICASETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    STATEFULSETS,
    ApiError,
    Kube,
    NotFoundError,
    Resource,
)
from tests.cluster.apiserver_fixture import RunningApiServer, running_apiserver
from tests.cluster.objects import Json, template

pytestmark = pytest.mark.slow

JOBS = Resource("batch/v1", "jobs", "Job")
KUBECTL = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or "kubectl"


def eventually(look: Callable[[], Any], within_s: float = 20) -> Any:
    """What `look` gives as soon as it is true."""
    end = time.monotonic() + within_s
    while True:
        found = look()
        if found or time.monotonic() > end:
            assert found, "not within the time"
            return found
        time.sleep(0.02)


class Kubelet:
    """Marks bound pods as running, removes those being deleted, and says when which happened."""

    def __init__(self, kube: Kube, node: str) -> None:
        self._kube, self._addresses = kube, count(2)
        body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}}
        kube.create(NODES, body)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        ready = {"type": "Ready", "status": "True", "lastHeartbeatTime": now}
        ready |= {"lastTransitionTime": now, "reason": "KubeletReady"}
        kube.patch(NODES, node, {"status": {"conditions": [ready]}}, sub="status")
        self.pods = Informer(kube, PODS)
        self.pods.on_change(self._changed)
        self.pods.start()

    def _changed(self, kind: str, pod: Json) -> None:
        meta = pod["metadata"]
        with contextlib.suppress(ApiError):
            if kind == "DELETED" or not pod["spec"].get("nodeName"):
                return
            if meta.get("deletionTimestamp"):
                self._kube.delete(PODS, meta["name"], meta["namespace"], grace_s=0)
            elif not pod.get("status", {}).get("podIP"):
                self.report(pod)

    def report(self, pod: Json, *, ready: bool | None = None) -> None:
        image = pod["spec"]["containers"][0]["image"]
        ready = image != "never-ready" if ready is None else ready
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        found = {"type": "Ready", "status": str(ready), "lastTransitionTime": now}
        address = (pod.get("status") or {}).get("podIP") or f"127.0.2.{next(self._addresses)}"
        phase = "Succeeded" if image == "ends" else "Running"
        status = {"phase": phase, "podIP": address, "conditions": [found]}
        meta = pod["metadata"]
        self._kube.patch(PODS, meta["name"], {"status": status}, meta["namespace"], sub="status")


class Ground:
    """A namespace of its own on the shared server, and short ways to ask it."""

    def __init__(self, kube: Kube, kubelet: Kubelet, server: RunningApiServer, home: str) -> None:
        self.kube, self.kubelet, self.server, self.home = kube, kubelet, server, home

    def create(self, resource: Resource, name: str, spec: Json) -> Json:
        body = {
            "apiVersion": resource.group_version,
            "kind": resource.kind,
            "metadata": {"name": name, "namespace": self.home},
            "spec": spec,
        }
        return self.kube.create(resource, body, self.home)

    def deployment(self, replicas: int = 3, image: str = "app:1", **spec: Any) -> Json:
        selector = {"matchLabels": {"app": "web"}}
        body = {"replicas": replicas, "selector": selector, "template": template(image=image)}
        return self.create(DEPLOYMENTS, "web", {**body, **spec})

    def get(self, resource: Resource, name: str) -> Json:
        return self.kube.get(resource, name, self.home)

    def all(self, resource: Resource) -> list[Json]:
        found: list[Json] = self.kube.list(resource, self.home)["items"]
        return found

    def patch(self, resource: Resource, name: str, change: Json) -> Json:
        return self.kube.patch(resource, name, change, self.home, content_type=MERGE_PATCH)

    def settled(self, replicas: int) -> bool:
        """The deployment has exactly so many pods, all of the present template and available."""
        found = self.get(DEPLOYMENTS, "web")
        seen = found.get("status") or {}
        fields = ("replicas", "updatedReplicas", "availableReplicas")
        return seen.get("observedGeneration") == found["metadata"]["generation"] and all(
            (seen.get(field) or 0) == replicas for field in fields
        )

    def kubectl(self, *args: str) -> subprocess.CompletedProcess[str]:
        command = [KUBECTL, "--kubeconfig", str(self.server.kubeconfig), "-n", self.home, *args]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    def condition(self, kind: str) -> Json:
        found = self.get(DEPLOYMENTS, "web")["status"].get("conditions") or []
        return next((c for c in found if c["type"] == kind), {})


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Kube, Kubelet, RunningApiServer]]:
    with running_apiserver(tmp_path_factory.mktemp("api")) as server:
        command = [sys.executable, "-m", "service.cluster.controllers"]
        command += ["--kubeconfig", str(server.kubeconfig)]
        with subprocess.Popen(command) as controllers:
            try:
                kube = Kube.connect(str(server.kubeconfig))
                yield kube, Kubelet(kube, "node-1"), server
            finally:
                controllers.terminate()
                assert controllers.wait(10) == 0


_numbers = count(1)


@pytest.fixture
def ground(cluster: tuple[Kube, Kubelet, RunningApiServer]) -> Ground:
    kube, kubelet, server = cluster
    home = f"test-{next(_numbers)}"
    kube.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": home}})
    return Ground(kube, kubelet, server, home)


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


def test_the_process_ends_with_its_parent(cluster: tuple[Kube, Kubelet, RunningApiServer]) -> None:
    """However the parent ends: here it is killed."""
    argv = [sys.executable, "-m", "service.cluster.controllers"]
    argv += ["--kubeconfig", str(cluster[2].kubeconfig)]
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
