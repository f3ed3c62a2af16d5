"""The manifests of bizra-system: one truth for kubectl and for Python, names as in the runbook."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from service import deploy
from tests.parts import KUBECTL, promtool

OVERLAYS = ("embedded", "production")
COMPONENTS = deploy.path().parents[1] / "components"


def identity(obj: Any) -> Any:
    return obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def index(overlay: str) -> Any:
    return {identity(obj): obj for obj in deploy.manifests(overlay)}


def container(overlay: str, kind: str, name: str) -> Any:
    found = index(overlay)[kind, "bizra-system", name]
    return found["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_loader_gives_what_kubectl_gives(overlay: str) -> None:
    command = [str(KUBECTL), "kustomize", str(deploy.path(overlay))]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    theirs = {identity(obj): obj for obj in YAML(typ="safe", pure=True).load_all(text)}
    assert index(overlay) == theirs


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_namespace_comes_first_and_every_name_once(overlay: str) -> None:
    found = deploy.manifests(overlay)
    assert found[0]["kind"] == "Namespace"
    assert len(index(overlay)) == len(found)


@pytest.mark.parametrize(
    ("overlay", "replicas", "graphs"), [("embedded", 3, 1), ("production", 12, 3)]
)
def test_the_overlays_differ_in_size(overlay: str, replicas: int, graphs: int) -> None:
    found = index(overlay)
    assert found["Deployment", "bizra-system", "bizra-api"]["spec"]["replicas"] == replicas
    assert found["StatefulSet", "bizra-system", "neo4j"]["spec"]["replicas"] == graphs


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_names_that_the_runbook_uses_are_there(overlay: str) -> None:
    found = set(index(overlay))
    for kind, name in [
        ("Deployment", "bizra-api"),
        ("HorizontalPodAutoscaler", "bizra-api-hpa"),
        ("StatefulSet", "neo4j"),
        ("Service", "bizra-api-service"),
        ("Service", "bizra-api-internal"),
        ("Service", "bizra-api-headless"),
        ("Service", "redis-service"),
        ("Service", "neo4j-service"),
        ("Service", "prometheus-service"),
        ("ServiceAccount", "bizra-api"),
        ("Ingress", "bizra-api-ingress"),
    ]:
        assert (kind, "bizra-system", name) in found


def references(workload: Any) -> Any:
    """The (kind, namespace, name) that a workload's pods need."""
    home, spec = workload["metadata"]["namespace"], workload["spec"]["template"]["spec"]
    if "serviceAccountName" in spec:
        yield "ServiceAccount", home, spec["serviceAccountName"]
    for volume in spec.get("volumes", []):
        if "configMap" in volume:
            yield "ConfigMap", home, volume["configMap"]["name"]
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", home, volume["persistentVolumeClaim"]["claimName"]
    for variable in spec["containers"][0].get("env", []):
        if "secretKeyRef" in variable.get("valueFrom", {}):
            yield "Secret", home, variable["valueFrom"]["secretKeyRef"]["name"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_whatever_a_pod_or_service_refers_to_is_in_the_overlay(overlay: str) -> None:
    """Secrets in the embedded overlay alone: in production, people make them."""
    found = index(overlay)
    workloads = [o for o in found.values() if "template" in o.get("spec", {})]
    needed = {ref for obj in workloads for ref in references(obj)}
    missing = needed - set(found)
    if overlay == "production":
        missing -= {("Secret", "bizra-system", "neo4j-credentials")}
    assert not missing
    labels = [o["spec"]["template"]["metadata"]["labels"] for o in workloads]
    for obj in found.values():
        if obj["kind"] == "Service":
            assert any(obj["spec"]["selector"].items() <= one.items() for one in labels)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_program_is_told_to_listen_on_its_pod_s_address_alone(overlay: str) -> None:
    """A kubelet forwards ports to the pod's 127.0.0.1, where such a program does not answer."""
    for obj in deploy.manifests(overlay):
        # The one controller that there is on the embedded cluster alone.
        if "template" in obj.get("spec", {}) and obj["metadata"]["namespace"] != "ingress-nginx":
            for one in obj["spec"]["template"]["spec"]["containers"]:
                told = [*one.get("args", []), *(e.get("value", "") for e in one.get("env", []))]
                assert not any("$(POD_IP)" in text for text in told), identity(obj)


# What an API server knows of itself; other groups are those of operators.
BUILT_IN = {"", "apps", "autoscaling", "batch", "networking.k8s.io", "policy"}
BUILT_IN |= {"rbac.authorization.k8s.io"}


def test_production_asks_for_nothing_that_a_plain_cluster_does_not_know() -> None:
    for obj in deploy.manifests("production"):
        assert obj["apiVersion"].rpartition("/")[0] in BUILT_IN, identity(obj)
    scaler = index("production")["HorizontalPodAutoscaler", "bizra-system", "bizra-api-hpa"]
    assert {m["type"] for m in scaler["spec"]["metrics"]} == {"Resource"}


@pytest.mark.parametrize("component", sorted(p.name for p in COMPONENTS.iterdir()))
def test_each_component_goes_with_production(component: str, tmp_path: Path) -> None:
    folder = tmp_path / "deploy"
    shutil.copytree(COMPONENTS.parent, folder)
    own = folder / "overlays/own"
    own.mkdir()
    settings = {
        "resources": ["../production"],
        "components": [f"../../components/{component}"],
    }
    (own / "kustomization.yaml").write_text(json.dumps(settings))
    command = [str(KUBECTL), "kustomize", str(own)]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    found = {identity(obj): obj for obj in YAML(typ="safe", pure=True).load_all(text)}
    assert found != index("production")


def test_production_has_the_figures_of_the_real_system() -> None:
    api = container("production", "Deployment", "bizra-api")
    assert api["resources"]["limits"] == {"cpu": "2", "memory": "4Gi"}
    assert api["startupProbe"]["initialDelaySeconds"] == 10
    assert api["readinessProbe"]["periodSeconds"] == 5


def test_prometheus_differs_in_its_intervals_alone() -> None:
    configs = []
    for overlay in OVERLAYS:
        data = index(overlay)["ConfigMap", "bizra-system", "prometheus-config"]["data"]
        configs.append(YAML(typ="safe", pure=True).load(data["prometheus.yml"]))
    quick, slow = configs
    assert quick.pop("global")["scrape_interval"] == "2s"
    assert slow.pop("global")["scrape_interval"] == "15s"
    assert quick == slow
    jobs = [job["job_name"] for job in quick["scrape_configs"]]
    assert jobs == ["bizra-api", "kube-state-metrics", "cadvisor", "prometheus"]


def test_promtool_accepts_the_rules(tmp_path: Path) -> None:
    data = index("embedded")["ConfigMap", "bizra-system", "prometheus-config"]["data"]
    (tmp_path / "rules.yml").write_text(data["bizra-alerts.yml"], encoding="utf-8")
    command = [str(promtool()), "check", "rules", str(tmp_path / "rules.yml")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert checked.returncode == 0, checked.stderr
    assert "3 rules found" in checked.stdout


def test_a_kustomization_beyond_the_reader_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("namePrefix: x-\n", encoding="utf-8")
    with pytest.raises(ValueError, match="namePrefix"):
        deploy._build(tmp_path, [])
