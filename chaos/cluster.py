"""The one way into a cluster: what a game day asks of the Kubernetes API.

The only module of this package that imports the official client. Foreign errors are translated
here, once: a refusal or a silence of the API server becomes a ClusterError with one sentence.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.incluster_config import SERVICE_HOST_ENV_NAME
from kubernetes.stream import stream
from websocket import WebSocketException

REQUEST_TIMEOUT_S = 10.0


class ClusterError(Exception):
    """The cluster cannot be reached, or refused; the message is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod as seen at one moment. `restarts` counts by container name."""

    namespace: str
    name: str
    uid: str
    ip: str
    ready: bool
    ending: bool
    containers: tuple[str, ...]
    restarts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A Deployment's own account of itself. `selector` is a label selector expression."""

    namespace: str
    name: str
    desired: int
    ready: int
    selector: str

    @property
    def whole(self) -> bool:
        return self.desired > 0 and self.ready >= self.desired


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterEvent:
    """A Kubernetes Event, as a row of events.jsonl."""

    time: datetime
    type: str
    reason: str
    kind: str
    name: str
    message: str
    count: int


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except ApiException as error:
        raise ClusterError(f"cannot {doing}: {_reason(error)}") from error
    except urllib3.exceptions.HTTPError as error:
        raise ClusterError(f"cannot {doing}: the API server does not answer") from error
    except (WebSocketException, OSError) as error:
        raise ClusterError(f"cannot {doing}: {error}") from error


def _reason(error: ApiException) -> str:
    try:
        message: str = json.loads(error.body or "")["message"]
    except (ValueError, KeyError, TypeError):
        message = error.reason or "no reason given"
    return f"{error.status} {message}"


class Cluster:
    """Requests to one cluster. Safe to share between threads; every method raises ClusterError."""

    def __init__(self, api: client.ApiClient) -> None:
        self._api = api
        self._core = client.CoreV1Api(api)
        self._apps = client.AppsV1Api(api)
        self._discovery = client.DiscoveryV1Api(api)

    @classmethod
    def connect(cls, kubeconfig: str | None = None, context: str | None = None) -> "Cluster":
        """By kubeconfig; by default KUBECONFIG, the pod's service account, or ~/.kube/config."""
        configuration = client.Configuration()
        in_pod = os.environ.get(SERVICE_HOST_ENV_NAME) and not os.environ.get("KUBECONFIG")
        try:
            if in_pod and kubeconfig is None and context is None:
                config.load_incluster_config(  # type: ignore[no-untyped-call]
                    client_configuration=configuration
                )
            else:
                config.load_kube_config(  # type: ignore[no-untyped-call]
                    kubeconfig, context=context, client_configuration=configuration
                )
        except (ConfigException, OSError) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            where = f" {kubeconfig}" if kubeconfig else ""
            raise ClusterError(f"no usable kubeconfig{where}: {reason}") from error
        configuration.retries = urllib3.Retry(connect=2, read=0, redirect=0, backoff_factor=0.2)
        return cls(client.ApiClient(configuration))

    @property
    def server(self) -> str:
        host: str = self._api.configuration.host
        return host

    def check(self) -> str:
        """The server's version, e.g. "v1.37.1"."""
        with _translated(f"reach the cluster at {self.server}"):
            version = client.VersionApi(self._api).get_code(_request_timeout=REQUEST_TIMEOUT_S)
        return str(version.git_version)

    def namespace(self, name: str) -> None:
        """Nothing, if the namespace is there."""
        with _translated(f"find namespace {name}"):
            self._core.read_namespace(name, _request_timeout=REQUEST_TIMEOUT_S)

    def workload(self, namespace: str, name: str) -> Workload:
        with _translated(f"read deployment {namespace}/{name}"):
            found = self._apps.read_namespaced_deployment(
                name, namespace, _request_timeout=REQUEST_TIMEOUT_S
            )
        labels = found.spec.selector.match_labels or {}
        return Workload(
            namespace=namespace,
            name=name,
            desired=1 if found.spec.replicas is None else found.spec.replicas,
            ready=(found.status.ready_replicas if found.status else 0) or 0,
            selector=",".join(f"{k}={v}" for k, v in sorted(labels.items())),
        )

    def pods(self, namespace: str, selector: str, fields: str | None = None) -> list[Pod]:
        """By label and field selector, sorted by name."""
        with _translated(f"list pods of {namespace}"):
            found = self._core.list_namespaced_pod(
                namespace,
                label_selector=selector,
                field_selector=fields,
                _request_timeout=REQUEST_TIMEOUT_S,
            )
        return sorted((_pod(p) for p in found.items), key=lambda p: p.name)

    def delete_pod(self, pod_name: str, namespace: str, *, uid: str, grace_s: int) -> None:
        """Delete this very pod; one of the same name with another UID is left alone."""
        with _translated(f"delete pod {namespace}/{pod_name}"):
            self._core.delete_namespaced_pod(
                pod_name,
                namespace,
                grace_period_seconds=grace_s,
                body=client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=uid)),
                _request_timeout=REQUEST_TIMEOUT_S,
            )

    def execute(self, pod_name: str, namespace: str, container: str, command: list[str]) -> str:
        """Run a command in a container; its output, both streams together."""
        with _translated(f"run a command in pod {namespace}/{pod_name}"):
            # A client of its own: stream() swaps the request method of the one it is given.
            core = client.CoreV1Api(client.ApiClient(self._api.configuration))
            answer = stream(
                core.connect_get_namespaced_pod_exec,
                pod_name,
                namespace,
                container=container,
                command=command,
                stdin=False,
                stdout=True,
                stderr=True,
                tty=False,
                _request_timeout=REQUEST_TIMEOUT_S,
            )
        return str(answer)

    def endpoints(self, namespace: str, pod_uid: str) -> list[str]:
        """Addresses under which Services still send traffic to the pod: ready endpoints."""
        with _translated(f"list endpoint slices of {namespace}"):
            slices = self._discovery.list_namespaced_endpoint_slice(
                namespace, _request_timeout=REQUEST_TIMEOUT_S
            )
        return [
            address
            for piece in slices.items
            for endpoint in piece.endpoints or ()
            if endpoint.target_ref is not None and endpoint.target_ref.uid == pod_uid
            if endpoint.conditions is None or endpoint.conditions.ready is not False
            for address in endpoint.addresses
        ]

    def service_url(self, namespace: str, service: str, port: int) -> str:
        """Where a user of the service goes: its load balancer, else its cluster address."""
        with _translated(f"read service {namespace}/{service}"):
            found = self._core.read_namespaced_service(
                service, namespace, _request_timeout=REQUEST_TIMEOUT_S
            )
        spec = found.spec or client.V1ServiceSpec()
        if port not in [p.port for p in spec.ports or ()]:
            raise ClusterError(f"service {namespace}/{service} has no port {port}")
        balancer = found.status.load_balancer if found.status else None
        ingress = (balancer.ingress if balancer else None) or []
        hosts = [i.ip or i.hostname for i in ingress if i.ip or i.hostname]
        host = hosts[0] if hosts else spec.cluster_ip
        if host in (None, "None"):
            raise ClusterError(f"service {namespace}/{service} has no address of its own")
        return f"http://{host}:{port}"

    def get_through_service(
        self, namespace: str, service: str, port: int, path: str, query: Mapping[str, str]
    ) -> bytes:
        """GET an HTTP path of a service through the API server's proxy."""
        with _translated(f"read {service}:{port}{path} through the API server"):
            request = self._api.param_serialize(
                "GET",
                f"/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy{path}",
                query_params=list(query.items()),
                header_params={"Accept": "application/json"},
                auth_settings=["BearerToken"],
            )
            response = self._api.call_api(*request, _request_timeout=REQUEST_TIMEOUT_S)
            body: bytes = response.read()  # type: ignore[no-untyped-call]
            if response.status != 200:  # noqa: PLR2004
                raise ApiException(status=response.status, reason=response.reason)
        return body

    def events(self, namespace: str) -> list[ClusterEvent]:
        """All events that the API server still has, oldest first."""
        with _translated(f"list events of {namespace}"):
            found = self._core.list_namespaced_event(namespace, _request_timeout=REQUEST_TIMEOUT_S)
        rows = [_event(e) for e in found.items]
        return sorted((r for r in rows if r is not None), key=lambda r: (r.time, r.name, r.reason))


def _pod(pod: Any) -> Pod:
    statuses = (pod.status.container_statuses if pod.status else None) or []
    conditions = (pod.status.conditions if pod.status else None) or []
    return Pod(
        namespace=pod.metadata.namespace,
        name=pod.metadata.name,
        uid=pod.metadata.uid,
        ip=(pod.status.pod_ip if pod.status else None) or "",
        ready=any(c.type == "Ready" and c.status == "True" for c in conditions),
        ending=pod.metadata.deletion_timestamp is not None,
        containers=tuple(c.name for c in pod.spec.containers),
        restarts={s.name: s.restart_count for s in statuses},
    )


def _event(event: Any) -> ClusterEvent | None:
    time = event.last_timestamp or event.event_time or event.metadata.creation_timestamp
    if time is None:
        return None
    return ClusterEvent(
        time=time,
        type=event.type or "",
        reason=event.reason or "",
        kind=event.involved_object.kind or "",
        name=event.involved_object.name or "",
        message=event.message or "",
        count=event.count or 1,
    )
