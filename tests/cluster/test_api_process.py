"""The API server as a process: who gets in, and what a restart leaves."""

import os
import signal
from pathlib import Path

import pytest
from kubernetes import client, config
from kubernetes.informer import DELETED, SharedInformer

from service.cluster.apiserver.tables import human_duration
from service.cluster.kube import CONFIGMAPS, NAMESPACES, SERVICES, ApiError, GoneError, Kube
from tests.cluster.apiserver_fixture import running_apiserver
from tests.cluster.ground import eventually
from tests.cluster.test_api_behaviour import config_map

NS = "default"


def test_nobody_gets_in_without_a_token(tmp_path: Path) -> None:
    with running_apiserver(tmp_path / "server") as server:
        stranger = tmp_path / "kubeconfig"
        stranger.write_text(server.kubeconfig.read_text().replace("admin-token", "guessed"))
        with pytest.raises(ApiError) as caught:
            Kube.connect(str(stranger)).list(NAMESPACES)
    assert caught.value.status == 401


def test_state_survives_kill_9_and_old_watches_are_told_to_list_again(tmp_path: Path) -> None:
    with running_apiserver(tmp_path / "server") as server:
        kube = server.kube
        version = kube.list(CONFIGMAPS)["metadata"]["resourceVersion"]
        for number in range(20):
            kube.create(CONFIGMAPS, config_map(f"kept-{number}"), NS)
        assert server.process is not None
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        server.start()
        assert len(kube.list(CONFIGMAPS, NS)["items"]) == 20
        with pytest.raises(GoneError):
            list(kube.watch(CONFIGMAPS, version, NS, timeout_s=1))
        made = kube.create(CONFIGMAPS, config_map("after"), NS)
        assert int(made["metadata"]["resourceVersion"]) > int(version) + 20


def test_an_informer_finds_what_it_missed_while_the_server_was_dead(tmp_path: Path) -> None:
    """Its version is too old for the new process (410): it lists, and misses no deletion."""
    with running_apiserver(tmp_path / "server") as server:
        kube = server.kube
        for name in ("stays", "goes"):
            kube.create(CONFIGMAPS, config_map(name), NS)
        settings = client.Configuration()
        config.load_kube_config(str(server.kubeconfig), client_configuration=settings)  # type: ignore[no-untyped-call]
        listing = client.CoreV1Api(client.ApiClient(settings)).list_namespaced_config_map
        informer, gone = SharedInformer(listing, namespace=NS), []
        informer.add_event_handler(DELETED, lambda obj: gone.append(obj.metadata.name))
        informer.start()
        try:
            eventually(lambda: len(informer.cache.list()) == 2)
            assert server.process is not None
            server.process.kill()
            server.process.wait()
            server.start()
            kube.delete(CONFIGMAPS, "goes", NS)
            kube.create(CONFIGMAPS, config_map("comes"), NS)
            held = {"stays", "comes"}
            eventually(lambda: {o.metadata.name for o in informer.cache.list()} == held)
        finally:
            informer.stop()
        assert gone == ["goes"]


def test_a_load_balancer_has_the_address_of_its_service(tmp_path: Path) -> None:
    body = {"spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}, "metadata": {"name": "one"}}
    with running_apiserver(tmp_path / "server") as server:
        made = server.kube.create(SERVICES, body, NS)
        assert made["status"]["loadBalancer"]["ingress"][0]["ip"] == made["spec"]["clusterIP"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (185, "3m5s"),
        (660, "11m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 300, "3h5m"),
        (9 * 3600, "9h"),
        (50 * 3600, "2d2h"),
        (9 * 86400, "9d"),
    ],
)
def test_ages_read_as_kubectl_prints_them(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text
