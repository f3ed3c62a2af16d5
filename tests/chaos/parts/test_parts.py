"""Parts, completed by a look at a real API server; and sentences where there is not one answer."""

from collections.abc import Iterator
from typing import Any

import pytest

from chaos.discovery.parts import find_parts
from chaos.kube import Cluster, Json, Ref
from chaos.kube.kinds import INGRESS
from chaos.kube.system_under_test import SystemUnderTest
from chaos.parts.doors import certificate_of, door_of
from chaos.parts.find import PartError
from chaos.parts.graph import Graph
from chaos.parts.secrets import reads, rotated_by
from chaos.parts.volume import claim_of, files_of
from slo.runbook.reader import survey
from slo.system.parts import (
    AnyPart,
    CertificatePart,
    IngressPart,
    Neo4jPart,
    SecretPart,
    VolumePart,
)
from tests.chaos.cluster_fixture import workload
from tests.cluster.apiserver_fixture import RunningApiServer

NS = "default"


def graph(name: str = "graph", image: str = "docker.io/library/neo4j:5.26") -> Json:
    """A StatefulSet with its password from a Secret and its files on a claim."""
    found = workload("StatefulSet", name)
    found["metadata"]["namespace"] = NS
    (container,) = found["spec"]["template"]["spec"]["containers"]
    ref = {"name": "graph-login", "key": "password"}
    container |= {
        "image": image,
        "env": [{"name": "GRAPH_PASSWORD", "valueFrom": {"secretKeyRef": ref}}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    storage = {"resources": {"requests": {"storage": "1Mi"}}, "accessModes": ["ReadWriteOnce"]}
    found["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": storage}]
    return found


def service(name: str, port: int, **spec: Any) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NS},
        "spec": {"selector": {"app": "graph"}, "ports": [{"port": port}], **spec},
    }


@pytest.fixture
def cluster(server: RunningApiServer) -> Iterator[Cluster]:
    """Objects that a test makes are gone after it."""
    found = Cluster.connect(str(server.kubeconfig))
    made: list[Json] = []
    create = found.create

    def remember(manifest: Json) -> Json:
        made.append(manifest)
        return create(manifest)

    found.create = remember  # type: ignore[method-assign]
    yield found
    for manifest in made:
        found.delete(Ref.to(manifest))


def system(cluster: Cluster, *parts: AnyPart) -> SystemUnderTest:
    return SystemUnderTest(cluster=cluster, namespace=NS, workload="web", url="", parts=parts)


def test_a_neo4j_is_found_by_its_image_with_all_that_drills_need(cluster: Cluster) -> None:
    for manifest in (
        graph(),
        service("graph-headless", 7687, clusterIP="None"),
        service("graph-http", 7474),
        service("graph-bolt", 7687),
    ):
        cluster.create(manifest)
    where = system(cluster)
    found = Graph.of(where)
    assert (found.kind, found.name, found.selector) == ("StatefulSet", "graph", "app=graph")
    assert found.secret == ("graph-login", "password")
    assert found.service(where) == "graph-bolt"
    assert (found.files.claim, found.files.backup) == ("data-graph-0", "neo4j-backup")


def test_what_system_yaml_names_is_taken_as_it_stands(cluster: Cluster) -> None:
    cluster.create(graph(image="my/own-build:1"))
    part = Neo4jPart(
        name="the graph", kind="neo4j", workload="graph", secret="a", key="b", claim="c"
    )
    found = Graph.of(system(cluster, part), "recovery of the graph")
    assert (found.secret, found.files.claim) == (("a", "b"), "c")


def test_none_and_several_and_a_wrong_name_are_sentences_with_the_yaml(cluster: Cluster) -> None:
    with pytest.raises(PartError, match="namespace default has no workload with an image of Neo4j"):
        Graph.of(system(cluster))
    cluster.create(graph())
    cluster.create(graph("other"))
    with pytest.raises(PartError) as error:
        Graph.of(system(cluster))
    assert "(graph, other)" in str(error.value)
    assert "add to system.yaml: parts: [{name: Neo4j, kind: neo4j, workload: NAME}]" in str(
        error.value
    )
    wrong = Neo4jPart(name="Neo4j", kind="neo4j", workload="grph")
    with pytest.raises(PartError, match="has no workload 'grph', which"):
        Graph.of(system(cluster, wrong))
    lonely = Graph.of(system(cluster, wrong.model_copy(update={"workload": "other"})))
    with pytest.raises(PartError, match="no Service of other has port 7687"):
        lonely.service(system(cluster))


def test_the_only_ingress_is_the_door_and_a_certificate_needs_its_kind(cluster: Cluster) -> None:
    with pytest.raises(PartError, match="has no Ingress; add to"):
        door_of(system(cluster))
    with pytest.raises(PartError, match="has no Certificate"):
        certificate_of(system(cluster))
    named = CertificatePart(name="c", kind="certificate", certificate="shop", secret="shop-tls")
    assert certificate_of(system(cluster, named)).secret == "shop-tls"
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rule = {"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    spec = {"rules": [rule, {"host": "shop.example", **rule}], "tls": [{"secretName": "t"}]}
    ref = Ref(INGRESS, "shop", NS)
    manifest = {
        "apiVersion": INGRESS.api_version,
        "kind": "Ingress",
        "metadata": {"name": "shop"},
        "spec": spec,
    }
    cluster.make(ref, manifest)
    try:
        door = door_of(system(cluster))
        assert (door.host, door.path, door.address, door.tls) == ("shop.example", "/", "", True)
        own = IngressPart(name="the door", kind="ingress", host="other", path="/up")
        assert door_of(system(cluster, own)).host == "other"
    finally:
        cluster.delete(ref)


def test_init_writes_the_parts_that_it_sees(cluster: Cluster) -> None:
    assert find_parts(cluster, NS) == []
    cluster.create(graph())
    cache = workload("Deployment", "cache")
    cache["metadata"]["namespace"] = NS
    cache["spec"]["template"]["spec"]["containers"][0]["image"] = "redis:7"
    cluster.create(cache)
    first, second = find_parts(cluster, NS)
    assert first == {
        "name": "Neo4j",
        "kind": "neo4j",
        "workload": "graph",
        "workload_kind": "StatefulSet",
    }
    assert (second["kind"], second["workload"]) == ("redis", "cache")


def test_the_secret_is_the_one_that_the_commands_name(cluster: Cluster) -> None:
    for name in ("shop-token", "other-token"):
        metadata = {"name": name, "namespace": NS}
        cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})
    book = "# A\n\n## Rotate the secret\n\n```bash\nkubectl delete secret {}\n```\n"
    procedure = survey(book.format("shop-token"), "a.md").procedures[0]
    assert rotated_by(system(cluster), procedure).name == "shop-token"
    part = SecretPart(name="the API key", kind="secret", secret="other-token", key="k")
    assert rotated_by(system(cluster, part), procedure).name == "shop-token"
    unnamed = survey(book.format("$NAME"), "a.md").procedures[0]
    assert rotated_by(system(cluster, part), unnamed).key == "k"
    with pytest.raises(PartError, match="name no Secret that is here; add to"):
        rotated_by(system(cluster), unnamed)


def test_pods_that_read_a_secret_when_they_start_are_known() -> None:
    ref = {"secretKeyRef": {"name": "token", "key": "k"}}
    one = {"containers": [{"name": "a", "env": [{"name": "T", "valueFrom": ref}]}]}
    all_of_it = {"containers": [{"name": "a", "envFrom": [{"secretRef": {"name": "token"}}]}]}
    mounted = {
        "containers": [{"name": "a"}],
        "volumes": [{"name": "v", "secret": {"secretName": "token"}}],
    }
    assert reads(one, "token")
    assert reads(all_of_it, "token")
    assert not reads(one, "other")
    assert not reads(mounted, "token")  # the kubelet writes the new value there


def test_a_claim_is_the_only_one_or_has_to_be_named(cluster: Cluster) -> None:
    found = workload("Deployment", "web")
    found["metadata"]["namespace"] = NS
    part = VolumePart(name="orders", kind="volume")
    cluster.create(found)
    with pytest.raises(PartError, match="nobody says which claim has the files of orders"):
        files_of(system(cluster), part)
    volumes = [{"name": n, "persistentVolumeClaim": {"claimName": f"{n}-1"}} for n in ("a", "b")]
    found["spec"]["template"]["spec"]["volumes"] = volumes[:1]
    assert claim_of(found, None) == "a-1"
    found["spec"]["template"]["spec"]["volumes"] = volumes
    assert claim_of(found, None) == ""
    assert claim_of(found, "b-1") == "b-1"
    daemon = VolumePart(name="o", kind="volume", workload="x", workload_kind="DaemonSet")
    with pytest.raises(PartError, match="has no DaemonSet 'x'"):
        files_of(system(cluster), daemon)
