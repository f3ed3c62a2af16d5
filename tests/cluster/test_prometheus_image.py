"""The distribution's Prometheus finds its targets through the cluster, and reads pod states."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from service import deploy
from service.cluster.kube import NAMESPACES, PODS, Kube
from service.images.state_metrics import serve
from tests import parts
from tests.cluster.apiserver_fixture import running_apiserver

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def eventually(look: Callable[[], Any], within_s: float = 30) -> Any:
    end = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < end, "not within the time"
        time.sleep(0.1)
    return found


def asked(port: int, query: str) -> list[Any]:
    """An instant query's result; empty while Prometheus does not answer."""
    url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": query})
    with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
        found: list[Any] = json.load(answer)["data"]["result"]
        return found
    return []


def state_metrics_pod(kube: Kube, port: int) -> None:
    """A pod as the manifests have it, whose address leads to the server of this test."""
    kube.create(
        PODS,
        {
            "metadata": {
                "name": "kube-state-metrics-1",
                "labels": {"app.kubernetes.io/name": "kube-state-metrics"},
            },
            "spec": {
                "containers": [
                    {
                        "name": "kube-state-metrics",
                        "image": "kube-state-metrics",
                        "ports": [{"name": "http-metrics", "containerPort": port}],
                    }
                ]
            },
        },
        "kube-system",
    )
    ready = {"type": "Ready", "status": "True"}
    status = {"phase": "Running", "podIP": "127.0.0.1", "conditions": [ready]}
    kube.patch(PODS, "kube-state-metrics-1", {"status": status}, "kube-system", sub="status")


@contextmanager
def prometheus(folder: Path, kubeconfig: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    config = next(o for o in deploy.manifests() if o["metadata"]["name"] == "prometheus-config")
    for name, text in config["data"].items():
        (folder / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "service.images.prometheus"]
    command += [f"--config.file={folder / 'prometheus.yml'}"]
    command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
    env = {
        **os.environ,
        "KUBECONFIG": str(kubeconfig),
        "PROMETHEUS_BINARY": str(parts.prometheus()),
    }
    with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)


def test_targets_come_from_the_cluster_and_go_with_it(tmp_path: Path) -> None:
    with running_apiserver(tmp_path / "api") as server:
        kube = server.kube
        with suppress(Exception):  # there from the start, or not
            kube.create(NAMESPACES, {"metadata": {"name": "kube-system"}})
        states = serve(kube, "127.0.0.1", free_port(), ["pods", "deployments"])
        threading.Thread(target=states.serve_forever, daemon=True).start()
        state_metrics_pod(kube, states.server_port)
        (tmp_path / "prometheus").mkdir()
        port = free_port()
        with prometheus(tmp_path / "prometheus", server.kubeconfig, port) as process:
            ready = 'kube_pod_status_ready{namespace="kube-system",condition="true"}'
            (found,) = eventually(lambda: asked(port, ready))
            assert found["metric"]["pod"] == "kube-state-metrics-1"
            assert found["metric"]["job"] == "kube-state-metrics"
            assert found["value"][1] == "1"
            assert eventually(lambda: asked(port, 'up{job="kube-state-metrics"} == 1'))
            kube.delete(PODS, "kube-state-metrics-1", "kube-system", grace_s=0)
            eventually(lambda: not asked(port, 'up{job="kube-state-metrics"}'))
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        states.shutdown()
