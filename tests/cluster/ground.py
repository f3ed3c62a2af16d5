"""A stand-in for the kubelet and a namespace to try things in, for tests of the controllers.

The stand-in knows no processes: a bound pod is Running and Ready at once, unless its image says
otherwise.
"""

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from service.cluster.informer import Informer
from service.cluster.kube import (
    DEPLOYMENTS,
    MERGE_PATCH,
    NAMESPACES,
    NODES,
    PODS,
    REPLICASETS,
    Kube,
    NotFoundError,
    Resource,
)
from tests.cluster.apiserver_fixture import RunningApiServer, running_apiserver
from tests.cluster.objects import Json, template

KUBECTL = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or "kubectl"


def eventually(look: Callable[[], Any], within_s: float = 60) -> Any:
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
        now = time.time()
        stamp, later = (
            time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t)) for t in (now, now + 3600)
        )
        # It beats once, for longer than any test takes.
        ready = {"type": "Ready", "status": "True", "lastHeartbeatTime": later}
        ready |= {"lastTransitionTime": stamp, "reason": "KubeletReady"}
        kube.patch(NODES, node, {"status": {"conditions": [ready]}}, sub="status")
        self.pods = Informer(kube, PODS)
        self.pods.on_change(self._changed)
        self.pods.start()

    def _changed(self, kind: str, pod: Json) -> None:
        meta = pod["metadata"]
        with contextlib.suppress(NotFoundError):  # any other error is told again later
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

    def say(self) -> None:
        """Print what a failed test needs to be understood."""
        for resource in (DEPLOYMENTS, REPLICASETS, PODS):
            for found in self.all(resource):
                print(resource.kind, found["metadata"]["name"], found.get("status"))

    def condition(self, kind: str) -> Json:
        found = self.get(DEPLOYMENTS, "web")["status"].get("conditions") or []
        return next((c for c in found if c["type"] == kind), {})


@pytest.fixture(scope="session")
def controlled(
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
def ground(controlled: tuple[Kube, Kubelet, RunningApiServer]) -> Iterator[Ground]:
    kube, kubelet, server = controlled
    home = f"test-{next(_numbers)}"
    kube.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": home}})
    found = Ground(kube, kubelet, server, home)
    yield found
    found.say()  # pytest shows it with a failure
