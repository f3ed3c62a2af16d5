"""What probes and lifecycle hooks do to a container: a command in it, a request, a connection.

Failures are worded as the kubelet words them, since people search for these texts.
"""

import contextlib
import errno
import http.client
import os
import signal
import socket
import ssl
import subprocess
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
Enter = Callable[[list[str]], list[str]]  # a command -> that command inside the container


class ActionError(Exception):
    """It could not be done."""


class Command:
    """A running command. `run` may be ended from another thread."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, argv: list[str], timeout_s: float | None) -> tuple[int, str]:
        """(exit code, what it printed). Raises ActionError."""
        try:
            self._process = process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ActionError(str(error)) from error
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            self.kill()
            process.communicate()
            raise ActionError(f"command timed out after {timeout_s:g}s") from error
        code = process.returncode
        return code if code >= 0 else 128 - code, output.decode(errors="replace")

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def port_of(port: str | int, container: Json) -> int:
    """A port by number or by its name in the container. Raises ActionError."""
    if isinstance(port, int) or port.isdigit():
        return int(port)
    for listed in container.get("ports") or []:
        if listed.get("name") == port:
            return int(listed["containerPort"])
    raise ActionError(f"couldn't find port: {port}")


def http_get(get: Json, container: Json, pod_ip: str, timeout_s: float | None) -> int:
    """The status of an HTTPGetAction. Raises ActionError."""
    host, port = get.get("host") or pod_ip, port_of(get["port"], container)
    scheme, path = str(get.get("scheme") or "HTTP").lower(), get.get("path") or "/"
    kind: type[http.client.HTTPConnection] = http.client.HTTPConnection
    options: Json = {}
    if scheme == "https":
        kind = http.client.HTTPSConnection
        options["context"] = context = ssl.create_default_context()
        # The kubelet does not check the certificate of what it asks either.
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    headers = {h["name"]: h["value"] for h in get.get("httpHeaders") or []}
    headers = {"User-Agent": "kube-probe/1.37", "Connection": "close", **headers}
    connection = kind(host, port, timeout=timeout_s, **options)
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    except TimeoutError as error:
        why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        raise ActionError(f'Get "{scheme}://{host}:{port}{path}": {why}') from error
    except (OSError, http.client.HTTPException) as error:
        why = _why(error, host, port)
        raise ActionError(f'Get "{scheme}://{host}:{port}{path}": {why}') from error
    finally:
        connection.close()


def tcp_connect(target: Json, container: Json, pod_ip: str, timeout_s: float) -> None:
    """Raises ActionError."""
    host, port = target.get("host") or pod_ip, port_of(target["port"], container)
    try:
        socket.create_connection((host, port), timeout=timeout_s).close()
    except OSError as error:
        raise ActionError(_why(error, host, port)) from error


def _why(error: Exception, host: str, port: int) -> str:
    """As Go's net package says it."""
    if isinstance(error, TimeoutError):
        return f"dial tcp {host}:{port}: i/o timeout"
    if isinstance(error, http.client.RemoteDisconnected):
        return "EOF"
    if isinstance(error, ConnectionResetError):
        return f"read tcp {host}:{port}: read: connection reset by peer"
    if isinstance(error, OSError) and error.errno in (errno.ECONNREFUSED, errno.EHOSTUNREACH):
        return f"dial tcp {host}:{port}: connect: {os.strerror(error.errno).lower()}"
    return str(error)
