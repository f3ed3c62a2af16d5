"""Autoscalers by what real pods really use, through metrics.k8s.io."""

import pytest

from service.cluster.controllers.autoscaling.vertical import VERTICAL
from service.cluster.controllers.objects import AUTOSCALERS
from service.cluster.kube import DEPLOYMENTS, Json
from tests.cluster.conftest import PYTHON, Cluster, eventually

pytestmark = [pytest.mark.slow, pytest.mark.cluster]


def test_a_busy_deployment_is_scaled_and_given_a_recommendation(cluster: Cluster) -> None:
    home, kube = cluster.namespace, cluster.kube
    busy = {"name": "c", "image": PYTHON, "command": ["python3", "-c", "while True: pass"]}
    busy["resources"] = {"requests": {"cpu": "20m"}, "limits": {"cpu": "100m", "memory": "64Mi"}}  # type: ignore[assignment]
    template = {"metadata": {"labels": {"app": "busy"}}, "spec": {"containers": [busy]}}
    spec = {"selector": {"matchLabels": {"app": "busy"}}, "template": template}
    kube.create(DEPLOYMENTS, {"metadata": {"name": "busy"}, "spec": spec}, home)
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "busy"}
    target = {"type": "Utilization", "averageUtilization": 50}
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    scaling = {"scaleTargetRef": ref, "minReplicas": 1, "maxReplicas": 2, "metrics": [metric]}
    kube.create(AUTOSCALERS, {"metadata": {"name": "busy"}, "spec": scaling}, home)
    vertical: Json = {"targetRef": ref, "updatePolicy": {"updateMode": "Off"}}
    kube.create(VERTICAL, {"metadata": {"name": "busy"}, "spec": vertical}, home)
    try:
        row = eventually(
            lambda: (
                (r := cluster.said("get", "hpa", "busy", "--no-headers").split())[6] == "2" and r
            ),
            within_s=120,
        )
        assert int(row[3].partition("%")[0]) > 100, row
        text = "New size: 2; reason: cpu resource utilization (percentage of request) above target"
        assert text in cluster.said("describe", "hpa", "busy")
        shown = eventually(
            lambda: "Upper Bound" in (t := cluster.said("describe", "vpa", "busy")) and t
        )
        assert "Container Name:  c" in shown
    finally:
        kube.delete(AUTOSCALERS, "busy", home)
        kube.delete(VERTICAL, "busy", home)
        kube.delete(DEPLOYMENTS, "busy", home)
