"""`gameday runbook check --prometheus` gets in as a run does, and tells nobody else the secrets."""

import os
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from tests.slo.observe.fronts import JSON, Answered, Request, answering

GAMEDAY = str(Path(sys.executable).parent / "gameday")
NAMES = b'{"status": "success", "data": ["http_requests_total"]}'
RUNBOOK = """\
# Checkout

| Metric | Target | Critical |
|---|---|---|
| Error Rate | < 1% | > 5% |

```promql
rate(no_such_metric_total[5m])
```
"""


def guarded(header: str, value: str) -> Callable[[Request], Answered]:
    def answer(request: Request) -> Answered:
        if request.headers.get(header) != value:
            return 401, "text/plain", b"who are you?"
        return 200, JSON, NAMES

    return answer


def check(
    folder: Path, prometheus: str, access: str, **env: str
) -> subprocess.CompletedProcess[str]:
    """In a directory whose gameday/system.yaml has this access to Prometheus."""
    home = folder / "gameday"
    home.mkdir(exist_ok=True)
    (home / "system.yaml").write_text(
        f"name: checkout\ntarget: {{namespace: shop, workload: checkout}}\nprometheus: {access}\n"
    )
    (home / "runbook.md").write_text(RUNBOOK)
    return subprocess.run(
        [GAMEDAY, "runbook", "check", "gameday/runbook.md", "--prometheus", prometheus],
        cwd=folder,
        env=os.environ | {"COLUMNS": "300"} | env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


BASIC = "Basic dXM6dDBrZW4tdmFsdWU="  # us:t0ken-value


@pytest.mark.parametrize(
    ("header", "value", "access"),
    [
        ("authorization", "Bearer t0ken-value", "bearer_token: {env: GIVEN}"),
        ("authorization", BASIC, "basic: {user: us, password: {env: GIVEN}}"),
        ("x-scope-orgid", "shop", "headers: {X-Scope-OrgID: shop}"),
        ("x-api-key", "t0ken-value", "secret_headers: {X-API-Key: {env: GIVEN}}"),
    ],
)
@pytest.mark.parametrize("by", ["url", "system"])
def test_the_check_has_the_credentials_of_the_system(
    tmp_path: Path, by: str, header: str, value: str, access: str
) -> None:
    with answering(guarded(header, value)) as front:
        named = front.url if by == "url" else "system"
        done = check(tmp_path, named, f"{{url: '{front.url}', {access}}}", GIVEN="t0ken-value")
    told = done.stdout + done.stderr
    assert "no_such_metric_total" in told, told
    assert done.returncode == 1  # the finding is an error: what is read is what Prometheus has
    assert "t0ken-value" not in told


def test_tls_files_are_those_of_the_system(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    home = tmp_path / "gameday"
    home.mkdir()
    authority.cert_pem.write_to_path(home / "ca.pem")
    ours = authority.issue_cert("runner@example.org")
    ours.private_key_pem.write_to_path(home / "key.pem")
    ours.cert_chain_pems[0].write_to_path(home / "cert.pem")
    with answering(lambda _: (200, JSON, NAMES), tls=context) as front:
        access = f"{{url: '{front.url}', ca: ca.pem, cert: cert.pem, key: key.pem}}"
        done = check(tmp_path, front.url, access)
        without = check(tmp_path, front.url, f"{{url: '{front.url}'}}")
    assert "no_such_metric_total" in done.stdout, done.stdout + done.stderr
    assert without.returncode == 2
    assert "certificate" in without.stderr


def test_another_address_gets_none_of_them(tmp_path: Path) -> None:
    with answering(lambda _: (200, JSON, NAMES)) as other:
        access = "{url: 'http://127.0.0.1:1', bearer_token: {env: GIVEN}}"
        done = check(tmp_path, other.url, access, GIVEN="t0ken-value")
    assert "no_such_metric_total" in done.stdout, done.stdout + done.stderr
    assert all("authorization" not in request.headers for request in other.seen)


def test_a_system_without_prometheus_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "runbook.md").write_text(RUNBOOK)
    done = subprocess.run(
        [GAMEDAY, "runbook", "check", "runbook.md", "--prometheus", "system"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "there is no gameday/system.yaml that names a Prometheus" in done.stderr
    assert done.stderr.count("\n") == 1
