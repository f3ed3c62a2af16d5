"""A runbook's curl: to the users' door whatever the host, and nowhere else."""

import shutil
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from chaos.prove.shell.ingress_tunnel import IngressTunnel
from chaos.prove.shell.shell_session import ShellSession, find_programs
from tests.parts import KUBECTL

LIMIT_S = 30
CURL = shutil.which("curl")
pytestmark = pytest.mark.skipif(CURL is None, reason="needs curl, of which it speaks")


class Service(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"{self.headers['Host']}{self.path}".encode()
        self.send_response(200 if self.path == "/health" else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


@pytest.fixture
def session(tmp_path: Path) -> Iterator[ShellSession]:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("api.bizra.io").configure_cert(context)
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        pem = authority.cert_pem.bytes().decode()
        (tmp_path / "kubeconfig").write_text("{}")
        yield ShellSession(
            home=tmp_path / "session",
            kubeconfig=tmp_path / "kubeconfig",
            port=6443,
            programs=find_programs(KUBECTL),
            door=IngressTunnel(Path(CURL or ""), server.server_port, pem),
        )
        server.shutdown()
        thread.join()


def test_curl_asks_the_ingress_and_an_error_is_a_failure(session: ShellSession) -> None:
    well = session.run("curl -s https://api.bizra.io/health | cat", limit_s=LIMIT_S)
    assert (well.ok, well.output) == (True, "api.bizra.io/health")
    ill = session.run("curl -s https://api.bizra.io/ready", limit_s=LIMIT_S)
    assert not ill.ok
    assert "503" in ill.output
    # Another host comes to the same door, where its name is not on the certificate.
    other = session.run("curl -s https://evil.example/health", limit_s=LIMIT_S)
    assert not other.ok


@pytest.mark.parametrize(
    "words",
    [
        "-sq https://api.bizra.io/health",
        "-k https://api.bizra.io/health",
        "-K evil.rc https://api.bizra.io/health",
        "--config evil.rc https://api.bizra.io/health",
        "--connect-to ::127.0.0.1:6443 https://evil.example/",
        "--resol evil.example:443:127.0.0.1 https://evil.example/",
        "-xhttp://127.0.0.1:6443 https://evil.example/",
        "-s --proxy=http://127.0.0.1:6443 https://evil.example/",
        '--noproxy "" https://evil.example/',
    ],
)
def test_curl_is_not_led_elsewhere(session: ShellSession, words: str) -> None:
    ran = session.run(f"curl {words}", limit_s=LIMIT_S)
    assert "leads elsewhere" in ran.calls[0].refused


def test_curl_reads_no_settings_but_ours(session: ShellSession) -> None:
    text = (
        "echo 'connect-to = \"::127.0.0.1:6443\"' > .curlrc; export CURL_HOME=$PWD;"
        " curl -s https://api.bizra.io/health"
    )
    assert session.run(text, limit_s=LIMIT_S).output == "api.bizra.io/health"
    assert not session.run("curl -s file:///etc/hosts", limit_s=LIMIT_S).ok


def test_words_of_a_request_are_no_options(session: ShellSession) -> None:
    words = "-s -XGET -H 'Accept: text/x-key' -HX-Key:qk -d qk -G https://api.bizra.io/health"
    ran = session.run(f"curl {words}", limit_s=LIMIT_S)
    assert ran.calls[0].refused == ""
