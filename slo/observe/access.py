"""How one gets in to a Prometheus: addresses, credentials, certificates.

connect(access, folder, timeout_s=10)                           to its `url`
connect(access, folder, timeout_s=10, carry=through_cluster)    to its `service`
"""

import base64
import http.client
import io
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.auth import AuthBase

from slo.observe.answers import PrometheusError
from slo.observe.prometheus import Prometheus
from slo.system.prometheus import PrometheusAccess, SecretError, SecretRef

Carry = Callable[[str, Mapping[str, str], Mapping[str, str]], tuple[int, bytes]]
"""GET a path with query parameters and headers: status and body, or a PrometheusError."""

_IN_CLUSTER = "http://prometheus.invalid"  # never looked up: `carry` knows the way


class AccessError(Exception):
    """Credentials or certificates cannot be used; the message is one sentence without them."""


def connect(
    access: PrometheusAccess, folder: Path, *, timeout_s: float, carry: Carry | None = None
) -> Prometheus:
    """The Prometheus that `access` names; relative files are looked for in `folder`.

    `carry` brings requests to a Service, which has no address of its own; each has `timeout_s`
    seconds. Nothing is sent yet. Raises AccessError.
    """
    headers, secrets = _headers(access, folder)
    session = requests.Session()
    # Proxies and load balancers drop idle connections, and phases lie minutes apart.
    session.headers["Connection"] = "close"
    path = access.path.rstrip("/")
    transport = None
    if access.url is not None:
        _trust(session, access, folder)
        url, where = access.url.rstrip("/") + path, ""
    else:
        _refuse_what_is_not_carried(access)
        assert carry is not None, "a Service is reached through its cluster"
        transport = _Carried(carry, headers)
        url, where = _IN_CLUSTER + path, f"the Service {access.service}:{access.port}"
    try:
        return Prometheus(
            url,
            timeout_s=timeout_s,
            session=session,
            transport=transport,
            auth=_Headers(headers),
            where=where,
            secrets=secrets,
        )
    except PrometheusError as error:
        raise AccessError(f"url of Prometheus: {error}") from error


def nowhere(reason: str, timeout_s: float) -> Prometheus:
    """In place of a Prometheus that nobody named: it answers each query with the reason."""

    def refuse(*_: object) -> tuple[int, bytes]:
        raise PrometheusError(reason)

    return Prometheus(_IN_CLUSTER, timeout_s=timeout_s, transport=_Carried(refuse, {}))


class _Headers(AuthBase):
    """Set last, so that no entry of a .netrc stands in their place."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self._headers)
        return request


class _Carried(BaseAdapter):
    """A transport of requests by which somebody else carries the bytes."""

    def __init__(self, carry: Carry, headers: Mapping[str, str]) -> None:
        super().__init__()
        self._carry, self._headers = carry, headers

    def send(
        self, request: requests.PreparedRequest, *_: object, **__: object
    ) -> requests.Response:
        parts = urlsplit(request.url or "")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        status, body = self._carry(parts.path, query, self._headers)
        response = requests.Response()
        response.status_code, response.url, response.request = status, request.url or "", request
        response.reason = http.client.responses.get(status, "")
        response.raw = io.BytesIO(body)
        return response

    def close(self) -> None:
        """Nothing is kept open."""


def _headers(access: PrometheusAccess, folder: Path) -> tuple[dict[str, str], list[str]]:
    """What every request has, and which parts of it are secret."""
    headers, secrets = dict(access.headers), []
    for name, ref in access.secret_headers.items():
        headers[name] = _secret(f"secret_headers {name}", ref, folder)
        secrets.append(headers[name])
    if access.bearer_token is not None:
        token = _secret("bearer_token", access.bearer_token, folder)
        headers["Authorization"] = f"Bearer {token}"
        secrets.append(token)
    if access.basic is not None:
        password = _secret("password", access.basic.password, folder)
        pair = base64.b64encode(f"{access.basic.user}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
        secrets += [password, pair]
    return headers, secrets


def _secret(what: str, ref: SecretRef, folder: Path) -> str:
    try:
        found = ref.read(folder)
    except SecretError as error:
        raise AccessError(f"{what} of Prometheus: {error}") from error
    if not found:
        raise AccessError(f"{what} of Prometheus: the secret is empty")
    if what != "password" and not (found.isascii() and found.isprintable()):
        raise AccessError(
            f"{what} of Prometheus: the secret has characters that no header may have"
        )
    return found


def _trust(session: requests.Session, access: PrometheusAccess, folder: Path) -> None:
    """Certificates are tried here, as later nobody could tell which file is wrong."""
    if access.ca is not None:
        path = folder / access.ca
        try:
            ssl.create_default_context(cafile=path)
        except OSError as error:
            raise AccessError(f"ca of Prometheus: {path}: {_wrong(error)}") from error
        session.verify = str(path)
    if access.cert is not None and access.key is not None:
        cert, key = folder / access.cert, folder / access.key
        try:
            ssl.create_default_context().load_cert_chain(cert, key, password=_no_password)
        except OSError as error:
            raise AccessError(
                f"cert and key of Prometheus: {cert}, {key}: {_wrong(error)}"
            ) from error
        session.cert = (str(cert), str(key))


def _no_password() -> str:
    return ""  # else OpenSSL asks for it at the terminal


def _wrong(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return "not PEM, encrypted, or not a pair"
    return error.strerror or str(error)


def _refuse_what_is_not_carried(access: PrometheusAccess) -> None:
    """The Kubernetes API takes the Authorization header for itself, and makes its own TLS."""
    for name in ("bearer_token", "basic", "ca", "cert"):
        if getattr(access, name) is not None:
            raise AccessError(
                f"{name} of Prometheus does not pass through the Kubernetes API to a Service:"
                " name the 'url' of Prometheus instead"
            )
