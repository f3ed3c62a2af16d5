"""The door that users come in by, for a runbook's curl: the namespace's Ingress, nothing else.

Steps may connect to one port of ours, behind which bytes are passed on to the Ingress. curl is told
to go there whatever the host, to trust the Ingress' certificate, and to fail where the answer is an
error.
"""

import contextlib
import shutil
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaos.kube.kinds import INGRESS
from chaos.kube.system_under_test import SystemUnderTest

HTTPS = 443
CONNECT_S, SILENT_S = 5.0, 30.0
_CERTIFICATES = ("ca.crt", "tls.crt")


@dataclass(frozen=True, slots=True)
class IngressTunnel:
    """`port` is ours on loopback; `certificate` in PEM is whom the Ingress' certificate is of."""

    curl: Path
    port: int
    certificate: str

    def settings(self, certificate: Path) -> str:
        """A curlrc."""
        return (
            f'connect-to = ":{HTTPS}:127.0.0.1:{self.port}"\n'
            f'cacert = "{certificate}"\n'
            'proto = "=https"\nnoproxy = "*"\nfail\nshow-error\n'
            f"max-time = {SILENT_S:g}\n"
        )


@contextmanager
def ingress_tunnel(system: SystemUnderTest) -> Iterator[IngressTunnel | None]:
    """None where the namespace has no Ingress with an address, or this machine no curl."""
    address, curl = address_of(system), shutil.which("curl")
    if not address or curl is None:
        yield None
        return
    with _Relay(address) as relay:
        thread = threading.Thread(target=relay.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        try:
            yield IngressTunnel(Path(curl), relay.server_address[1], _certificate(system))
        finally:
            relay.shutdown()
            thread.join()


def address_of(system: SystemUnderTest) -> str:
    """Of the namespace's Ingress; "" where it has none."""
    for ingress in system.cluster.objects(INGRESS, system.namespace):
        balancer = (ingress.get("status") or {}).get("loadBalancer") or {}
        for point in balancer.get("ingress") or []:
            return str(point.get("ip") or point.get("hostname") or "")
    return ""


def _certificate(system: SystemUnderTest) -> str:
    for ingress in system.cluster.objects(INGRESS, system.namespace):
        for entry in (ingress["spec"].get("tls") or [])[:1]:
            secret = system.secret(entry.get("secretName", ""))
            return next((secret[name] for name in _CERTIFICATES if secret.get(name)), "")
    return ""


class _Relay(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__(("127.0.0.1", 0), _Connection)


class _Connection(socketserver.BaseRequestHandler):
    server: _Relay

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            far = socket.create_connection((self.server.address, HTTPS), timeout=CONNECT_S)
            with far:
                back = threading.Thread(target=_pass_on, args=(far, self.request), daemon=True)
                back.start()
                _pass_on(self.request, far)
                back.join()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    one.settimeout(SILENT_S)
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
