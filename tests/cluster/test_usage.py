"""Real CPU and memory through metrics.k8s.io, as `kubectl top` and an autoscaler read them."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes import client, config

from service.cluster.apiserver.usage import NODE, Point, Readings, pod_metrics, read, used
from tests.cluster.conftest import PYTHON, Cluster, eventually

MIB = 1024 * 1024
PAGE = """\
# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{{container="c",namespace="n",pod="p"}} {cpu} {ms}
# TYPE container_memory_working_set_bytes gauge
container_memory_working_set_bytes{{container="c",namespace="n",pod="p"}} 2048 {ms}
container_start_time_seconds{{container="c",namespace="n",pod="p"}} {started}
pod_cpu_usage_seconds_total{{namespace="n",pod="p"}} 99
node_cpu_usage_seconds_total 7 {ms}
"""
POD = {
    "metadata": {"namespace": "n", "name": "p", "labels": {"app": "x"}},
    "spec": {"containers": [{"name": "c"}]},
    "status": {"phase": "Running"},
}


def page(second: float, cpu: float, started: float = 0) -> str:
    return PAGE.format(ms=int(second * 1000), cpu=cpu, started=started)


def test_two_readings_make_a_rate() -> None:
    readings = Readings(read(page(100, 3), 0), read(page(110, 8), 0))
    found = pod_metrics(POD, readings)
    assert found is not None
    assert found["containers"] == [{"name": "c", "usage": {"cpu": "500000000n", "memory": "2Ki"}}]
    assert (found["window"], found["timestamp"]) == ("10.000s", "1970-01-01T00:01:50Z")
    assert found["metadata"]["labels"] == {"app": "x"}
    assert readings.after[NODE].cpu_s == 7


def test_what_two_readings_cannot_tell_is_left_out() -> None:
    first, second = read(page(100, 3), 0), read(page(110, 8, started=105), 0)
    assert pod_metrics(POD, Readings({}, first)) is None
    assert pod_metrics(POD, Readings(first, second)) is None  # restarted in between
    assert pod_metrics(POD, Readings(first, first)) is None  # no time between them
    assert pod_metrics({**POD, "status": {"phase": "Pending"}}, Readings(first, first)) is None
    two = {**POD, "spec": {"containers": [{"name": "c"}, {"name": "d"}]}}
    assert pod_metrics(two, Readings(first, read(page(110, 8), 0))) is None


@given(
    st.builds(Point, *[st.floats(0, 1e10) for _ in range(4)]),
    st.builds(Point, *[st.floats(0, 1e10) for _ in range(4)]),
)
def test_use_is_never_negative_or_endless(before: Point, after: Point) -> None:
    found = used(before, after)
    assert found is None or (found.cpus >= 0 and found.window_s > 0 and math.isfinite(found.memory))


BUSY = "x = bytearray(60 << 20)\nwhile True: pass"


@pytest.mark.slow
@pytest.mark.cluster
def test_top_shows_what_really_is_used(cluster: Cluster) -> None:
    limits = {"limits": {"cpu": "300m", "memory": "256Mi"}}
    busy = {"image": PYTHON, "command": ["python3", "-c", BUSY], "resources": limits}
    with cluster.pod("busy", busy, {}), cluster.pod("idle"):

        def metrics() -> dict[str, dict[str, tuple[float, float]]]:
            found = cluster.said("get", "podmetrics", "-o", "json")
            return {
                item["metadata"]["name"]: {
                    c["name"]: (
                        int(c["usage"]["cpu"].removesuffix("n")) / 1e9,
                        int(c["usage"]["memory"].removesuffix("Ki")) * 1024,
                    )
                    for c in item["containers"]
                }
                for item in json.loads(found)["items"]
            }

        eventually(lambda: {"busy", "idle"} <= metrics().keys(), 120)
        eventually(lambda: metrics()["busy"]["c"][0] > 0.1)
        cpus, memory = metrics()["busy"]["c"]
        assert cpus < 0.4  # its limit, and what two readings may be off by
        assert 60 * MIB < memory < 256 * MIB
        assert metrics()["busy"]["c1"][0] < 0.1

        lines = cluster.said("top", "pods", "--sort-by=cpu").splitlines()
        assert lines[0].split() == ["NAME", "CPU(cores)", "MEMORY(bytes)"]
        names = [line.split()[0] for line in lines[1:]]
        assert names[0] == "busy"
        assert "idle" in names
        lines = cluster.said("top", "pod", "busy", "--containers").splitlines()
        assert lines[0].split()[:2] == ["POD", "NAME"]
        assert {line.split()[1] for line in lines[1:]} == {"c", "c1"}
        only = cluster.said("top", "pods", "-l", "app=idle", "--no-headers").splitlines()
        assert [line.split()[0] for line in only] == ["idle"]
        assert "busy" not in cluster.said("top", "pods", "-l", "app=idle", "--sum")
        missing = cluster.kubectl("top", "pod", "nobody")
        assert missing.returncode != 0
        assert 'podmetrics.metrics.k8s.io "' in missing.stderr
        assert "not found" in missing.stderr


@pytest.mark.slow
@pytest.mark.cluster
def test_top_nodes_and_the_official_client(cluster: Cluster) -> None:
    api = client.CustomObjectsApi(config.new_client_from_config(cluster.kubeconfig))

    def nodes() -> list[dict[str, object]]:
        found = api.list_cluster_custom_object("metrics.k8s.io", "v1beta1", "nodes")
        return list(found["items"])

    eventually(nodes)
    head, *lines = cluster.said("top", "nodes").splitlines()
    assert head.split() == ["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]
    assert {line.split()[0] for line in lines} == {str(n["metadata"]["name"]) for n in nodes()}  # type: ignore[index]
    assert all(line.split()[1].endswith("m") for line in lines)
