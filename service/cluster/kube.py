"""A thin client of any Kubernetes API, in plain JSON objects.

Transport, authentication and kubeconfig handling are the official client's; its typed models are
left out because controllers and the node agent read and write parts of objects, thousands of times.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import urllib3
from kubernetes import client, config

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind's place in the API: `group_version` is "v1" or "apps/v1"."""

    group_version: str
    plural: str
    kind: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str = "", sub: str = "") -> str:
        parts = ["api" if "/" not in self.group_version else "apis", self.group_version]
        if namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        return "/" + "/".join(parts + [p for p in (name, sub) if p])


NODES = Resource("v1", "nodes", "Node", namespaced=False)
NAMESPACES = Resource("v1", "namespaces", "Namespace", namespaced=False)
PODS = Resource("v1", "pods", "Pod")
SERVICES = Resource("v1", "services", "Service")
CONFIGMAPS = Resource("v1", "configmaps", "ConfigMap")
SECRETS = Resource("v1", "secrets", "Secret")
SERVICE_ACCOUNTS = Resource("v1", "serviceaccounts", "ServiceAccount")
EVENTS = Resource("v1", "events", "Event")
PVS = Resource("v1", "persistentvolumes", "PersistentVolume", namespaced=False)
PVCS = Resource("v1", "persistentvolumeclaims", "PersistentVolumeClaim")
DEPLOYMENTS = Resource("apps/v1", "deployments", "Deployment")
REPLICASETS = Resource("apps/v1", "replicasets", "ReplicaSet")
STATEFULSETS = Resource("apps/v1", "statefulsets", "StatefulSet")
ENDPOINT_SLICES = Resource("discovery.k8s.io/v1", "endpointslices", "EndpointSlice")
DEFINITIONS = Resource(
    "apiextensions.k8s.io/v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
)
NETWORK_POLICIES = Resource("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy")
INGRESSES = Resource("networking.k8s.io/v1", "ingresses", "Ingress")
LEASES = Resource("coordination.k8s.io/v1", "leases", "Lease")


class ApiError(Exception):
    """The API server's refusal: HTTP status, machine-readable reason, message."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status, self.reason, self.message = status, reason, message


class NotFoundError(ApiError):
    """404: the object or the resource is not there."""


class ConflictError(ApiError):
    """409: the object changed since it was read, or exists already."""


class GoneError(ApiError):
    """410: the resourceVersion to watch from is too old; list again."""


_BY_STATUS = {
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.CONFLICT: ConflictError,
    HTTPStatus.GONE: GoneError,
}

MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"


def _error(status: int, body: bytes) -> ApiError:
    try:
        answer = json.loads(body)
        reason, message = answer.get("reason", ""), answer.get("message", "")
    except (ValueError, AttributeError):
        reason, message = "", body.decode(errors="replace")[:200]
    return _BY_STATUS.get(HTTPStatus(status), ApiError)(status, reason, message)


class Kube:
    """Requests in, JSON out. Safe to share between threads.

    Every method raises ApiError (or its subclasses) for the server's refusals and
    urllib3.exceptions.HTTPError when there is no answer.
    """

    def __init__(self, api: client.ApiClient) -> None:
        self._api = api

    @classmethod
    def connect(cls, kubeconfig: str | None = None, pool: int = 16) -> "Kube":
        """By kubeconfig file; when None by $KUBECONFIG, else with the pod's service account."""
        configuration = client.Configuration()
        kubeconfig = kubeconfig or os.environ.get("KUBECONFIG")
        if kubeconfig is None:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        else:
            config.load_kube_config(kubeconfig, client_configuration=configuration)  # type: ignore[no-untyped-call]
        configuration.connection_pool_maxsize = pool
        configuration.retries = False
        return cls(client.ApiClient(configuration))

    @property
    def server(self) -> str:
        """The API server's address, a URL."""
        host: str = self._api.configuration.host
        return host

    @property
    def ca_file(self) -> str | None:
        """Path of the certificate authority that the server is checked against."""
        path: str | None = self._api.configuration.ssl_ca_cert
        return path

    def request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        timeout: float | tuple[float, float] | None = 30,
    ) -> urllib3.BaseHTTPResponse:
        """One exchange; the answer's body is still unread. `timeout` in seconds."""
        args = self._api.param_serialize(
            method,
            path,
            query_params=[(k, v) for k, v in (query or {}).items() if v is not None],
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = self._api.call_api(*args, _request_timeout=timeout)
        except client.ApiException as error:  # how the official client tells of TLS failures
            raise urllib3.exceptions.HTTPError(error.reason) from error
        response: urllib3.BaseHTTPResponse = answer.response
        if not HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
            raise _error(response.status, response.data)
        return response

    def _json(self, *args: Any, **kwargs: Any) -> Json:
        answer: Json = json.loads(self.request(*args, **kwargs).data)
        return answer

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Json:
        return self._json("GET", resource.path(namespace, name))

    def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        fields: str | None = None,
    ) -> Json:
        """The list object: `items`, and `metadata.resourceVersion` to watch from."""
        query = {"labelSelector": labels, "fieldSelector": fields}
        return self._json("GET", resource.path(namespace), query=query)

    def create(self, resource: Resource, body: Json, namespace: str | None = None) -> Json:
        return self._json("POST", resource.path(namespace), body=body)

    def replace(
        self, resource: Resource, name: str, body: Json, namespace: str | None = None, sub: str = ""
    ) -> Json:
        return self._json("PUT", resource.path(namespace, name, sub), body=body)

    def patch(
        self,
        resource: Resource,
        name: str,
        body: Any,
        namespace: str | None = None,
        *,
        sub: str = "",
        content_type: str = MERGE_PATCH,
    ) -> Json:
        return self._json(
            "PATCH", resource.path(namespace, name, sub), body=body, content_type=content_type
        )

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        grace_s: int | None = None,
        uid: str | None = None,
        version: str | None = None,
        propagation: str | None = None,
    ) -> Json:
        """Delete; the object or a Status is returned.

        With `uid` only that very object, with `version` only as it was read.

        `propagation` is Background, Foreground or Orphan. Raises NotFoundError.
        """
        body: Json = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if grace_s is not None:
            body["gracePeriodSeconds"] = grace_s
        wanted = {"uid": uid, "resourceVersion": version}
        if uid is not None or version is not None:
            body["preconditions"] = {k: v for k, v in wanted.items() if v is not None}
        if propagation is not None:
            body["propagationPolicy"] = propagation
        return self._json("DELETE", resource.path(namespace, name), body=body)

    def watch(
        self,
        resource: Resource,
        version: str,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        fields: str | None = None,
        timeout_s: int = 300,
    ) -> Iterator[tuple[str, Json]]:
        """(type, object) from `version` on, until the server ends the watch. Raises GoneError."""
        query = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "labelSelector": labels,
            "fieldSelector": fields,
            "timeoutSeconds": timeout_s,
        }
        response = self.request(
            "GET", resource.path(namespace), query=query, timeout=(10, timeout_s + 10)
        )
        try:
            pending = b""
            for chunk in response.stream(amt=None):
                *lines, pending = (pending + chunk).split(b"\n")
                for line in filter(None, lines):
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        status = event["object"]
                        raise _error(status.get("code", 500), json.dumps(status).encode())
                    yield event["type"], event["object"]
        finally:
            response.close()
