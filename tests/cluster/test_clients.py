"""What programs built on the official client rely on, of any API server."""

import socket
import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, config
from kubernetes.informer import ADDED, DELETED, MODIFIED, SharedInformer

from service.cluster.kube import CONFIGMAPS, Kube
from tests.cluster.conftest import FOREVER, Cluster, eventually

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

WRITERS, OBJECTS, UPDATES = 4, 500, 3
CHANGES = WRITERS * OBJECTS * (UPDATES + 2)


@pytest.fixture
def api(cluster: Cluster) -> Iterator[client.ApiClient]:
    settings = client.Configuration()
    config.load_kube_config(cluster.kubeconfig, client_configuration=settings)  # type: ignore[no-untyped-call]
    with client.ApiClient(settings) as connected:
        yield connected


def cut(informer: SharedInformer) -> None:
    """The connection of its watch, as a network does: without a word."""
    response = informer._watch._resp if informer._watch else None
    if response is not None and response.connection is not None:
        response.connection.sock.shutdown(socket.SHUT_RDWR)


def write(cluster: Cluster, writer: int) -> None:
    """A life for each object: made, changed, deleted."""
    kube = Kube.connect(cluster.kubeconfig)
    for number in range(OBJECTS):
        name = f"life-{writer}-{number}"
        body = {"metadata": {"name": name, "labels": {"set": "lives"}}, "data": {"n": "0"}}
        kube.create(CONFIGMAPS, body, cluster.namespace)
        for n in range(1, UPDATES + 1):
            kube.patch(CONFIGMAPS, name, {"data": {"n": str(n)}}, cluster.namespace)
        kube.delete(CONFIGMAPS, name, cluster.namespace)


@pytest.mark.timeout(400)
def test_an_informer_sees_ten_thousand_changes_once_each(
    cluster: Cluster, api: client.ApiClient
) -> None:
    """From several writers, and over connections that break on the way."""
    listing = client.CoreV1Api(api).list_namespaced_config_map
    informer = SharedInformer(listing, namespace=cluster.namespace, label_selector="set=lives")
    lives: dict[str, list[str]] = defaultdict(list)
    versions: list[int] = []
    breaks = [CHANGES // 3, CHANGES // 2]

    def told(kind: str) -> Any:
        def handle(obj: client.V1ConfigMap) -> None:
            lives[obj.metadata.name].append(f"{kind} {obj.data['n']}")
            versions.append(int(obj.metadata.resource_version))
            if breaks and len(versions) >= breaks[0]:
                breaks.pop(0)
                cut(informer)

        return handle

    for kind in (ADDED, MODIFIED, DELETED):
        informer.add_event_handler(kind, told(kind))
    informer.start()
    try:
        eventually(lambda: informer._watch is not None)
        threads = [threading.Thread(target=write, args=(cluster, n)) for n in range(WRITERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        eventually(lambda: len(versions) >= CHANGES, within_s=120)
    finally:
        informer.stop()
    updates = [f"MODIFIED {n}" for n in range(1, UPDATES + 1)]
    assert len(lives) == WRITERS * OBJECTS
    assert all(life == ["ADDED 0", *updates, f"DELETED {UPDATES}"] for life in lives.values())
    assert versions == sorted(set(versions))
    assert not breaks
    assert len(informer.cache.list()) == 0


def test_of_two_updates_of_the_same_state_the_second_is_refused(
    cluster: Cluster, api: client.ApiClient
) -> None:
    core = client.CoreV1Api(api)
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="contested"), data={"n": "0"})
    core.create_namespaced_config_map(cluster.namespace, body)
    first, second = (
        core.read_namespaced_config_map("contested", cluster.namespace) for _ in range(2)
    )
    first.data["n"], second.data["n"] = "1", "2"
    core.replace_namespaced_config_map("contested", cluster.namespace, first)
    with pytest.raises(client.ApiException, match="the object has been modified") as refused:
        core.replace_namespaced_config_map("contested", cluster.namespace, second)
    assert refused.value.status == 409
    assert core.read_namespaced_config_map("contested", cluster.namespace).data == {"n": "1"}


def test_a_rollout_that_gets_stuck_is_told_and_undone(
    cluster: Cluster, api: client.ApiClient
) -> None:
    """The old pods go on serving; undo brings back what they are."""
    apps, name = client.AppsV1Api(api), "stuck"
    container = {"name": "c", "image": "busybox:1.36", "command": FOREVER}
    labels = {"app": name}
    spec = {
        "replicas": 3,
        "progressDeadlineSeconds": 5,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
        },
    }
    body = {"metadata": {"name": name}, "spec": spec}
    apps.create_namespaced_deployment(cluster.namespace, body)
    cluster.said("rollout", "status", f"deployment/{name}", "--timeout=60s")
    cluster.said("set", "image", f"deployment/{name}", "c=registry.invalid/nothing:1")
    stuck = cluster.kubectl("rollout", "status", f"deployment/{name}", "--timeout=60s")
    assert stuck.returncode == 1
    assert f'deployment "{name}" exceeded its progress deadline' in stuck.stderr
    status = apps.read_namespaced_deployment(name, cluster.namespace).status
    assert status.available_replicas == 3
    progressing = next(c for c in status.conditions if c.type == "Progressing")
    assert (progressing.status, progressing.reason) == ("False", "ProgressDeadlineExceeded")
    pods = client.CoreV1Api(api).list_namespaced_pod(
        cluster.namespace, label_selector=f"app={name}"
    )
    waiting = [s.state.waiting for p in pods.items for s in p.status.container_statuses or []]
    assert {w.reason for w in waiting if w} <= {"ErrImagePull", "ImagePullBackOff"}
    assert any(waiting)
    cluster.said("rollout", "undo", f"deployment/{name}")
    cluster.said("rollout", "status", f"deployment/{name}", "--timeout=60s")
    after = apps.read_namespaced_deployment(name, cluster.namespace)
    assert after.spec.template.spec.containers[0].image == "busybox:1.36"
    assert after.status.updated_replicas == after.status.replicas == 3
    apps.delete_namespaced_deployment(name, cluster.namespace)
