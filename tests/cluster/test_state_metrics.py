"""The series of kube-state-metrics, and Prometheus' view of pods and nodes."""

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from service.cluster.kube import DEPLOYMENTS, ENDPOINT_SLICES, PODS, STATEFULSETS
from service.images import prometheus
from service.images.kubernetes_sd import groups
from service.images.state_families import quantity
from service.images.state_metrics import render
from tests.cluster.objects import deployment, owner, pod, replica_set


def series(held: Any) -> Any:
    """What Prometheus reads: {(name, sorted labels): value}."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(render(held))
        for sample in family.samples
    }


def values(found: Any, name: str, *wanted: Any) -> Any:
    """{the wanted labels' values: value} of one metric."""
    return {
        tuple(dict(labels).get(w, "") for w in wanted): value
        for (metric, labels), value in found.items()
        if metric == name
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [("500m", 0.5), ("2", 2), (2, 2), ("4Gi", 4 * 2**30), ("512Mi", 512 * 2**20), ("1k", 1000),
     ("0.5", 0.5), ("100n", 1e-7), ("1e3", 1000), ("12E", 12e18)],
)  # fmt: skip
def test_quantities(text: str, value: Any) -> None:
    assert quantity(text) == pytest.approx(value)


def test_a_pod_is_ready_under_exactly_one_condition() -> None:
    """The runbook's PodNotReady looks at this series: condition="true" is 0 for an unready pod."""
    found = series({PODS: [pod("up"), pod("down", ready=False)]})
    ready = values(found, "kube_pod_status_ready", "pod", "condition")
    assert ready["up", "true"] == 1
    assert ready["up", "false"] == ready["up", "unknown"] == 0
    assert ready["down", "true"] == 0
    assert ready["down", "false"] == 1
    labels = next(dict(lb) for name, lb in found if name == "kube_pod_status_ready")
    assert set(labels) == {"namespace", "pod", "uid", "condition"}


def test_a_pod_without_the_condition_has_no_ready_series() -> None:
    new = pod("new")
    new["status"] = {"phase": "Pending"}
    found = series({PODS: [new]})
    assert not values(found, "kube_pod_status_ready", "pod")
    phases = values(found, "kube_pod_status_phase", "phase")
    assert phases == {("Pending",): 1, ("Running",): 0, ("Succeeded",): 0, ("Failed",): 0,
                      ("Unknown",): 0}  # fmt: skip


def test_restarts_reasons_and_resources_of_containers() -> None:
    one = pod("a")
    amounts = {"requests": {"cpu": "500m"}, "limits": {"cpu": "2", "memory": "1Gi"}}
    one["spec"]["containers"] = [{"name": "app", "resources": amounts}]
    one["status"]["containerStatuses"] = [
        {
            "name": "app",
            "restartCount": 3,
            "ready": False,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
        }
    ]
    found = series({PODS: [one]})
    restarts = values(found, "kube_pod_container_status_restarts_total", "container")
    assert restarts == {("app",): 3}
    why = values(found, "kube_pod_container_status_last_terminated_reason", "reason")
    assert why == {("OOMKilled",): 1}
    waits = values(found, "kube_pod_container_status_waiting_reason", "reason")
    assert waits == {("CrashLoopBackOff",): 1}
    limits = values(found, "kube_pod_container_resource_limits", "resource", "unit", "node")
    assert limits == {("cpu", "core", "node-1"): 2, ("memory", "byte", "node-1"): 2**30}


def test_workloads_count_missing_fields_as_none() -> None:
    dep, db = deployment(4), deployment(2)
    dep["status"] = {"readyReplicas": 3, "availableReplicas": 2}
    found = series({DEPLOYMENTS: [dep], STATEFULSETS: [db]})
    assert values(found, "kube_deployment_spec_replicas", "deployment") == {("web",): 4}
    assert values(found, "kube_deployment_status_replicas_ready", "deployment") == {("web",): 3}
    assert values(found, "kube_deployment_status_replicas_available", "namespace") == {("test",): 2}
    assert values(found, "kube_statefulset_replicas", "statefulset") == {("web",): 2}
    assert values(found, "kube_statefulset_status_replicas_ready", "statefulset") == {("web",): 0}


def test_endpoints_say_who_is_in_service() -> None:
    one = {
        "addresses": ["127.0.1.9"],
        "conditions": {"ready": False, "serving": True, "terminating": True},
        "targetRef": {"kind": "Pod", "name": "a", "namespace": "test"},
        "nodeName": "node-1",
    }
    held = {"metadata": {"name": "web-x", "namespace": "test"}, "endpoints": [one]}
    found = series({ENDPOINT_SLICES: [held]})
    wanted = ("address", "ready", "terminating", "targetref_name", "endpoint_nodename")
    assert values(found, "kube_endpointslice_endpoints", *wanted) == {
        ("127.0.1.9", "false", "true", "a", "node-1"): 1
    }


@given(value=st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_any_label_value_survives(value: Any) -> None:
    one = pod("a")
    one["spec"]["nodeName"] = value
    text = "".join(
        line + "\n" for line in render({PODS: [one]}).split("\n") if "kube_pod_info{" in line
    )
    if any(c in value for c in "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"):
        return  # the parser of the test splits lines there; Prometheus does not
    (family,) = text_string_to_metric_families(text)
    assert family.samples[0].labels["node"] == value


# --- discovery --------------------------------------------------------------------------------


def test_pods_become_targets_by_declared_port() -> None:
    one = pod("a", ownerReferences=[owner(replica_set("web-1"), "ReplicaSet")])
    one["metadata"]["labels"] = {"app.kubernetes.io/name": "web"}
    (group,) = groups({"role": "pod"}, [one])
    labels = group["labels"]
    assert group["targets"] == [f"{one['status']['podIP']}:80"]
    assert labels["__meta_kubernetes_pod_label_app_kubernetes_io_name"] == "web"
    assert labels["__meta_kubernetes_pod_container_port_name"] == "http"
    assert labels["__meta_kubernetes_pod_ready"] == "true"
    assert labels["__meta_kubernetes_pod_controller_name"] == "web-1"
    assert groups({"role": "pod", "namespaces": {"names": ["other"]}}, [one]) == []
    del one["status"]["podIP"]
    assert groups({"role": "pod"}, [one]) == []


def test_nodes_become_targets_at_the_kubelets_port() -> None:
    node = {
        "metadata": {"name": "n1", "labels": {}},
        "status": {
            "addresses": [
                {"type": "Hostname", "address": "n1"},
                {"type": "InternalIP", "address": "127.0.0.9"},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        },
    }
    (group,) = groups({"role": "node"}, [node])
    assert group["targets"] == ["127.0.0.9:10250"]
    assert group["labels"]["__meta_kubernetes_node_name"] == "n1"
    assert group["labels"]["instance"] == "n1"


def test_kubernetes_discovery_is_replaced_by_files(tmp_path: Path) -> None:
    job = {"job_name": "api", "kubernetes_sd_configs": [{"role": "pod"}], "honor_labels": True}
    config = {"rule_files": ["rules.yml", "/etc/more.yml"], "scrape_configs": [job]}
    translated, files = prometheus.translate(config, Path("/etc/prometheus"), tmp_path)
    (found,) = translated["scrape_configs"]
    assert found["file_sd_configs"][0]["files"] == [str(tmp_path / "api-0.json")]
    assert "kubernetes_sd_configs" not in found
    assert found["honor_labels"] is True
    assert translated["rule_files"] == ["/etc/prometheus/rules.yml", "/etc/more.yml"]
    assert files == {tmp_path / "api-0.json": {"role": "pod"}}
    assert job["kubernetes_sd_configs"] == [{"role": "pod"}]


@pytest.mark.parametrize("beyond", [{"role": "ingress"}, {"role": "pod", "selectors": []}])
def test_discovery_beyond_the_replacement_is_refused(beyond: Any, tmp_path: Path) -> None:
    config = {"scrape_configs": [{"job_name": "api", "kubernetes_sd_configs": [beyond]}]}
    with pytest.raises(ValueError, match="job api: this Prometheus was built without"):
        prometheus.translate(config, Path("/"), tmp_path)


def test_a_binary_without_the_package_lacks_discovery(tmp_path: Path) -> None:
    assert prometheus.lacks_discovery(sys.executable)
    full = tmp_path / "prometheus"
    full.write_bytes(b"x" * (2**22 - 10) + b"github.com/prometheus/prometheus/discovery/kubernetes")
    assert not prometheus.lacks_discovery(str(full))
