"""Requests to one cluster: objects as they are, and what a game day asks about often."""

import base64
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import urllib3
import websocket
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.incluster_config import SERVICE_HOST_ENV_NAME
from kubernetes.stream import stream

from chaos.cluster.errors import ClusterError, translated
from chaos.cluster.kinds import Json, Kind, Ref, kind_of
from chaos.cluster.patience import Patience
from chaos.cluster.quantities import milli, quantity

T = TypeVar("T")
JSON_PATCH = "application/json-patch+json"
CONFLICT, NOT_FOUND, UNPROCESSABLE, GATEWAY_TIMEOUT = 409, 404, 422, 504
ERROR_CHANNEL = 3
TRIES_OF_A_CHANGE = 20  # somebody else's writes between our reading and our patch

Operations = list[Json]
"""A JSON patch (RFC 6902)."""


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
    """A Deployment's or StatefulSet's own account of itself. `selector` is an expression."""

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


class Output(NamedTuple):
    """Of a command in a container: both streams together, and its exit code."""

    text: str
    code: int


class Usage(NamedTuple):
    """Of one container: thousandths of a CPU, and bytes."""

    milli_cpu: int
    memory: int


class Cluster:
    """Requests to one cluster. Safe to share between threads; every method raises ClusterError."""

    def __init__(
        self,
        api: client.ApiClient,
        patience: Patience | None = None,
        retried: list[str] | None = None,
    ) -> None:
        self._api = api
        self.patience = patience or Patience()
        self.retried: list[str] = [] if retried is None else retried
        """Why requests were made again until now, in order: a status, or "timeout"."""

    @classmethod
    def connect(
        cls,
        kubeconfig: str | None = None,
        context: str | None = None,
        patience: Patience | None = None,
    ) -> "Cluster":
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
        return cls(client.ApiClient(configuration), patience)

    def patient(self, patience: Patience) -> "Cluster":
        """The same cluster, asked with another patience."""
        return Cluster(self._api, patience, self.retried)

    @property
    def server(self) -> str:
        host: str = self._api.configuration.host
        return host

    # Any object

    def find(self, ref: Ref) -> Json | None:
        """The object as it is now, or None where there is none."""
        try:
            return self._ask("GET", ref.path, f"read {ref}")
        except ClusterError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def get(self, ref: Ref) -> Json:
        return self._ask("GET", ref.path, f"read {ref}")

    def objects(
        self, kind: Kind, namespace: str = "", labels: str = "", fields: str = ""
    ) -> list[Json]:
        """By label and field selector, sorted by name; "" is all."""
        query = {"labelSelector": labels, "fieldSelector": fields}
        where = f" of {namespace}" if namespace and kind.namespaced else ""
        found = self._ask(
            "GET",
            kind.path(namespace),
            f"list {kind.plural}{where}",
            query={k: v for k, v in query.items() if v},
        )
        head = {"apiVersion": kind.api_version, "kind": kind.kind}
        items = [{**head, **item} for item in found.get("items") or ()]
        return sorted(items, key=lambda o: (o["metadata"].get("namespace", ""), _name(o)))

    def create(self, manifest: Json) -> Json:
        """Raises ClusterError with status 409 where an object of this name is there."""
        ref = Ref.to(manifest)
        path = ref.kind.path(ref.namespace)

        def attempt() -> Json:
            try:
                return self._once("POST", path, f"create {ref}", body=manifest)
            except ClusterError as error:
                error.passing |= error.status == CONFLICT and error.reason != "AlreadyExists"
                raise

        return self._persist(attempt)

    def delete(
        self, ref: Ref, *, uid: str = "", version: str = "", grace_s: int | None = None
    ) -> bool:
        """Delete this very object, as it was read; False when it was gone, or is another one."""
        options: Json = {"propagationPolicy": "Background"}
        conditions = {"uid": uid, "resourceVersion": version}
        if uid or version:
            options["preconditions"] = {k: v for k, v in conditions.items() if v}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s

        def attempt() -> bool:
            try:
                self._once("DELETE", ref.path, f"delete {ref}", body=options)
            except ClusterError as error:
                if error.status == NOT_FOUND:
                    return False
                if error.status != CONFLICT:
                    raise
                there = (self.find(ref) or {}).get("metadata", {})
                if any(v and there.get(k) != v for k, v in conditions.items()):
                    return False
                error.passing = True  # a conflict with whatever else was going on
                raise
            return True

        return self._persist(attempt)

    def change(self, ref: Ref, operations: Callable[[Json], Operations]) -> Json | None:
        """Read the object and patch it with what `operations` makes of it, as one step.

        The patch holds for the version that was read: where somebody else was faster, both are
        done again. No operations, no patch. None where there is no such object.
        """
        for _ in range(TRIES_OF_A_CHANGE):
            current = self.find(ref)
            if current is None:
                return None
            wanted = operations(current)
            if not wanted:
                return current
            version = current["metadata"]["resourceVersion"]
            guard = {"op": "replace", "path": "/metadata/resourceVersion", "value": version}
            try:
                return self._ask("PATCH", ref.path, f"change {ref}", body=[guard, *wanted])
            except ClusterError as error:
                if error.status == NOT_FOUND:
                    return None
                # A patch whose answer was lost and that is sent again does not fit what it made.
                if error.status not in (CONFLICT, UNPROCESSABLE):
                    raise
                if error.status == UNPROCESSABLE and self._version(ref) == version:
                    raise
                self._again(error)
        raise ClusterError(f"cannot change {ref}: somebody else keeps changing it", status=CONFLICT)

    def _version(self, ref: Ref) -> str:
        """Of the object as it is now; "" where there is none."""
        found = self.find(ref)
        return found["metadata"]["resourceVersion"] if found else ""

    def evict(self, ref: Ref, *, uid: str) -> None:
        """Through the eviction subresource: 429 when a PodDisruptionBudget does not allow it."""
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": ref.name, "namespace": ref.namespace},
            "deleteOptions": {"preconditions": {"uid": uid}},
        }
        # A refusal by a budget has the status of a busy server, and is an answer all the same.
        self._once("POST", f"{ref.path}/eviction", f"evict {ref}", body=body)

    def allowed(self, verb: str, group: str, resource: str, namespace: str) -> bool:
        """May we? `resource` as in a rule, e.g. "pods/exec"."""
        plural, _, sub = resource.partition("/")
        wanted = {
            "verb": verb,
            "group": group,
            "resource": plural,
            "subresource": sub,
            "namespace": namespace,
        }
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {k: v for k, v in wanted.items() if v}},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = self._ask("POST", path, "ask what is allowed", body=body)
        return bool(answer["status"]["allowed"])

    def make(self, ref: Ref, manifest: Json) -> Json:
        """Create an object of a kind that need not be in the table."""
        path = ref.kind.path(ref.namespace)
        return self._ask("POST", path, f"create {ref}", body=manifest)

    def token(self, namespace: str, account: str) -> str:
        """A token of a service account, for an hour."""
        path = Ref.of("ServiceAccount", namespace, account).path
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600},
        }
        answer = self._ask("POST", f"{path}/token", f"get a token of {account}", body=body)
        return str(answer["status"]["token"])

    def connection(self) -> Json:
        """The `cluster` of a kubeconfig: where the API server is, and who vouches for it."""
        settings = self._api.configuration
        found: Json = {"server": self.server}
        if settings.ssl_ca_cert:
            authority = Path(settings.ssl_ca_cert).read_bytes()
            found["certificate-authority-data"] = base64.b64encode(authority).decode()
        if not settings.verify_ssl:
            found["insecure-skip-tls-verify"] = True
        return found

    # What a game day asks about

    def check(self) -> str:
        """The server's version, e.g. "v1.37.1"."""
        answer = self._ask("GET", "/version", f"reach the cluster at {self.server}")
        return str(answer["gitVersion"])

    def namespace(self, name: str) -> Json:
        return self._ask("GET", f"/api/v1/namespaces/{name}", f"find namespace {name}")

    def workload(self, namespace: str, name: str, kind: str = "Deployment") -> Workload:
        found = self.get(Ref.of(kind, namespace, name))
        spec = found["spec"]
        labels = spec["selector"].get("matchLabels") or {}
        return Workload(
            namespace=namespace,
            name=name,
            desired=1 if spec.get("replicas") is None else spec["replicas"],
            ready=(found.get("status") or {}).get("readyReplicas") or 0,
            selector=",".join(f"{k}={v}" for k, v in sorted(labels.items())),
        )

    def pods(self, namespace: str, selector: str, fields: str | None = None) -> list[Pod]:
        """By label and field selector, sorted by name."""
        return [_pod(p) for p in self.objects(kind_of("Pod"), namespace, selector, fields or "")]

    def execute(
        self,
        pod_name: str,
        namespace: str,
        container: str,
        command: Sequence[str],
        within_s: float = 10.0,
    ) -> Output:
        """Run a command in a container. It goes on by itself where `within_s` was too short."""
        doing = f"run a command in pod {namespace}/{pod_name}"

        def start() -> Any:
            with translated(doing):
                # Without a time limit of its own, the library waits for the handshake for ever.
                websocket.setdefaulttimeout(self.patience.attempt_s)
                # A client of its own: stream() swaps the request method of the one it is given.
                core = client.CoreV1Api(client.ApiClient(self._api.configuration))
                return stream(
                    core.connect_get_namespaced_pod_exec,
                    pod_name,
                    namespace,
                    container=container,
                    command=list(command),
                    stdin=False,
                    stdout=True,
                    stderr=True,
                    tty=False,
                    _preload_content=False,
                )

        # Only the start is tried again: a command whose answer was lost may have done its work.
        return _finish(self._persist(start), within_s, doing)

    def endpoints(self, namespace: str, pod_uid: str) -> Sequence[str]:
        """Addresses under which Services still send traffic to the pod: ready endpoints."""
        return [
            address
            for piece in self.objects(kind_of("EndpointSlice"), namespace)
            for endpoint in piece.get("endpoints") or ()
            if (endpoint.get("targetRef") or {}).get("uid") == pod_uid
            if (endpoint.get("conditions") or {}).get("ready") is not False
            for address in endpoint["addresses"]
        ]

    def usage(self, namespace: str, pod_name: str, container: str) -> Usage | None:
        """By the resource metrics API; None where it has not measured this container yet."""
        found = self.find(Ref.of("PodMetrics", namespace, pod_name))
        for measured in found["containers"] if found else ():
            if measured["name"] == container:
                used = measured["usage"]
                return Usage(milli(used["cpu"]), quantity(used["memory"]))
        return None

    def last_words(self, ref: Ref, container: str, *, previous: bool = False) -> str:
        """The last line that a container wrote; "" where there is none."""
        query = {"container": container, "tailLines": "1"}
        if previous:
            query["previous"] = "true"
        answer = self._send("GET", f"{ref.path}/log", f"read the log of {ref}", query=query)
        return answer.decode(errors="replace").strip()

    def service_url(self, namespace: str, service: str, port: int) -> str:
        """Where a user of the service goes: its load balancer, else its cluster address."""
        found = self.get(Ref.of("Service", namespace, service))
        spec = found.get("spec") or {}
        if port not in [p["port"] for p in spec.get("ports") or ()]:
            raise ClusterError(f"service {namespace}/{service} has no port {port}")
        balancer = (found.get("status") or {}).get("loadBalancer") or {}
        named = [i.get("ip") or i.get("hostname") for i in balancer.get("ingress") or ()]
        host = next(filter(None, named), spec.get("clusterIP"))
        if host in (None, "", "None"):
            raise ClusterError(f"service {namespace}/{service} has no address of its own")
        return f"http://{host}:{port}"

    def get_through_service(
        self, namespace: str, service: str, port: int, path: str, query: Mapping[str, str]
    ) -> bytes:
        """GET an HTTP path of a service through the API server's proxy. Asked once."""
        where = f"/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy{path}"
        doing = f"read {service}:{port}{path} through the API server"
        return self._send("GET", where, doing, query=query)

    def post_through_service(self, namespace: str, service: str, port: int, path: str) -> None:
        """POST an HTTP path of a service, without a body, through the API server's proxy."""
        place = f"/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy{path}"
        self._send("POST", place, f"ask {service}:{port}{path} through the API server")

    def events(self, namespace: str) -> Sequence[ClusterEvent]:
        """All events that the API server still has, oldest first."""
        found = self._ask(
            "GET", f"/api/v1/namespaces/{namespace}/events", f"list events of {namespace}"
        )
        rows = [_event(e) for e in found.get("items") or ()]
        return sorted((r for r in rows if r is not None), key=lambda r: (r.time, r.name, r.reason))

    # The wire

    def _persist(self, attempt: Callable[[], T]) -> T:
        return self.patience.persist(attempt, self._again)

    def _again(self, error: ClusterError) -> None:
        silent = error.status in (0, GATEWAY_TIMEOUT)
        self.retried.append("timeout" if silent else str(error.status))

    def _ask(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Json:
        """A request that is made again until it is answered for good."""
        return self._persist(lambda: self._once(method, path, doing, query=query, body=body))

    def _once(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Json:
        answer = self._send(method, path, doing, query=query, body=body)
        try:
            found: Json = json.loads(answer)
        except ValueError as error:
            raise ClusterError(f"cannot {doing}: the answer is no JSON") from error
        return found

    def _send(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> bytes:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = JSON_PATCH if method == "PATCH" else "application/json"
        with translated(doing):
            request = self._api.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
            )
            response = self._api.call_api(*request, _request_timeout=self.patience.attempt_s)
            answer: bytes = response.read()  # type: ignore[no-untyped-call]
            if not 200 <= response.status < 300:  # noqa: PLR2004
                refusal = ApiException(status=response.status, reason=response.reason)
                refusal.body = answer.decode(errors="replace")
                raise refusal
        return answer


def _name(obj: Json) -> str:
    return str(obj["metadata"]["name"])


def _finish(run: Any, within_s: float, doing: str) -> Output:
    """Wait for the end of a command. Its own end is told on a channel of its own, as a Status."""
    with translated(doing):
        try:
            run.run_forever(timeout=within_s)
            if run.is_open():
                raise ClusterError(f"cannot {doing}: it did not end within {within_s:g} s")
            told, text = str(run.peek_channel(ERROR_CHANNEL)), str(run.read_all())
        finally:
            run.close()
    try:
        status = json.loads(told)
        if status["status"] == "Success":
            return Output(text, 0)
        return Output(text, int(status["details"]["causes"][0]["message"]))
    except (LookupError, TypeError, ValueError) as error:
        why = _message(told) or "the connection ended before it did"
        raise ClusterError(f"cannot {doing}: {why}") from error


def _message(told: str) -> str:
    try:
        return str(json.loads(told)["message"])
    except (LookupError, TypeError, ValueError):
        return ""


def _pod(pod: Json) -> Pod:
    metadata, status = pod["metadata"], pod.get("status") or {}
    conditions = status.get("conditions") or ()
    return Pod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        ip=status.get("podIP") or "",
        ready=any(c["type"] == "Ready" and c["status"] == "True" for c in conditions),
        ending=metadata.get("deletionTimestamp") is not None,
        containers=tuple(c["name"] for c in pod["spec"]["containers"]),
        restarts={s["name"]: s["restartCount"] for s in status.get("containerStatuses") or ()},
    )


def _event(event: Json) -> ClusterEvent | None:
    time = (
        event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"].get("creationTimestamp")
    )
    if time is None:
        return None
    involved = event.get("involvedObject") or {}
    return ClusterEvent(
        time=datetime.fromisoformat(time),
        type=event.get("type") or "",
        reason=event.get("reason") or "",
        kind=involved.get("kind") or "",
        name=involved.get("name") or "",
        message=event.get("message") or "",
        count=event.get("count") or 1,
    )
