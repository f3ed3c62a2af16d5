"""Several nodes: where pods go, and what drain, taints and disruption budgets do with them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from service.cluster.controllers.objects import DAEMON_SETS, DISRUPTION_BUDGETS
from service.cluster.kube import DEPLOYMENTS, NODES, PODS, Json, Resource
from tests.cluster.conftest import FOREVER, Cluster, eventually

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

APP = "spread-out"
APART = {
    "podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {
                "labelSelector": {"matchLabels": {"app": APP}},
                "topologyKey": "kubernetes.io/hostname",
            }
        ]
    }
}


def body(name: str, replicas: int | None = None, **spec: Any) -> Json:
    container = {"name": "c", "image": "busybox:1.36", "command": FOREVER}
    pod = {"terminationGracePeriodSeconds": 1, "containers": [container], **spec}
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    found: Json = {"selector": {"matchLabels": {"app": name}}, "template": template}
    if replicas is not None:
        found["replicas"] = replicas
    return {"metadata": {"name": name}, "spec": found}


@contextmanager
def made(cluster: Cluster, resource: Resource, obj: Json) -> Iterator[None]:
    cluster.kube.create(resource, obj, cluster.namespace)
    try:
        yield
    finally:
        cluster.kube.delete(resource, obj["metadata"]["name"], cluster.namespace)
        app = obj["metadata"]["name"]
        eventually(lambda: not places(cluster, app))


def places(cluster: Cluster, app: str, *, ready: bool = False) -> list[str]:
    """The nodes of an application's pods."""
    found = cluster.kube.list(PODS, cluster.namespace, labels=f"app={app}")["items"]
    names = [p["spec"].get("nodeName", "") for p in found]
    if ready:
        kept = [cluster.is_ready(p["metadata"]["name"]) for p in found]
        return sorted(n for n, up in zip(names, kept, strict=True) if up)
    return sorted(names)


def nodes(cluster: Cluster) -> list[str]:
    return sorted(n["metadata"]["name"] for n in cluster.kube.list(NODES)["items"])


def budget(least: int) -> Json:
    selector = {"matchLabels": {"app": APP}}
    return {"metadata": {"name": APP}, "spec": {"minAvailable": least, "selector": selector}}


def test_drain_moves_pods_within_their_budget(cluster: Cluster) -> None:
    with made(cluster, DEPLOYMENTS, body(APP, 2, affinity=APART)):
        eventually(lambda: len(places(cluster, APP, ready=True)) == 2)
        first, second = places(cluster, APP)
        assert first != second
        cluster.kube.create(DISRUPTION_BUDGETS, budget(2), cluster.namespace)
        drain = ("drain", first, "--ignore-daemonsets", f"--pod-selector=app={APP}")
        try:
            eventually(
                lambda: cluster.said("get", "pdb", APP, "-o", "jsonpath={.status.expectedPods}")
            )
            refused = cluster.kubectl(*drain, "--timeout=2s")
            assert refused.returncode == 1
            violation = "Cannot evict pod as it would violate the pod's disruption budget."
            assert violation in refused.stderr
            assert places(cluster, APP) == sorted([first, second])
            assert "SchedulingDisabled" in cluster.said("get", "node", first)
            cluster.kube.patch(
                DISRUPTION_BUDGETS, APP, {"spec": {"minAvailable": 1}}, cluster.namespace
            )
            done = cluster.said(*drain, "--timeout=60s")
            assert f"node/{first} drained" in done
            third = next(n for n in nodes(cluster) if n not in (first, second))
            eventually(lambda: places(cluster, APP, ready=True) == sorted([second, third]))
        finally:
            cluster.said("uncordon", first)
            cluster.kube.delete(DISRUPTION_BUDGETS, APP, cluster.namespace)
        assert "SchedulingDisabled" not in cluster.said("get", "node", first)


def test_what_fits_nowhere_says_why_and_starts_when_there_is_room(cluster: Cluster) -> None:
    every = nodes(cluster)
    with made(cluster, DEPLOYMENTS, body(APP, len(every) + 1, affinity=APART)):
        eventually(lambda: len(places(cluster, APP, ready=True)) == len(every))
        (left,) = [
            p["metadata"]["name"]
            for p in cluster.kube.list(PODS, cluster.namespace, labels=f"app={APP}")["items"]
            if not p["spec"].get("nodeName")
        ]
        rules = "node(s) didn't match pod anti-affinity rules"
        text = f"0/{len(every)} nodes are available: {len(every)} {rules}."
        eventually(lambda: text in cluster.said("describe", "pod", left))
        assert cluster.said("get", "pod", left).split()[7] == "Pending"
        cluster.said("scale", "deployment", APP, f"--replicas={len(every)}")
        eventually(lambda: len(places(cluster, APP)) == len(every))
    with cluster.pod("greedy", {"resources": {"requests": {"cpu": "5000"}}}):
        text = f"0/{len(every)} nodes are available: {len(every)} Insufficient cpu."
        eventually(lambda: any(text in t for t in cluster.told("greedy", "FailedScheduling")))


def test_a_taint_drives_out_who_does_not_tolerate_it(cluster: Cluster) -> None:
    node = nodes(cluster)[-1]
    here = {"kubernetes.io/hostname": node}
    forever = {"key": "broken", "operator": "Exists", "effect": "NoExecute"}
    tolerations = [{**forever, "tolerationSeconds": 600}]
    with (
        cluster.pod("tough", nodeSelector=here, tolerations=tolerations),
        cluster.pod("tender", nodeSelector=here),
    ):
        eventually(lambda: cluster.is_ready("tough") and cluster.is_ready("tender"))
        cluster.said("taint", "node", node, "broken=yes:NoExecute")
        try:
            eventually(lambda: cluster.is_gone("tender"))
            assert cluster.told("tender", "TaintManagerEviction")
            assert cluster.is_ready("tough")
        finally:
            cluster.said("taint", "node", node, "broken-")


def test_a_daemon_set_runs_everywhere_and_is_updated(cluster: Cluster) -> None:
    every = nodes(cluster)
    daemon = body("daemon")
    daemon["spec"]["updateStrategy"] = {"type": "RollingUpdate"}
    with made(cluster, DAEMON_SETS, daemon):
        status = ("rollout", "status", "daemonset/daemon", "--timeout=60s")
        assert "successfully rolled out" in cluster.said(*status)
        assert places(cluster, "daemon") == every
        cluster.said("set", "env", "daemonset/daemon", "ROUND=2")
        assert "successfully rolled out" in cluster.said(*status)
        assert places(cluster, "daemon", ready=True) == every
        history = cluster.said("rollout", "history", "daemonset/daemon")
        assert history.split()[3:] == ["1", "<none>", "2", "<none>"], history
