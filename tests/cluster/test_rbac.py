"""Who may do what: roles, bindings, impersonation and the reviews, through the real kubectl."""

import json
from collections.abc import Iterator

import pytest
from kubernetes import client, config

from service.cluster.kube import CONFIGMAPS, ApiError, Kube
from tests.cluster.apiserver_fixture import RunningApiServer, running_apiserver

ROBOT = "--as=system:serviceaccount:default:robot"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApiServer]:
    with running_apiserver(tmp_path_factory.mktemp("rbac") / "server") as running:
        running.kubectl("create", "namespace", "shop")
        running.kubectl("create", "serviceaccount", "robot")
        running.kubectl("create", "role", "reader", "--verb=get,list", "--resource=configmaps")
        binding = ("create", "rolebinding", "readers", "--role=reader")
        running.kubectl(*binding, "--serviceaccount=default:robot")
        yield running


def refused(server: RunningApiServer, *arguments: str) -> str:
    said = server.kubectl(*arguments, check=False)
    assert "Forbidden" in said
    return said


def test_a_role_allows_what_it_says_and_nothing_else(server: RunningApiServer) -> None:
    server.kubectl("get", "configmaps", ROBOT)
    said = refused(server, "get", "secrets", ROBOT)
    assert (
        'secrets is forbidden: User "system:serviceaccount:default:robot" cannot list resource'
        ' "secrets" in API group "" in the namespace "default"' in said
    )
    refused(server, "delete", "configmap", "x", ROBOT)
    refused(server, "get", "configmaps", "-n", "shop", ROBOT)
    refused(server, "get", "configmaps", "-A", ROBOT)
    assert "at the cluster scope" in refused(server, "get", "nodes", ROBOT)


def test_can_i_says_the_same(server: RunningApiServer) -> None:
    def can(*arguments: str) -> str:
        return server.kubectl("auth", "can-i", *arguments, check=False).splitlines()[0]

    assert can("list", "configmaps", ROBOT) == "yes"
    assert can("create", "configmaps", ROBOT) == "no"
    assert can("list", "configmaps", "-n", "shop", ROBOT) == "no"
    assert can("delete", "nodes") == "yes"  # as the administrator
    assert can("get", "/version", ROBOT) == "yes"
    assert can("get", "/metrics", ROBOT) == "no"


def test_the_list_of_what_an_account_may(server: RunningApiServer) -> None:
    said = server.kubectl("auth", "can-i", "--list", ROBOT)
    line = next(line for line in said.splitlines() if line.startswith("configmaps"))
    assert line.split("[]")[-1].strip() == "[get list]"
    assert "selfsubjectaccessreviews.authorization.k8s.io" in said


def test_a_bound_cluster_role_holds_in_its_namespace_alone(server: RunningApiServer) -> None:
    binding = ("create", "rolebinding", "viewers", "--clusterrole=view", "--user=ann", "-n", "shop")
    server.kubectl(*binding)
    server.kubectl("get", "deployments", "-n", "shop", "--as=ann")
    refused(server, "get", "secrets", "-n", "shop", "--as=ann")
    refused(server, "get", "deployments", "--as=ann")


def test_resource_names_narrow_a_rule(server: RunningApiServer) -> None:
    one = ("--verb=get", "--resource=configmaps", "--resource-name=one")
    server.kubectl("create", "role", "one", *one)
    server.kubectl("create", "rolebinding", "one", "--role=one", "--user=bob")
    server.kubectl("create", "configmap", "one")
    server.kubectl("create", "configmap", "two")
    server.kubectl("get", "configmap", "one", "--as=bob")
    refused(server, "get", "configmap", "two", "--as=bob")


def test_impersonation_itself_needs_a_right(server: RunningApiServer) -> None:
    kube = account(server)
    kube.list(CONFIGMAPS, "default")
    with pytest.raises(ApiError) as refusal:
        kube.list(CONFIGMAPS, "shop")
    assert refusal.value.reason == "Forbidden"
    token = server.kubectl("create", "token", "robot").strip()
    said = server.kubectl(
        "get", "nodes", "--as=kubernetes-admin", "--as-group=system:masters", f"--token={token}",
        f"--kubeconfig={anonymous(server)}", check=False,
    )  # fmt: skip
    assert 'cannot impersonate resource "users"' in said


def test_whoami(server: RunningApiServer) -> None:
    said = json.loads(server.kubectl("auth", "whoami", "-o", "json", ROBOT))
    info = said["status"]["userInfo"]
    assert info["username"] == "system:serviceaccount:default:robot"
    assert "system:serviceaccounts:default" in info["groups"]


def test_a_review_of_another_user_names_the_binding(server: RunningApiServer) -> None:
    api = client.AuthorizationV1Api(config.new_client_from_config(str(server.kubeconfig)))
    attributes = {"verb": "get", "resource": "configmaps", "namespace": "default"}
    spec = {"user": "system:serviceaccount:default:robot", "resourceAttributes": attributes}
    answer = api.create_subject_access_review({"spec": spec})
    assert answer.status.allowed
    assert '"readers/default" of Role "reader"' in answer.status.reason


def anonymous(server: RunningApiServer) -> str:
    """A kubeconfig that names the cluster, and no user."""
    text = server.kubectl("config", "view", "--raw", "-o", "json")
    described = json.loads(text)
    described["users"] = [{"name": "admin", "user": {}}]
    path = server.directory / "anonymous.kubeconfig"
    path.write_text(json.dumps(described))
    return str(path)


def account(server: RunningApiServer) -> Kube:
    """As the service account, with a token that was issued for it."""
    described = json.loads(server.kubectl("config", "view", "--raw", "-o", "json"))
    token = server.kubectl("create", "token", "robot").strip()
    described["users"] = [{"name": "admin", "user": {"token": token}}]
    path = server.directory / "robot.kubeconfig"
    path.write_text(json.dumps(described))
    return Kube.connect(str(path))
