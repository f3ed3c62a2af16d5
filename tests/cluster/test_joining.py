"""The node agent beside an API server that knows nothing of it, with the rights of any node."""

import os
import random
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from ruamel.yaml import YAML

from service.cluster.agent.access import Caller, of_certificate
from service.cluster.kube import (
    CONFIGMAPS,
    NODES,
    PODS,
    SERVICE_ACCOUNTS,
    Json,
    Kube,
    Resource,
)
from tests.cluster.apiserver_fixture import RunningApiServer, running_apiserver

pytestmark = pytest.mark.slow

NODE = "worker"
BINDINGS = Resource(
    "rbac.authorization.k8s.io/v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
)


def eventually(look: Callable[[], Any], within_s: float = 60) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.1)
    return found


@dataclass
class Joined:
    """`directory` is the agent's; `client` a certificate that the cluster's authority signed."""

    server: RunningApiServer
    directory: Path
    address: str
    client: trustme.LeafCert
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        pki = self.server.directory / "pki"
        prefix = self.address.rpartition(".")[0].rpartition(".")[0]
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "service.cluster.agent",
                f"--kubeconfig={self.directory / 'kubeconfig'}",
                f"--node-name={NODE}",
                f"--node-ip={self.address}",
                f"--pod-cidr={prefix}.16.0/20",
                f"--dir={self.directory}",
                f"--client-ca={pki / 'ca.crt'}",
                f"--cgroup=gameday-joined-{os.getpid()}",
                "--taint=gameday.dev/processes=true:NoSchedule",
            ]
        )

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joined]:
    """An API server without controllers, and an agent that is no more than a node to it."""
    base = tmp_path_factory.mktemp("joined")
    address = f"127.{random.randrange(30, 60)}.{random.randrange(1, 255)}.1"
    with running_apiserver(base / "server", node=(NODE, address)) as server:
        # Whatever other rights nodes have here, such as a network plugin's, are taken away.
        for binding in server.kube.list(BINDINGS)["items"]:
            nodes = any(s["name"] == "system:nodes" for s in binding.get("subjects") or [])
            if nodes and binding["roleRef"]["name"] != "system:node":
                server.kube.delete(BINDINGS, binding["metadata"]["name"])
        directory = base / "agent"
        directory.mkdir()
        for name in ("kubelet.crt", "kubelet.key"):
            (directory / "pki").mkdir(exist_ok=True)
            (directory / "pki" / name).write_bytes((server.directory / "pki" / name).read_bytes())
        config = YAML(typ="safe").load(server.kubeconfig)
        config["users"][0]["user"] = {"token": "node-token"}
        with (directory / "kubeconfig").open("w") as file:
            YAML(typ="safe").dump(config, file)
        server.kube.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default"}}, "default")
        running = Joined(server, directory, address, server.client)
        running.start()
        try:
            eventually(lambda: running.server.kube.list(NODES)["items"])
            yield running
        finally:
            running.stop()


def status(kube: Kube, name: str) -> Json:
    found: Json = kube.get(PODS, name, "default").get("status") or {}
    return found


def is_ready(kube: Kube, name: str) -> bool:
    conditions = status(kube, name).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def test_a_pod_lives_and_ends_with_the_rights_of_a_node(joined: Joined) -> None:
    kube, kubectl = joined.server.kube, joined.server.kubectl
    node = kube.get(NODES, NODE)
    assert node["spec"]["taints"][0]["key"] == "gameday.dev/processes"
    assert node["status"]["declaredFeatures"] == ["ExtendWebSocketsToKubelet"]
    kube.create(CONFIGMAPS, {"metadata": {"name": "c"}, "data": {"key": "value"}}, "default")
    script = "cat /c/key; echo; trap 'exit 0' TERM; while :; do sleep 0.2; done"
    container = {
        "name": "main",
        "image": "busybox:1.36",
        "command": ["sh", "-c", script],
        "envFrom": [{"configMapRef": {"name": "c"}}],
        "volumeMounts": [{"name": "c", "mountPath": "/c"}],
        "readinessProbe": {"exec": {"command": ["test", "-e", "/c/key"]}, "periodSeconds": 1},
    }
    volumes = [{"name": "c", "configMap": {"name": "c"}}]
    spec = {"nodeName": NODE, "containers": [container], "volumes": volumes}
    body = {"metadata": {"name": "p"}, "spec": {**spec, "terminationGracePeriodSeconds": 5}}
    kube.create(PODS, body, "default")
    eventually(lambda: is_ready(kube, "p"))
    assert kubectl("logs", "p") == "value\n"
    assert kubectl("exec", "p", "--", "printenv", "key") == "value\n"
    token = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    assert kubectl("exec", "p", "--", "test", "-s", token) == ""
    eventually(lambda: "Started container main" in kubectl("get", "events"))
    kubectl("delete", "pod", "p", "--timeout=30s")
    assert "Forbidden" not in kubectl("get", "pods", check=False)


def test_the_agent_asks_the_cluster_who_may_ask_it(joined: Joined) -> None:
    """By certificate or token; unknown callers and those without rights are refused."""
    pki = joined.server.directory / "pki"
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    url = f"https://{joined.address}:10250/metrics/resource"
    assert httpx.get(url, verify=context, trust_env=False).status_code == 401
    nobody = {"Authorization": "Bearer nonsense"}
    assert httpx.get(url, verify=context, headers=nobody, trust_env=False).status_code == 401
    powerless = {"Authorization": "Bearer node-token"}
    assert httpx.get(url, verify=context, headers=powerless, trust_env=False).status_code == 401
    admin = {"Authorization": "Bearer admin-token"}
    assert httpx.get(url, verify=context, headers=admin, trust_env=False).status_code == 200
    joined.client.configure_cert(context)
    answer = httpx.get(url, verify=context, trust_env=False)
    assert answer.status_code == 200
    assert "node_cpu_usage_seconds_total" in answer.text


def test_a_certificate_names_user_and_groups() -> None:
    subject = ((("organizationName", "system:masters"),), (("commonName", "api"),))
    expected = Caller("api", ("system:masters", "system:authenticated"))
    assert of_certificate({"subject": subject}) == expected
    assert of_certificate(None) is None
    assert of_certificate({"subject": ()}) is None


def test_a_killed_agent_leaves_nothing_and_takes_its_pods_up_again(joined: Joined) -> None:
    kube = joined.server.kube
    mark = f"gameday-mark-{os.getpid()}"
    container = {"name": "c", "image": "busybox:1", "command": ["sleep", "1000"], "env": []}
    container["env"] = [{"name": "MARK", "value": mark}]
    body = {"metadata": {"name": "again"}, "spec": {"nodeName": NODE, "containers": [container]}}
    kube.create(PODS, body, "default")
    once = {**container, "command": ["true"]}
    spec = {"nodeName": NODE, "restartPolicy": "Never", "containers": [once]}
    kube.create(PODS, {"metadata": {"name": "done"}, "spec": spec}, "default")
    eventually(lambda: is_ready(kube, "again") and status(kube, "done")["phase"] == "Succeeded")
    started = status(kube, "again")["startTime"]

    def marked() -> list[Path]:
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if mark.encode() in (path / "environ").read_bytes():
                    found.append(path)
            except OSError:
                continue
        return found

    assert marked()
    assert joined.process is not None
    joined.process.send_signal(signal.SIGKILL)
    joined.process.wait()
    eventually(lambda: not marked())
    joined.start()
    eventually(
        lambda: (
            is_ready(kube, "again")
            and status(kube, "again")["containerStatuses"][0]["restartCount"] == 1
        )
    )
    assert status(kube, "again")["startTime"] == started
    assert status(kube, "done")["phase"] == "Succeeded"
    ended = status(kube, "again")["containerStatuses"][0]["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (255, "Unknown")
    kube.delete(PODS, "again", "default", grace_s=0)
    eventually(lambda: not marked())
