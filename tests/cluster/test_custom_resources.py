"""CustomResourceDefinitions through the real kubectl and the official client."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from service.cluster.kube import ApiError
from tests.cluster.apiserver_fixture import RunningApiServer, running_apiserver

SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["duration"],
            "properties": {
                "duration": {"type": "string", "pattern": "^[0-9]+s$"},
                "mode": {"type": "string", "enum": ["one", "all"], "default": "one"},
                "count": {"type": "integer", "minimum": 1},
                "port": {"x-kubernetes-int-or-string": True},
                "note": {"type": "string", "nullable": True},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "steps": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"name": {"type": "string"}, "tries": {"default": 3}},
                    },
                },
            },
        },
        "status": {
            "type": "object",
            "properties": {
                "phase": {"type": "string"},
                "conditions": {
                    "type": "array",
                    "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            },
        },
    },
}
COLUMNS = [
    {"name": "Mode", "type": "string", "jsonPath": ".spec.mode"},
    {
        "name": "Ready",
        "type": "string",
        "jsonPath": '.status.conditions[?(@.type == "Ready")].status',
    },
    {"name": "Note", "type": "string", "priority": 1, "jsonPath": ".metadata.labels.a\\.b/c-d"},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]


def definition(**spec: Any) -> dict[str, Any]:
    first = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": SCHEMA},
        "subresources": {"status": {}},
        "additionalPrinterColumns": COLUMNS,
    }
    names = {"plural": "drills", "singular": "drill", "kind": "Drill", "shortNames": ["dr"]}
    body = {"group": "example.org", "scope": "Namespaced", "names": names, "versions": [first]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "drills.example.org"},
        "spec": {**body, **spec},
    }


def drill(name: str = "one", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "example.org/v1alpha1",
        "kind": "Drill",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"duration": "5s", **spec},
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApiServer]:
    with running_apiserver(tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture
def crd(server: RunningApiServer) -> Iterator[RunningApiServer]:
    apply(server, definition())
    server.kubectl("wait", "--for=condition=Established", "crd/drills.example.org")
    yield server
    server.kubectl("delete", "crd", "drills.example.org", "--ignore-not-found")


def apply(server: RunningApiServer, body: dict[str, Any], *options: str, check: bool = True) -> str:
    return server.kubectl("apply", "-f", "-", *options, stdin=json.dumps(body), check=check)


def test_a_definition_makes_a_kind_that_kubectl_knows(crd: RunningApiServer) -> None:
    assert apply(crd, drill()) == "drill.example.org/one created\n"
    assert "drills" in crd.kubectl("api-resources", "--api-group=example.org")
    assert crd.kubectl("get", "dr", "-o", "name") == "drill.example.org/one\n"
    assert json.loads(crd.kubectl("get", "drill", "one", "-o", "json"))["spec"]["mode"] == "one"
    crd.kubectl("patch", "dr", "one", "--type=merge", "-p", '{"spec":{"mode":"all"}}')
    described = crd.kubectl("describe", "drill", "one")
    assert "Mode:" in described
    assert "all" in described
    assert 'drill.example.org "one" deleted' in crd.kubectl("delete", "drill", "one")


def test_printer_columns_are_shown(crd: RunningApiServer) -> None:
    body = drill()
    body["metadata"]["labels"] = {"a.b/c-d": "seen"}
    apply(crd, body)
    ready = {"conditions": [{"type": "Other", "status": "No"}, {"type": "Ready", "status": "True"}]}
    crd.kubectl("patch", "drill", "one", "--subresource=status", "--type=merge", "-p",
                json.dumps({"status": ready}))  # fmt: skip
    header, row = crd.kubectl("get", "drills").splitlines()
    assert header.split() == ["NAME", "MODE", "READY", "AGE"]
    assert row.split()[:3] == ["one", "one", "True"]
    assert "seen" in crd.kubectl("get", "drills", "-o", "wide")


def test_status_is_written_through_its_own_door_alone(crd: RunningApiServer) -> None:
    body = {**drill(), "status": {"phase": "Done"}}
    apply(crd, body)
    assert crd.kubectl("get", "drill", "one", "-o", "jsonpath={.status}") == ""
    patch = '{"status":{"phase":"Done"},"spec":{"mode":"all"}}'
    crd.kubectl("patch", "drill", "one", "--subresource=status", "--type=merge", "-p", patch)
    shown = json.loads(crd.kubectl("get", "drill", "one", "-o", "json"))
    assert shown["status"] == {"phase": "Done"}
    assert shown["spec"]["mode"] == "one"
    assert shown["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"duration": "long"}, "spec.duration in body should match '^[0-9]+s$'"),
        ({"duration": 5}, 'spec.duration in body must be of type string: "integer"'),
        ({"mode": "some"}, 'spec.mode: Unsupported value: "some": supported values: "one", "all"'),
        ({"count": 0}, "spec.count in body should be greater than or equal to 1"),
        ({"port": [1]}, "spec.port in body must be of type integer"),
        ({"labels": {"a": 1}}, "spec.labels.a in body must be of type string"),
        ({"typo": 1}, 'strict decoding error: unknown field "spec.typo"'),
        ({"steps": [{"nam": "x"}]}, 'unknown field "spec.steps[0].nam"'),
    ],
)
def test_what_the_schema_does_not_allow_is_refused(
    crd: RunningApiServer, spec: dict[str, Any], said: str
) -> None:
    assert said in apply(crd, drill("bad", **spec), check=False)
    assert "not found" in crd.kubectl("get", "drill", "bad", check=False)


def test_a_missing_field_is_named(crd: RunningApiServer) -> None:
    body = drill("bad")
    body["spec"] = {}
    told = apply(crd, body, check=False)
    assert 'The Drill "bad" is invalid: spec.duration: Required value' in told


def test_unknown_fields_are_dropped_when_nobody_is_strict(crd: RunningApiServer) -> None:
    body = drill(free={"any": {"thing": 1}}, typo=1, port="http", steps=[{"name": "a"}])
    apply(crd, body, "--validate=false")
    spec = json.loads(crd.kubectl("get", "drill", "one", "-o", "json"))["spec"]
    assert spec == {
        "duration": "5s",
        "mode": "one",
        "free": {"any": {"thing": 1}},
        "port": "http",
        "steps": [{"name": "a", "tries": 3}],
    }


def test_deleting_the_definition_deletes_its_objects(crd: RunningApiServer) -> None:
    held = drill("held")
    held["metadata"]["finalizers"] = ["example.org/wait"]
    apply(crd, held)
    apply(crd, drill("free"))
    crd.kubectl("delete", "crd", "drills.example.org", "--wait=false")
    assert crd.kubectl("get", "drills", "-o", "name") == "drill.example.org/held\n"
    assert "create not allowed while custom resource" in apply(crd, drill("late"), check=False)
    crd.kubectl("patch", "drill", "held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    assert "NotFound" in crd.kubectl("get", "crd", "drills.example.org", check=False)
    gone = crd.kubectl("get", "drills", check=False)  # in the words of kubectl's cached discovery
    assert "the server could not find the requested resource" in gone


def test_kinds_and_objects_survive_a_restart(crd: RunningApiServer) -> None:
    apply(crd, drill())
    crd.stop()
    crd.start()
    assert crd.kubectl("get", "dr", "-o", "name") == "drill.example.org/one\n"


def test_several_versions_are_one_object(crd: RunningApiServer) -> None:
    second = {"name": "v1", "served": True, "storage": False, "subresources": {"status": {}}}
    body = definition()
    body["spec"]["versions"].append({**second, "schema": {"openAPIV3Schema": SCHEMA}})
    apply(crd, body)
    apply(crd, drill())
    versions = [
        json.loads(crd.kubectl("get", f"drills.{v}.example.org", "one", "-o", "json"))["apiVersion"]
        for v in ("v1", "v1alpha1")
    ]
    assert versions == ["example.org/v1", "example.org/v1alpha1"]
    apply(crd, {**drill(mode="all"), "apiVersion": "example.org/v1"})
    found = crd.kubectl("get", "drills.v1alpha1.example.org", "one", "-o", "jsonpath={.spec.mode}")
    assert found == "all"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scope": "World"}, 'spec.scope: Unsupported value: "World"'),
        ({"group": "other.org"}, 'must be spec.names.plural+"."+spec.group'),
        ({"versions": []}, "spec.versions: Required value"),
    ],
)
def test_a_definition_that_cannot_be_served_is_refused(
    server: RunningApiServer, change: dict[str, Any], said: str
) -> None:
    assert said in apply(server, definition(**change), "--validate=false", check=False)


def test_the_official_client_reads_and_watches_custom_objects(crd: RunningApiServer) -> None:
    from kubernetes import client, config, watch

    configuration = client.Configuration()
    config.load_kube_config(str(crd.kubeconfig), client_configuration=configuration)
    api = client.CustomObjectsApi(client.ApiClient(configuration))
    where = ("example.org", "v1alpha1", "default", "drills")
    version = api.list_namespaced_custom_object(*where)["metadata"]["resourceVersion"]
    api.create_namespaced_custom_object(*where, drill())
    api.patch_namespaced_custom_object(*where, "one", {"spec": {"count": 2}})
    seen = []
    for event in watch.Watch().stream(
        api.list_namespaced_custom_object, *where, resource_version=version, timeout_seconds=10
    ):
        seen.append((event["type"], event["object"]["spec"].get("count")))
        if len(seen) == 2:
            break
    assert seen == [("ADDED", None), ("MODIFIED", 2)]


def test_strategic_merge_is_for_built_in_kinds(crd: RunningApiServer) -> None:
    apply(crd, drill())
    with pytest.raises(ApiError) as refused:
        crd.kube.request(
            "PATCH",
            "/apis/example.org/v1alpha1/namespaces/default/drills/one",
            body={"spec": {"count": 2}},
            content_type="application/strategic-merge-patch+json",
        )
    assert refused.value.status == 415


ROLLOUTS = {
    "type": "object",
    "properties": {
        "spec": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}


def rollouts(**scale: str) -> dict[str, Any]:
    """A definition with the subresource scale, as that of Argo Rollouts has it."""
    paths = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.HPAReplicas"}
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": ROLLOUTS},
        "subresources": {
            "status": {},
            "scale": {**paths, "labelSelectorPath": ".status.selector", **scale},
        },
    }
    names = {"plural": "rollouts", "singular": "rollout", "kind": "Rollout"}
    made = definition(group="argoproj.io", names=names, versions=[version])
    made["metadata"]["name"] = "rollouts.argoproj.io"
    return made


def test_a_custom_resource_is_scaled_by_its_own_paths(server: RunningApiServer) -> None:
    apply(server, rollouts())
    server.kubectl("wait", "--for=condition=Established", "crd/rollouts.argoproj.io")
    head = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}
    apply(server, {**head, "metadata": {"name": "web", "namespace": "default"}})
    status = json.dumps({"status": {"HPAReplicas": 2, "selector": "app=web"}})
    server.kubectl("patch", "rollout", "web", "--subresource=status", "--type=merge", "-p", status)
    assert "rollout.argoproj.io/web scaled" in server.kubectl(
        "scale", "rollout/web", "--replicas=3"
    )
    shown = json.loads(server.kubectl("get", "rollout", "web", "--subresource=scale", "-o", "json"))
    assert shown["spec"] == {"replicas": 3}
    assert shown["status"] == {"replicas": 2, "selector": "app=web"}
    stored = json.loads(server.kubectl("get", "rollout", "web", "-o", "json"))
    assert stored["spec"] == {"replicas": 3}
    server.kubectl("delete", "crd", "rollouts.argoproj.io")


def test_a_scale_subresource_needs_paths_into_spec_and_status(server: RunningApiServer) -> None:
    told = apply(server, rollouts(specReplicasPath=".status.replicas"), check=False)
    assert "subresources.scale.specReplicasPath" in told
    assert "should be a json path under .spec" in told
