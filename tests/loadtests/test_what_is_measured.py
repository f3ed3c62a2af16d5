"""What is measured is what was asked for: this host, with a certificate to trust, and no other."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from loadtests.reach import UnreachableError, reach
from loadtests.runner import LoadError, LoadRunner
from slo.target_url import UrlError, checked_url, masked_url
from tests.loadtests.service import Handler, Service, run, scenario, service

SHOPPER = """
class Shopper({base}):
    @task
    def get(self):
        self.client.get("/"{more})
"""
BASES = pytest.mark.parametrize("base", ["HttpUser", "FastHttpUser"])


@contextmanager
def secure(authority: trustme.CA, *names: str) -> Iterator[Service]:
    """A service with a certificate of this authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    with service(tls=context) as there:
        yield there


@BASES
@pytest.mark.parametrize("trusted", ["nobody", "the authority", "anybody"])
def test_certificates_are_checked_unless_it_is_switched_off_by_name(
    tmp_path: Path, base: str, trusted: str
) -> None:
    authority = trustme.CA()
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    told = {"nobody": {}, "the authority": {"ca_file": ca_file}, "anybody": {"verify": False}}
    with secure(authority, "127.0.0.1") as there:
        _, found, _ = run(tmp_path, SHOPPER.format(base=base, more=""), there, **told[trusted])
        assert len(there.seen) == (0 if trusted == "nobody" else 50)
    assert found == {("GET /", "other" if trusted == "nobody" else "none"): 50}


def test_a_certificate_for_another_name_is_none(tmp_path: Path) -> None:
    authority = trustme.CA()
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    with secure(authority, "shop.example") as there:
        with pytest.raises(UnreachableError, match="has no certificate to trust"):
            reach(there.url, verify=True, ca_file=ca_file)
        reach(there.url, verify=False, ca_file=None)


@BASES
def test_a_redirect_is_an_answer(tmp_path: Path, base: str) -> None:
    with service(lambda h: h.text(status=302, location="/login")) as there:
        _, _, samples = run(tmp_path, SHOPPER.format(base=base, more=""), there)
        assert set(there.requests()) == {"GET /"}
        assert len(there.seen) == 50
    assert set(samples.status) == {302}


@BASES
def test_a_redirect_is_followed_within_the_host_where_the_file_asks(
    tmp_path: Path, base: str
) -> None:
    def answer(handler: Handler) -> None:
        if handler.path == "/":
            handler.text(status=302, location="/welcome")
        else:
            handler.text()

    more = ", allow_redirects=True"
    with service(answer) as there:
        _, found, samples = run(tmp_path, SHOPPER.format(base=base, more=more), there)
        assert len(there.seen) == 100
    assert found == {("GET /", "none"): 50}
    assert set(samples.status) == {200}


@BASES
def test_a_redirect_never_leads_to_another_host(tmp_path: Path, base: str) -> None:
    with service() as other:
        with service(lambda h: h.text(status=302, location=other.url)) as there:
            more = ", allow_redirects=True"
            _, found, _ = run(tmp_path, SHOPPER.format(base=base, more=more), there)
            assert len(there.seen) == 50
        assert other.seen == []
    assert found == {("GET /", "other"): 50}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("shop.example", "has to begin with http:// or https://"),
        ("ftp://shop.example", "has to begin with http:// or https://"),
        ("http:shop.example", "has to begin with http:// or https://"),
        ("http://", "names no host"),
        ("http://shop.example:0", "names no host"),
        ("http://shop.example:99999", "Port out of range"),
        ("http://shop.example/?debug=1", "cannot have a query"),
        ("http://shop.example/#top", "cannot have a fragment"),
        ("http://user:secret@shop.example/?x", "cannot have a query"),
    ],
)
def test_an_address_that_cannot_be_loaded_is_one_sentence(
    tmp_path: Path, url: str, why: str
) -> None:
    with pytest.raises(UrlError, match=why) as refused:
        checked_url(url)
    assert "secret" not in str(refused.value)
    with pytest.raises(LoadError, match=why):
        LoadRunner.start(scenario(requests=[{"path": "/"}]), url, tmp_path, seed=1)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:secret@shop.example:8443/a@b", "https://***@shop.example:8443/a@b"),
        ("https://token@shop.example", "https://***@shop.example"),
        ("https://user:p@ss@shop.example", "https://***@shop.example"),
        ("user:secret@shop.example", "***@shop.example"),
        ("https://shop.example/@me", "https://shop.example/@me"),
    ],
)
def test_user_names_and_passwords_are_masked(url: str, shown: str) -> None:
    assert masked_url(url) == shown


def test_nobody_there_is_one_sentence() -> None:
    with service() as there:
        reach(there.url, verify=True, ca_file=None)
        gone = there.url
    with pytest.raises(UnreachableError, match="cannot be reached: Connection refused"):
        reach(gone, verify=True, ca_file=None)
