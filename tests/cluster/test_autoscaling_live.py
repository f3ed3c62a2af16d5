"""HorizontalPodAutoscaler against the API server: what kubectl shows of it, and that it scales."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from service.cluster.controllers.objects import AUTOSCALERS
from service.cluster.kube import DEPLOYMENTS, PODS
from tests.cluster.ground import Ground, eventually
from tests.cluster.objects import Json, template

pytestmark = pytest.mark.slow

PORT = 18080


class Counting(BaseHTTPRequestHandler):
    """Each scrape finds 5,000 requests more than the one before."""

    seen = 0

    def do_GET(self) -> None:
        type(self).seen += 5000
        body = f"# TYPE http_requests_total counter\nhttp_requests_total {self.seen}\n".encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - its name there
        """Quiet."""


@contextmanager
def metrics_at(address: str) -> Iterator[None]:
    server = ThreadingHTTPServer((address, PORT), type("Own", (Counting,), {}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def autoscaler(metric: Json) -> Json:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    return {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 3, "metrics": [metric]}


def told(ground: Ground, kind: str) -> tuple[str, str]:
    found = (ground.get(AUTOSCALERS, "web").get("status") or {}).get("conditions") or []
    one: Json = next((c for c in found if c["type"] == kind), {})
    return one.get("status", ""), one.get("reason", "")


def test_it_scales_by_a_metric_of_the_pods_and_says_so(ground: Ground) -> None:
    ports = [{"containerPort": PORT, "name": "http"}]
    ground.deployment(1, template=template(ports=ports))
    eventually(lambda: ground.settled(1))
    (pod,) = ground.all(PODS)
    metric = {"metric": {"name": "http_requests_per_second"}}
    rate = {"type": "Pods", "pods": {**metric, "target": {"type": "AverageValue"}}}
    rate["pods"]["target"]["averageValue"] = "10"  # type: ignore[index]
    with metrics_at(pod["status"]["podIP"]):
        ground.create(AUTOSCALERS, "web", autoscaler(rate))
        # The first look has nothing to take a rate from.
        eventually(lambda: told(ground, "ScalingActive") == ("False", "FailedGetPodsMetric"))
        ground.patch(AUTOSCALERS, "web", {"spec": {"maxReplicas": 4}})
        eventually(lambda: ground.settled(4))
    assert told(ground, "ScalingLimited") == ("True", "TooManyReplicas")
    shown = ground.kubectl("describe", "hpa", "web").stdout
    for text in (
        "New size: 4; reason: pods metric http_requests_per_second above target",
        "the HPA was able to successfully calculate a replica count from pods metric",
        "unable to get metric http_requests_per_second: no metrics returned from custom metrics",
    ):
        assert text in shown, shown
    row = ground.kubectl("get", "hpa", "web", "--no-headers").stdout.split()
    assert row[:2] == ["web", "Deployment/web"], row


def test_limits_hold_without_metrics_and_missing_ones_are_named(ground: Ground) -> None:
    ground.deployment(6)
    eventually(lambda: ground.settled(6))
    target = {"type": "Utilization", "averageUtilization": 50}
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    ground.create(AUTOSCALERS, "web", autoscaler(cpu))
    eventually(lambda: ground.settled(3))
    shown = ground.kubectl("describe", "hpa", "web").stdout
    assert "New size: 3; reason: Current number of replicas above Spec.MaxReplicas" in shown
    ground.patch(AUTOSCALERS, "web", {"spec": {"maxReplicas": 4}})
    eventually(lambda: told(ground, "ScalingActive") == ("False", "FailedGetResourceMetric"))
    assert ground.get(DEPLOYMENTS, "web")["spec"]["replicas"] == 3
    ground.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 0}})
    ground.patch(AUTOSCALERS, "web", {"spec": {"maxReplicas": 3}})
    eventually(lambda: told(ground, "ScalingActive") == ("False", "ScalingDisabled"))
    assert ground.get(DEPLOYMENTS, "web")["spec"]["replicas"] == 0


def test_a_target_that_is_not_there_is_said(ground: Ground) -> None:
    target = {"type": "Utilization", "averageUtilization": 50}
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    ground.create(AUTOSCALERS, "web", autoscaler(cpu))
    eventually(lambda: told(ground, "AbleToScale") == ("False", "FailedGetScale"))
    shown = eventually(lambda: ground.kubectl("describe", "hpa", "web").stdout)
    assert 'deployments.apps "web" not found' in shown
