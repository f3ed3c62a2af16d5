"""The image redis in pods: the official image's habits, on any cluster."""

import pytest

from tests.cluster.conftest import Cluster, eventually

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

IMAGE = "redis:7"
PING = {"exec": {"command": ["redis-cli", "ping"]}, "periodSeconds": 1}


def test_redis_server_as_a_command_keeps_its_files_in_data(cluster: Cluster) -> None:
    server = {
        "image": IMAGE,
        "command": ["redis-server", "--appendonly", "yes"],
        "workingDir": "/data",
        "env": [{"name": "HOME", "value": "/data"}],  # where no cache is
        "readinessProbe": PING,
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    with cluster.pod("keeper", server, volumes=[{"name": "data", "emptyDir": {}}]) as name:
        eventually(lambda: cluster.is_ready(name))
        assert cluster.said("exec", name, "--", "redis-cli", "set", "a", "1") == "OK\n"
        assert "appendonlydir" in cluster.said("exec", name, "--", "ls", "/data").split()


def test_arguments_go_to_redis_server_and_other_words_are_a_command(cluster: Cluster) -> None:
    with_port = {
        "image": IMAGE,
        "command": None,
        "args": ["--port", "7000"],
        "readinessProbe": {"tcpSocket": {"port": 7000}, "periodSeconds": 1},
    }
    with cluster.pod("listener", with_port) as name:
        eventually(lambda: cluster.is_ready(name))
        assert cluster.said("exec", name, "--", "redis-cli", "-p", "7000", "ping") == "PONG\n"
        assert "refused" in cluster.kubectl("exec", name, "--", "redis-cli", "ping").stderr
    other = {"image": IMAGE, "command": None, "args": ["redis-cli", "--version"]}
    with cluster.pod("other", other, restartPolicy="Never") as name:
        eventually(lambda: cluster.get(name).get("status", {}).get("phase") == "Succeeded")
        assert cluster.said("logs", name).startswith("redis-cli ")
