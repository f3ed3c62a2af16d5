"""Refusals in the words that people look up, through the real kubectl."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cluster.apiserver_fixture import AnyApiServer, any_apiserver
from tests.cluster.test_api_behaviour import deployment

pytestmark = pytest.mark.cluster
Json = dict[str, Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnyApiServer]:
    with any_apiserver(tmp_path_factory.mktemp("rules") / "server") as running:
        yield running


def container(**fields: Any) -> Callable[[Json], Any]:
    return lambda d: d["spec"]["template"]["spec"]["containers"][0].update(fields)


def spec(**fields: Any) -> Callable[[Json], Any]:
    return lambda d: d["spec"].update(fields)


AT = "spec.template.spec.containers[0]"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (container(image=""), f"{AT}.image: Required value"),
        (container(name="A"), f'{AT}.name: Invalid value: "A": a lowercase RFC 1123 label must'),
        (
            container(volumeMounts=[{"name": "x", "mountPath": "/x"}]),
            f'{AT}.volumeMounts[0].name: Not found: "x"',
        ),
        (
            container(resources={"requests": {"memory": "1Gi"}, "limits": {"memory": "512Mi"}}),
            'resources.requests: Invalid value: "1Gi": must be less than or equal to memory limit',
        ),
        (
            container(ports=[{"containerPort": 70000}]),
            f"{AT}.ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535,",
        ),
        (
            container(livenessProbe={"periodSeconds": 1}),
            f"{AT}.livenessProbe: Required value: must specify a handler type",
        ),
        (
            container(imagePullPolicy="Sometimes"),
            'imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotP',
        ),
        (
            container(env=[{"name": "A", "value": 1}]),
            "cannot unmarshal number into Go struct field",
        ),
        (spec(replicas="two"), 'Deployment in version "v1" cannot be handled as a Deployment'),
        (spec(replicas=-1), "spec.replicas: Invalid value: -1: must be greater than or equal to"),
        (
            spec(strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
            "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is",
        ),
        (
            lambda d: d["spec"]["template"]["spec"].update(restartPolicy="Never"),
            'restartPolicy: Unsupported value: "Never": supported values: "Always"',
        ),
        (
            lambda d: d["metadata"].update(labels={"a": "b c"}),
            'metadata.labels: Invalid value: "b c": a valid label must be an empty string or',
        ),
    ],
)
def test_a_wrong_deployment_is_told_what_is_wrong(
    server: AnyApiServer, change: Callable[[Json], Any], said: str
) -> None:
    body = deployment("wrong")
    change(body)
    told = server.kubectl(
        "create", "--validate=false", "-f", "-", stdin=json.dumps(body), check=False
    )
    assert said in told


@pytest.mark.parametrize(
    ("body", "patch", "said"),
    [
        (
            deployment("fixed"),
            {"spec": {"selector": {"matchLabels": {"app": "else"}}}},
            "spec.selector: Invalid value:",
        ),
        (
            {"kind": "ConfigMap", "apiVersion": "v1", "data": {"a": "b"}, "immutable": True},
            {"data": {"a": "c"}},
            "data: Forbidden: field is immutable when `immutable` is set",
        ),
        (
            {"kind": "Secret", "apiVersion": "v1", "type": "Opaque"},
            {"type": "example.com/else"},
            "type: Invalid value:",
        ),
        (
            {
                "kind": "RoleBinding",
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "a"},
            },
            {"roleRef": {"name": "b"}},
            "cannot change roleRef",
        ),
        (
            {
                "kind": "StatefulSet",
                "apiVersion": "apps/v1",
                "spec": {**deployment("fixed")["spec"], "serviceName": "a", "replicas": 0},
            },
            {"spec": {"serviceName": "b"}},
            "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ord",
        ),
    ],
)
def test_what_may_not_change_is_kept(
    server: AnyApiServer, body: Json, patch: Json, said: str
) -> None:
    body = {**body, "metadata": {"name": "fixed"}}
    server.kubectl("create", "-f", "-", stdin=json.dumps(body))
    told = server.kubectl(
        "patch", body["kind"], "fixed", "--type=merge", "-p", json.dumps(patch), check=False
    )
    assert said in told


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("deployment.spec.strategy", "rollingUpdate"),
        ("pod.spec.containers.livenessProbe", "initialDelaySeconds"),
        ("hpa.spec.behavior.scaleDown", "stabilizationWindowSeconds"),
        ("service.spec", "FIELD: spec <ServiceSpec>"),
    ],
)
def test_kubectl_explains(server: AnyApiServer, path: str, said: str) -> None:
    assert said in server.kubectl("explain", path)


def test_an_event_is_one_and_the_same_in_both_groups(server: AnyApiServer) -> None:
    about = {"kind": "Pod", "name": "p", "namespace": server.namespace, "apiVersion": "v1"}
    body = {
        "kind": "Event",
        "apiVersion": "events.k8s.io/v1",
        "metadata": {"name": "told"},
        "regarding": about,
        "reason": "Tested",
        "note": "in both groups",
        "type": "Normal",
        "action": "Testing",
        "reportingController": "example.com/tests",
        "reportingInstance": "one",
        "eventTime": "2026-01-01T00:00:00.000000Z",
    }
    server.kubectl("create", "-f", "-", stdin=json.dumps(body))
    core = json.loads(server.kubectl("get", "events", "told", "-o", "json"))
    assert (core["apiVersion"], core["message"]) == ("v1", "in both groups")
    assert core["involvedObject"]["name"] == "p"
    assert "in both groups" in server.kubectl("get", "events")
    newer = json.loads(server.kubectl("get", "events.v1.events.k8s.io", "told", "-o", "json"))
    assert (newer["note"], newer["regarding"]) == ("in both groups", about)
