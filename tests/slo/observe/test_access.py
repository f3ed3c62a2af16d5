"""Ways in to a real Prometheus, each behind a front that lets nobody else in."""

import base64
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from slo.observe.access import AccessError, connect, nowhere
from slo.observe.answers import PrometheusError
from slo.observe.prometheus import Prometheus
from slo.system.prometheus import PrometheusAccess
from tests.slo.observe.fronts import Answered, Request, answering, forwarding
from tests.slo.tsdb import Series, serving

BEGIN = (int(time.time()) // 3600 - 5) * 3600.0
NOW = datetime.fromtimestamp(BEGIN + 10, UTC)
SECRET = "s3cret-value"


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    found = Series()
    found.add("up", {"job": "a"}, [BEGIN + i for i in range(30)], lambda _: 1.0)
    with serving(found, tmp_path_factory.mktemp("prometheus")) as url:
        yield url


def needs(header: str, value: str) -> Callable[[Request], Answered | None]:
    """Repeats what it was sent, as some proxies do."""

    def refuse(request: Request) -> Answered | None:
        given = request.headers.get(header.lower(), "nothing")
        if given == value:
            return None
        return 401, "text/plain; charset=utf-8", f"{header} is {given}".encode()

    return refuse


def access(address: str, **fields: Any) -> PrometheusAccess:
    return PrometheusAccess.model_validate({"url": address} | fields)


def asked(prometheus: Prometheus) -> None:
    """Each kind of request, as each goes its own way through the library."""
    assert [v.value for v in prometheus.instant("up", NOW)] == [1.0]
    (line,) = prometheus.range("up", NOW, NOW + timedelta(seconds=4), timedelta(seconds=2))
    assert line.values == (1.0, 1.0, 1.0)
    assert prometheus.names() == {"up"}
    assert prometheus.alert_rules() == []
    assert abs(prometheus.clock() - time.time()) < 60


PAIR = base64.b64encode(f"ops:{SECRET}".encode()).decode()


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        (("Authorization", f"Bearer {SECRET}"), {"bearer_token": {"env": "GIVEN"}}),
        (
            ("Authorization", f"Basic {PAIR}"),
            {"basic": {"user": "ops", "password": {"file": "secrets/token"}}},
        ),
        (("X-Scope-OrgID", "shop"), {"headers": {"X-Scope-OrgID": "shop"}}),
        (("X-Api-Key", SECRET), {"secret_headers": {"X-Api-Key": {"file": "secrets/token"}}}),
    ],
    ids=["bearer", "basic", "header", "secret header"],
)
def test_who_has_the_credentials_gets_in_and_others_are_told_without_them(
    backend: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sent: tuple[str, str],
    fields: dict[str, Any],
) -> None:
    header, value = sent
    monkeypatch.setenv("GIVEN", SECRET)
    # What requests would take for credentials of this host.
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password wrong\n")
    monkeypatch.setenv("NETRC", str(netrc))
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/token").write_text(SECRET + "\n")
    with answering(forwarding(backend, needs(header, value), "/prom")) as front:
        asked(connect(access(front.url, path="/prom/", **fields), tmp_path, timeout_s=10))
    with answering(forwarding(backend, needs("X-Other", "x"))) as front:
        wrong = connect(access(front.url, **fields), tmp_path, timeout_s=10)
        with pytest.raises(PrometheusError, match="answered 401 Unauthorized: X-Other is nothing"):
            wrong.instant("up", NOW)
    with answering(forwarding(backend, needs(header, "another"))) as front:
        wrong = connect(access(front.url, **fields), tmp_path, timeout_s=10)
        with pytest.raises(PrometheusError, match="answered 401 Unauthorized: ") as raised:
            wrong.instant("up", NOW)
    assert SECRET not in str(raised.value)
    assert PAIR not in str(raised.value)


def test_a_password_in_an_address_is_in_no_message(backend: str) -> None:
    with answering(forwarding(backend, needs("Authorization", "another"))) as front:
        url = front.url.replace("//", f"//ops:{SECRET}@")
        for address in (url, url.rpartition(":")[0] + ":1"):
            with pytest.raises(PrometheusError) as raised:
                Prometheus(address, timeout_s=5).instant("up", NOW)
            assert SECRET not in str(raised.value)
            assert PAIR not in str(raised.value)


def test_tls_with_a_private_authority_and_a_client_certificate(
    backend: str, tmp_path: Path
) -> None:
    authority, client = trustme.CA(), trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client.configure_trust(server)
    server.verify_mode = ssl.CERT_REQUIRED
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    mine = client.issue_cert("gameday@example.org")
    mine.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    mine.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    files = {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
    with answering(forwarding(backend, lambda _: None), server) as front:
        asked(connect(access(front.url, **files), tmp_path, timeout_s=10))
        unknown = connect(access(front.url), tmp_path, timeout_s=10)
        with pytest.raises(PrometheusError, match="its certificate cannot be verified: "):
            unknown.instant("up", NOW)
        uncertified = connect(access(front.url, ca="ca.pem"), tmp_path, timeout_s=10)
        with pytest.raises(PrometheusError, match="cannot reach https://127"):
            uncertified.instant("up", NOW)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"bearer_token": {"env": "NOT_SET"}},
            "bearer_token of Prometheus: the environment variable NOT_SET is not set",
        ),
        (
            {"secret_headers": {"X-Key": {"file": "nothing"}}},
            r"secret_headers X-Key of Prometheus: the secret in .*nothing cannot be read",
        ),
        ({"bearer_token": {"file": "empty"}}, "bearer_token of Prometheus: the secret is empty"),
        ({"bearer_token": {"file": "lines"}}, "the secret has characters that no header may have"),
        ({"ca": "nothing"}, "ca of Prometheus: .*nothing: No such file"),
        ({"ca": "lines"}, "ca of Prometheus: .*lines: not PEM"),
        ({"cert": "lines", "key": "lines"}, "cert and key of Prometheus: .*lines, .*: not PEM"),
        ({"url": "http://["}, "url of Prometheus: "),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], sentence: str
) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "lines").write_text("first\nsecond\n")
    with pytest.raises(AccessError, match=sentence) as raised:
        connect(access("http://127.0.0.1:1", **fields), tmp_path, timeout_s=1)
    assert "second" not in str(raised.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"bearer_token": {"file": "token"}},
        {"basic": {"user": "u", "password": {"file": "token"}}},
        {"ca": "ca.pem"},
        {"cert": "c", "key": "k"},
    ],
)
def test_what_the_kubernetes_api_does_not_pass_on_is_refused(
    tmp_path: Path, fields: dict[str, Any]
) -> None:
    (tmp_path / "token").write_text(SECRET)
    given = PrometheusAccess.model_validate({"service": "prometheus"} | fields)
    with pytest.raises(AccessError, match="does not pass through the Kubernetes API"):
        connect(given, tmp_path, timeout_s=1, carry=lambda *_: (200, b""))


def test_without_a_prometheus_each_query_is_answered_with_the_reason() -> None:
    with pytest.raises(PrometheusError, match=r"^nobody names a Prometheus$"):
        nowhere("nobody names a Prometheus", 1).instant("up", NOW)


def test_an_answer_that_does_not_come_ends_with_the_time_limit() -> None:
    with answering(lambda _: (time.sleep(1.5), (200, "", b""))[1]) as front:
        slow = Prometheus(front.url, timeout_s=0.1)
        with pytest.raises(PrometheusError, match=r"no answer from http://.* within 0\.1 s"):
            slow.instant("up", NOW)
