"""Requests on the wire: made by the official client, tried again, answered in our own words."""

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import websocket
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream

from chaos.kube.connection import connected
from chaos.kube.errors import ClusterError, NotStartedError, translated
from chaos.kube.kinds import Json
from chaos.kube.patience import Patience

T = TypeVar("T")
Witness = Callable[[str, str, str], AbstractContextManager[None]]
"""Is around each request that writes: its method, its path, the object's name in its body."""
JSON_PATCH = "application/json-patch+json"
TOO_MANY, GATEWAY_TIMEOUT = 429, 504
ERROR_CHANNEL = 3


class Output(NamedTuple):
    """Of a command in a container: both streams together, and its exit code."""

    text: str
    code: int


class _FinalError(ClusterError):
    """Not to be tried again, whatever it is."""

    def __init__(self, why: ClusterError) -> None:
        super().__init__(str(why))
        self.why = why


class Wire:
    """A connection to one API server. Safe to share between threads; raises ClusterError."""

    def __init__(
        self,
        api: client.ApiClient,
        patience: Patience | None = None,
        retried: list[str] | None = None,
        witness: Witness | None = None,
    ) -> None:
        self._api = api
        self._witness = witness
        self.patience = patience or Patience()
        self.retried: list[str] = [] if retried is None else retried
        """Why requests were made again until now, in order: a status, or "timeout"."""

    @classmethod
    def connect(
        cls,
        kubeconfig: str | None = None,
        context: str | None = None,
        patience: Patience | None = None,
    ) -> Self:
        """By kubeconfig; by default KUBECONFIG, the pod's service account, or ~/.kube/config."""
        return cls(connected(kubeconfig, context), patience)

    def patient(self, patience: Patience) -> Self:
        """The same cluster, asked with another patience."""
        return type(self)(self._api, patience, self.retried, self._witness)

    def witnessed(self, witness: Witness) -> Self:
        """The same cluster, whose every write happens within `witness`."""
        return type(self)(self._api, self.patience, self.retried, witness)

    @property
    def server(self) -> str:
        host: str = self._api.configuration.host
        return host

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

    def _persist(self, attempt: Callable[[], T]) -> T:
        return self.patience.persist(attempt, self._again)

    def _throttled(self, attempt: Callable[[], T]) -> T:
        """A request that is made once, but for a server that has not taken it on (429)."""

        def once() -> T:
            try:
                return attempt()
            except ClusterError as error:
                if error.status == TOO_MANY and not _is_answer(error):
                    raise
                raise _FinalError(error) from error

        try:
            return self._persist(once)
        except _FinalError as final:
            raise final.why from final.why.__cause__

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
        told: AbstractContextManager[None] = nullcontext()
        if self._witness is not None and method != "GET":
            metadata = body.get("metadata") if isinstance(body, dict) else None
            told = self._witness(method, path, str((metadata or {}).get("name", "")))
        with told:
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
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        sent = {**(headers or {}), "Accept": "application/json"}
        if body is not None:
            sent["Content-Type"] = JSON_PATCH if method == "PATCH" else "application/json"
        with translated(doing):
            request = self._api.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params=sent,
                body=body,
                auth_settings=["BearerToken"],
            )
            response = self._api.call_api(*request, _request_timeout=self.patience.attempt_s)
            answer: bytes = response.read()  # type: ignore[no-untyped-call]
            if not 200 <= response.status < 300:  # noqa: PLR2004
                refusal = ApiException(status=response.status, reason=response.reason)
                refusal.headers = response.getheaders()  # type: ignore[no-untyped-call]
                refusal.body = answer.decode(errors="replace")
                raise refusal
        return answer

    def execute(
        self,
        pod_name: str,
        namespace: str,
        container: str,
        command: Sequence[str],
        within_s: float = 10.0,
    ) -> Output:
        """Run a command in a container. It goes on by itself where `within_s` was too short.

        Raises NotStartedError where it did not begin: refused, or there is no such program.
        """
        doing = f"run a command in pod {namespace}/{pod_name}"
        if "Impersonate-User" in self._api.default_headers:
            raise NotStartedError(
                f"cannot {doing}: the kubeconfig impersonates another user, and the Kubernetes"
                " client for Python cannot do so over a WebSocket; use that user's own credentials"
            )

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
        try:
            begun = self._persist(start)
        except ClusterError as error:
            if error.status:  # the answer to the request that would have begun it
                raise NotStartedError(str(error), status=error.status) from error
            raise
        return _finish(begun, within_s, doing)


def _is_answer(error: ClusterError) -> bool:
    """A refusal by a PodDisruptionBudget has the status of a busy server.

    https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/#how-api-initiated-eviction-works
    """
    try:
        causes = json.loads(error.body)["details"]["causes"]
        return any(cause["reason"] == "DisruptionBudget" for cause in causes)
    except (LookupError, TypeError, ValueError):
        return False


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
        if _NO_PROGRAM.search(why):
            raise NotStartedError(f"cannot {doing}: {why}", missing=True) from error
        raise ClusterError(f"cannot {doing}: {why}") from error


# What container runtimes say where the program is not there, or not one.
_NO_PROGRAM = re.compile(r"executable file not found|no such file or directory|exec format error")


def _message(told: str) -> str:
    try:
        return str(json.loads(told)["message"])
    except (LookupError, TypeError, ValueError):
        return ""
