"""Startup, readiness and liveness probes, with the kubelet's counting.

Source: kubernetes.io, "Configure Liveness, Readiness and Startup Probes".
"""

import http.client
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Json = dict[str, Any]
ProbeKind = Literal["startup", "readiness", "liveness"]
Enter = Callable[[list[str]], list[str]]  # a command -> that command inside the container


@dataclass(frozen=True, slots=True)
class Answer:
    """Of one try; `output` says why when it failed, in the kubelet's words."""

    ok: bool
    output: str = ""


class Probe:
    """One probe of one container run: when it is due, and what its answers amount to."""

    def __init__(self, kind: ProbeKind, spec: Json, container: Json, pod_ip: str) -> None:
        self.kind = kind
        self._spec, self._container, self._ip = spec, container, pod_ip
        self.due = time.monotonic() + spec.get("initialDelaySeconds", 0)
        self._streak = 0
        self._last: bool | None = None

    def attempt(self, enter: Enter) -> tuple[Answer, bool | None]:
        """Try once. (the answer, the new verdict or None while the threshold is not reached)."""
        answer = self._try(enter)
        self.due = time.monotonic() + self._spec.get("periodSeconds", 10)
        self._streak = self._streak + 1 if answer.ok == self._last else 1
        self._last = answer.ok
        name, default = ("successThreshold", 1) if answer.ok else ("failureThreshold", 3)
        reached = self._streak >= self._spec.get(name, default)
        return answer, answer.ok if reached else None

    def _try(self, enter: Enter) -> Answer:
        timeout = self._spec.get("timeoutSeconds", 1)
        if "httpGet" in self._spec:
            return self._http(self._spec["httpGet"], timeout)
        if "tcpSocket" in self._spec:
            return self._tcp(self._spec["tcpSocket"], timeout)
        if "exec" in self._spec:
            return _execute(enter, self._spec["exec"]["command"], timeout)
        return Answer(ok=True)

    def _port(self, port: str | int) -> int:
        if isinstance(port, int) or port.isdigit():
            return int(port)
        listed = self._container.get("ports") or []
        return next((int(p["containerPort"]) for p in listed if p.get("name") == port), 0)

    def _http(self, get: Json, timeout: float) -> Answer:
        host, port = get.get("host") or self._ip, self._port(get["port"])
        kind: type[http.client.HTTPConnection] = http.client.HTTPConnection
        options: dict[str, Any] = {}
        if get.get("scheme") == "HTTPS":
            kind = http.client.HTTPSConnection
            options["context"] = context = ssl.create_default_context()
            # The kubelet does not check the certificate of what it probes either.
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = kind(host, port, timeout=timeout, **options)
        url = f"{get.get('scheme', 'HTTP').lower()}://{host}:{port}{get.get('path', '/')}"
        headers = {h["name"]: h["value"] for h in get.get("httpHeaders") or []}
        headers = {"User-Agent": "kube-probe/1.37", "Connection": "close", **headers}
        try:
            connection.request("GET", get.get("path") or "/", headers=headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return Answer(ok=False, output=f'Get "{url}": {error}')
        finally:
            connection.close()
        if 200 <= status < 400:  # noqa: PLR2004 - what the kubelet calls success
            return Answer(ok=True)
        return Answer(ok=False, output=f"HTTP probe failed with statuscode: {status}")

    def _tcp(self, target: Json, timeout: float) -> Answer:
        host, port = target.get("host") or self._ip, self._port(target["port"])
        try:
            socket.create_connection((host, port), timeout=timeout).close()
        except OSError as error:
            return Answer(ok=False, output=f"dial tcp {host}:{port}: {error}")
        return Answer(ok=True)


def _execute(enter: Enter, command: list[str], timeout: float) -> Answer:
    try:
        done = subprocess.run(
            enter(command),
            capture_output=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return Answer(ok=False, output=f"command timed out after {timeout:g} s")
    except OSError as error:
        return Answer(ok=False, output=str(error))
    text = (done.stdout + done.stderr).decode(errors="replace")[:200]
    return Answer(ok=done.returncode == 0, output=text)


def probes_of(container: Json, pod_ip: str) -> list[Probe]:
    kinds: tuple[ProbeKind, ...] = ("startup", "readiness", "liveness")
    return [
        Probe(kind, container[f"{kind}Probe"], container, pod_ip)
        for kind in kinds
        if container.get(f"{kind}Probe")
    ]
