"""One embedded cluster, without the reference service, for all tests of faults."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.kube import Cluster
from service.cluster import embedded
from tests.chaos.cluster_fixture import eventually, make, shop, whole
from tests.cluster.apiserver_fixture import RunningApiServer, running_apiserver


@pytest.fixture(scope="session")
def small_kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("chaos") / "cluster"
    try:
        yield embedded.up(deploy_service=False, directory=directory).kubeconfig
    finally:
        embedded.down(directory)


@pytest.fixture(scope="session")
def cluster(small_kubeconfig: Path) -> Cluster:
    """With a Deployment `web` of three pods and a StatefulSet `store`, all ready at the start."""
    found = Cluster.connect(str(small_kubeconfig))
    make(found, *shop())
    eventually(lambda: whole(found, "Deployment", "web") and whole(found, "StatefulSet", "store"))
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApiServer]:
    with running_apiserver(tmp_path_factory.mktemp("api")) as running:
        yield running
