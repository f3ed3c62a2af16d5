"""What clients rely on of any API server: official client, real kubectl, plain requests."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, config

from service.cluster.kube import (
    CONFIGMAPS,
    DEPLOYMENTS,
    JSON_PATCH,
    NAMESPACES,
    PODS,
    SERVICES,
    STRATEGIC_PATCH,
    ApiError,
    ConflictError,
    Kube,
    NotFoundError,
)
from tests.cluster.apiserver_fixture import AnyApiServer, any_apiserver

NS = f"gameday-api-{os.getpid()}" if "KUBECONFIG" in os.environ else "default"
pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnyApiServer]:
    with any_apiserver(tmp_path_factory.mktemp("api") / "server") as running:
        yield running


@pytest.fixture(scope="module")
def kube(server: AnyApiServer) -> Kube:
    return server.kube


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {"set": name.partition("-")[0]}}, "data": data}


def pod(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "busybox:1"}], **spec},
    }


def deployment(name: str) -> dict[str, Any]:
    labels = {"app": name}
    container = {"name": "c", "image": "busybox:1"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def test_an_object_lives_from_create_to_delete(kube: Kube) -> None:
    made = kube.create(CONFIGMAPS, config_map("life", a="1"), NS)
    assert made["metadata"]["uid"]
    kube.patch(CONFIGMAPS, "life", {"data": {"b": "2"}}, NS)
    assert kube.get(CONFIGMAPS, "life", NS)["data"] == {"a": "1", "b": "2"}
    kube.delete(CONFIGMAPS, "life", NS)
    with pytest.raises(NotFoundError, match='configmaps "life" not found'):
        kube.get(CONFIGMAPS, "life", NS)


def test_a_stale_update_is_a_conflict_and_the_fresh_one_wins(kube: Kube) -> None:
    made = kube.create(CONFIGMAPS, config_map("stale", a="1"), NS)
    kube.replace(CONFIGMAPS, "stale", {**made, "data": {"a": "2"}}, NS)
    with pytest.raises(ConflictError, match="the object has been modified"):
        kube.replace(CONFIGMAPS, "stale", {**made, "data": {"a": "3"}}, NS)
    assert kube.get(CONFIGMAPS, "stale", NS)["data"] == {"a": "2"}


def test_refusals_are_worded_as_people_know_them(kube: Kube) -> None:
    kube.create(CONFIGMAPS, config_map("twice"), NS)
    with pytest.raises(ConflictError, match='configmaps "twice" already exists'):
        kube.create(CONFIGMAPS, config_map("twice"), NS)
    with pytest.raises(NotFoundError, match='namespaces "nowhere" not found'):
        kube.create(CONFIGMAPS, config_map("x"), "nowhere")
    with pytest.raises(ApiError, match="lowercase RFC 1123 subdomain") as caught:
        kube.create(CONFIGMAPS, config_map("Bad_Name"), NS)
    assert caught.value.status == 422
    wrong = deployment("wrong")
    wrong["spec"]["selector"]["matchLabels"] = {"app": "other"}
    with pytest.raises(ApiError, match="does not match template"):
        kube.create(DEPLOYMENTS, wrong, NS)


def test_a_generated_name_starts_as_asked(kube: Kube) -> None:
    made = kube.create(CONFIGMAPS, {"metadata": {"generateName": "made-"}}, NS)
    assert made["metadata"]["name"].startswith("made-")
    assert len(made["metadata"]["name"]) == len("made-") + 5


def test_generation_counts_the_spec_and_status_has_a_door_of_its_own(kube: Kube) -> None:
    made = kube.create(DEPLOYMENTS, deployment("parts"), NS)
    assert made["metadata"]["generation"] == 1
    assert made["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == "25%"
    status = {"status": {"replicas": 7}}
    assert kube.patch(DEPLOYMENTS, "parts", status, NS).get("status", {}).get("replicas") != 7
    after = kube.patch(DEPLOYMENTS, "parts", status, NS, sub="status")
    assert (after["status"]["replicas"], after["metadata"]["generation"]) == (7, 1)
    scaled = kube.patch(DEPLOYMENTS, "parts", {"spec": {"replicas": 3}}, NS, sub="scale")
    assert scaled["spec"] == {"replicas": 3}
    assert kube.get(DEPLOYMENTS, "parts", NS)["metadata"]["generation"] == 2


def test_all_three_kinds_of_patch(kube: Kube) -> None:
    kube.create(DEPLOYMENTS, deployment("patched"), NS)
    image = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i:2"}]}}}}
    kube.patch(DEPLOYMENTS, "patched", image, NS, content_type=STRATEGIC_PATCH)
    operation = [{"op": "replace", "path": "/spec/replicas", "value": 4}]
    kube.patch(DEPLOYMENTS, "patched", operation, NS, content_type=JSON_PATCH)
    after = kube.patch(DEPLOYMENTS, "patched", {"metadata": {"labels": {"x": "y"}}}, NS)
    assert after["spec"]["replicas"] == 4
    assert after["metadata"]["labels"] == {"x": "y"}
    (container,) = after["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "i:2"
    assert container["imagePullPolicy"] == "IfNotPresent"


def test_a_bound_pod_is_given_time_to_end_and_an_unbound_one_is_not(kube: Kube) -> None:
    kube.create(PODS, pod("unbound", schedulerName="nobody"), NS)
    kube.delete(PODS, "unbound", NS)
    with pytest.raises(NotFoundError):
        kube.get(PODS, "unbound", NS)
    kube.create(PODS, pod("bound", schedulerName="nobody", terminationGracePeriodSeconds=42), NS)
    binding = {"metadata": {"name": "bound"}, "target": {"name": "some-node"}}
    kube.request("POST", PODS.path(NS, "bound", "binding"), body=binding)
    kube.delete(PODS, "bound", NS)
    ending = kube.get(PODS, "bound", NS)["metadata"]
    assert ending["deletionGracePeriodSeconds"] == 42
    assert ending["deletionTimestamp"]
    kube.delete(PODS, "bound", NS, grace_s=0)
    with pytest.raises(NotFoundError):
        kube.get(PODS, "bound", NS)


def test_a_finalizer_holds_a_deleted_object(kube: Kube) -> None:
    body = config_map("held")
    body["metadata"]["finalizers"] = ["example.com/hold"]
    kube.create(CONFIGMAPS, body, NS)
    kube.delete(CONFIGMAPS, "held", NS)
    assert kube.get(CONFIGMAPS, "held", NS)["metadata"]["deletionTimestamp"]
    kube.patch(CONFIGMAPS, "held", {"metadata": {"finalizers": None}}, NS)
    with pytest.raises(NotFoundError):
        kube.get(CONFIGMAPS, "held", NS)


def test_a_uid_protects_the_successor_of_a_name(kube: Kube) -> None:
    kube.create(CONFIGMAPS, config_map("again"), NS)
    with pytest.raises(ConflictError):
        kube.delete(CONFIGMAPS, "again", NS, uid="00000000-0000-0000-0000-000000000000")
    assert kube.get(CONFIGMAPS, "again", NS)


def test_an_eviction_respects_the_budget(kube: Kube, server: AnyApiServer) -> None:
    guarded = pod("guarded", schedulerName="nobody")
    guarded["metadata"]["labels"] = {"app": "guarded"}
    kube.create(PODS, guarded, NS)
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "guard"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "guarded"}}},
    }
    server.kubectl("apply", "-f", "-", stdin=json.dumps(budget))
    kube.patch(PODS, "guarded", {"status": {"phase": "Running"}}, NS, sub="status")
    path, named = PODS.path(NS, "guarded", "eviction"), {"metadata": {"name": "guarded"}}
    with pytest.raises(ApiError, match="name in URL does not match name in Eviction object"):
        kube.request("POST", path, body={})
    with pytest.raises(ApiError, match="disruption budget") as caught:
        kube.request("POST", path, body=named)
    assert caught.value.status == 429
    kube.patch(PODS, "guarded", {"status": {"phase": "Failed"}}, NS, sub="status")
    kube.request("POST", f"{path}?dryRun=All", body=named)
    assert "deletionTimestamp" not in kube.get(PODS, "guarded", NS)["metadata"]
    kube.request("POST", path, body=named)  # guards nothing any more


def test_a_list_of_objects_is_applied(kube: Kube, server: AnyApiServer) -> None:
    items = [{"apiVersion": "v1", "kind": "ConfigMap", **config_map(f"of-{n}")} for n in "ab"]
    whole = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    server.kubectl("apply", "-f", "-", stdin=whole)
    assert {c["metadata"]["name"] for c in kube.list(CONFIGMAPS, NS)["items"]} >= {"of-a", "of-b"}


def test_services_get_addresses_of_their_own(kube: Kube) -> None:
    body = {"spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}}
    first = kube.create(SERVICES, {"metadata": {"name": "one"}, **body}, NS)
    second = kube.create(SERVICES, {"metadata": {"name": "two"}, **body}, NS)
    assert first["spec"]["clusterIP"] != second["spec"]["clusterIP"]
    ports = {s["spec"]["ports"][0]["nodePort"] for s in (first, second)}
    assert len(ports) == 2
    with pytest.raises(ApiError, match="may not change once set"):
        kube.patch(SERVICES, "one", {"spec": {"clusterIP": "10.96.77.77"}}, NS)


def test_selectors_choose(kube: Kube) -> None:
    for name in ("red-1", "red-2", "blue-1"):
        kube.create(CONFIGMAPS, config_map(name), NS)

    def names(**selectors: str) -> set[str]:
        return {o["metadata"]["name"] for o in kube.list(CONFIGMAPS, NS, **selectors)["items"]}

    assert names(labels="set=red") == {"red-1", "red-2"}
    assert names(labels="set in (blue,green)") == {"blue-1"}
    assert names(fields="metadata.name=red-2") == {"red-2"}
    assert names(labels="set=red,set!=red") == set()
    with pytest.raises(ApiError) as caught:
        names(labels="set=(")
    assert caught.value.status == 400


def test_pages_of_a_list_hold_every_object_once(kube: Kube, server: AnyApiServer) -> None:
    for number in range(7):
        kube.create(CONFIGMAPS, config_map(f"page-{number}"), NS)
    listed = server.kubectl("get", "cm", "-l", "set=page", "-o", "name", "--chunk-size=3")
    assert listed.split() == [f"configmap/page-{n}" for n in range(7)]


def test_a_watch_tells_what_happens_and_what_leaves_its_selection(kube: Kube) -> None:
    version = kube.list(CONFIGMAPS)["metadata"]["resourceVersion"]
    kube.create(CONFIGMAPS, config_map("seen"), NS)
    kube.patch(CONFIGMAPS, "seen", {"data": {"a": "1"}}, NS)
    kube.patch(CONFIGMAPS, "seen", {"metadata": {"labels": {"set": "else"}}}, NS)
    kube.delete(CONFIGMAPS, "seen", NS)

    def told(**selectors: str) -> list[str]:
        stream = kube.watch(CONFIGMAPS, version, NS, timeout_s=1, **selectors)
        return [kind for kind, o in stream if o["metadata"].get("name") == "seen"]

    assert told() == ["ADDED", "MODIFIED", "MODIFIED", "DELETED"]
    assert told(labels="set=seen") == ["ADDED", "MODIFIED", "DELETED"]


def test_the_initial_events_of_a_watch_end_with_a_bookmark(kube: Kube) -> None:
    query = {
        "watch": "true",
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": 1,
    }
    answer = kube.request("GET", NAMESPACES.path(), query=query)
    events = [json.loads(line) for line in answer.data.splitlines()]
    kinds = [e["type"] for e in events]
    first = kinds.index("BOOKMARK")
    assert kinds[:first] == ["ADDED"] * len(kube.list(NAMESPACES)["items"])
    annotations = events[first]["object"]["metadata"]["annotations"]
    assert annotations == {"k8s.io/initial-events-end": "true"}


def test_the_official_client_reads_and_writes(server: AnyApiServer) -> None:
    configuration = client.Configuration()
    config.load_kube_config(str(server.kubeconfig), client_configuration=configuration)  # type: ignore[no-untyped-call]
    api = client.ApiClient(configuration)
    apps, core = client.AppsV1Api(api), client.CoreV1Api(api)
    made = apps.create_namespaced_deployment(NS, deployment("typed"))
    assert made.spec.replicas == 1
    apps.patch_namespaced_deployment_scale("typed", NS, {"spec": {"replicas": 2}})
    assert apps.read_namespaced_deployment("typed", NS).spec.replicas == 2
    assert "default" in [n.metadata.name for n in core.list_namespace().items]
    apps.delete_namespaced_deployment("typed", NS)
    with pytest.raises(client.ApiException) as caught:
        apps.read_namespaced_deployment("typed", NS)
    assert caught.value.status == 404


def test_kubectl_shows_and_changes(server: AnyApiServer) -> None:
    kubectl = server.kubectl
    kubectl("apply", "-f", "-", stdin=json.dumps(deployment("shown")))
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=json.dumps(deployment("shown")))
    kubectl("scale", "deployment", "shown", "--replicas=3")
    kubectl("set", "image", "deployment/shown", "c=busybox:2")
    kubectl("label", "deployment", "shown", "tier=back")
    kubectl("annotate", "deployment", "shown", "why=test")
    heading, row = kubectl("get", "deployment", "shown", "-o", "wide").splitlines()[:2]
    assert heading.split()[:5] == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert row.split()[0] == "shown"
    assert row.split()[1].endswith("/3")
    assert "busybox:2" in row
    assert "Replicas:               3 desired" in kubectl("describe", "deployment", "shown")
    assert kubectl("get", "deployment", "shown", "-o", "name") == "deployment.apps/shown\n"
    assert json.loads(kubectl("get", "deployment", "shown", "-o", "json"))["spec"]["replicas"] == 3
    assert "deployment.apps/shown" in kubectl("get", "all")
    secret = ("create", "secret", "generic", "s", "--from-literal=a=b")
    dry = kubectl(*secret, "--dry-run=client", "-o", "yaml")
    assert "created" in kubectl("apply", "-f", "-", stdin=dry)
    assert "deleted" in kubectl("delete", "deployment", "shown")
    assert 'deployments.apps "shown" not found' in kubectl("get", "deploy", "shown", check=False)


def test_an_unknown_field_is_named(server: AnyApiServer) -> None:
    body = deployment("typo")
    body["spec"]["replcas"] = 2
    said = server.kubectl("apply", "-f", "-", stdin=json.dumps(body), check=False)
    assert 'unknown field "spec.replcas"' in said


def test_a_dry_run_changes_nothing(server: AnyApiServer, kube: Kube) -> None:
    body = json.dumps(deployment("dry"))
    assert "dry run" in server.kubectl("apply", "--dry-run=server", "-f", "-", stdin=body)
    with pytest.raises(NotFoundError):
        kube.get(DEPLOYMENTS, "dry", NS)
