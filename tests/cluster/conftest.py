"""A cluster for tests that know nothing but the Kubernetes API: any one, or an embedded one."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest

from service.cluster import embedded
from service.cluster.kube import EVENTS, NAMESPACES, PODS, Json, Kube, NotFoundError
from tests.cluster.ground import controlled, ground
from tests.parts import KUBECTL

__all__ = ["controlled", "ground"]  # fixtures: the controllers without a node agent

FOREVER = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.2; done"]
PYTHON = "python:3.13-alpine"


def eventually(look: Callable[[], Any], within_s: float = 60) -> Any:
    """What `look` returns as soon as it is true."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.1)
    return found


@dataclass(frozen=True)
class Cluster:
    """With a namespace for this test session's objects."""

    kubeconfig: str
    namespace: str

    @property
    def kube(self) -> Kube:
        return Kube.connect(self.kubeconfig)

    def command(self, *arguments: str) -> list[str]:
        """kubectl with these arguments."""
        return [str(KUBECTL), "--kubeconfig", self.kubeconfig, "-n", self.namespace, *arguments]

    def kubectl(
        self, *arguments: str, stdin: str = "", timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def said(self, *arguments: str) -> str:
        """Standard output of a kubectl command that must work."""
        done = self.kubectl(*arguments)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    @contextmanager
    def pod(self, name: str, *containers: Json, **spec: Any) -> Iterator[str]:
        """A pod of these containers; image and command are filled in where they are missing."""
        filled = [
            {"name": f"c{n or ''}", "image": "busybox:1.36", "command": FOREVER, **c}
            for n, c in enumerate(containers or ({},))
        ]
        body = {
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"terminationGracePeriodSeconds": 2, "containers": filled, **spec},
        }
        self.kube.create(PODS, body, self.namespace)
        try:
            yield name
        finally:
            with suppress(NotFoundError):
                self.kube.delete(PODS, name, self.namespace, grace_s=0)

    def get(self, name: str) -> Json:
        return self.kube.get(PODS, name, self.namespace)

    def container(self, name: str, number: int = 0) -> Json:
        """A ContainerStatus; empty before there is one."""
        statuses = (self.get(name).get("status") or {}).get("containerStatuses") or []
        found: Json = statuses[number] if len(statuses) > number else {}
        return found

    def is_ready(self, name: str) -> bool:
        conditions = (self.get(name).get("status") or {}).get("conditions") or []
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    def is_gone(self, name: str) -> bool:
        try:
            self.get(name)
        except NotFoundError:
            return True
        return False

    def events(self, name: str) -> list[tuple[str, str, str]]:
        """(type, reason, message) of what was said of a pod."""
        fields = f"involvedObject.name={name}"
        found = self.kube.list(EVENTS, self.namespace, fields=fields)["items"]
        return [(e["type"], e["reason"], e["message"]) for e in found]

    def told(self, name: str, reason: str) -> list[str]:
        return [text for _, why, text in self.events(name) if why == reason]


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """$KUBECONFIG's, else an embedded one with three nodes."""
    directory = tmp_path_factory.mktemp("any") / "cluster"
    try:
        kubeconfig = os.environ.get("KUBECONFIG") or str(
            embedded.up(deploy_service=False, directory=directory, nodes=3).kubeconfig
        )
        kube, namespace = Kube.connect(kubeconfig), f"gameday-test-{os.getpid()}"
        kube.create(NAMESPACES, {"metadata": {"name": namespace}})
        yield Cluster(kubeconfig, namespace)
        kube.delete(NAMESPACES, namespace)
    finally:
        embedded.down(directory)
