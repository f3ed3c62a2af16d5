"""Startup, readiness and liveness probes, with the kubelet's counting.

Source: kubernetes.io, "Configure Liveness, Readiness and Startup Probes".
"""

import time
from dataclasses import dataclass
from typing import Literal

from service.cluster.agent.actions import (
    ActionError,
    Command,
    Enter,
    Json,
    http_get,
    tcp_connect,
)

ProbeKind = Literal["startup", "readiness", "liveness"]
SHOWN = 10 * 1024  # bytes of a command's output, as the kubelet cuts it


@dataclass(frozen=True, slots=True)
class Answer:
    """Of one try; `output` says why when it failed, in the kubelet's words."""

    ok: bool
    output: str = ""


class Probe:
    """One probe of one container run: when it is due, and what its answers amount to."""

    def __init__(
        self, kind: ProbeKind, spec: Json, container: Json, pod_ip: str, begun: float
    ) -> None:
        """`begun` is when the container was started, on the monotonic clock."""
        self.kind = kind
        self._spec, self._container, self._ip = spec, container, pod_ip
        self.due = begun + spec.get("initialDelaySeconds", 0)
        self._streak = 0
        self._last: bool | None = None

    def attempt(self, enter: Enter) -> tuple[Answer, bool | None]:
        """Try once. (the answer, the new verdict or None while the threshold is not reached)."""
        self.due = time.monotonic() + self._spec.get("periodSeconds", 10)
        answer = self._try(enter)
        self._streak = self._streak + 1 if answer.ok == self._last else 1
        self._last = answer.ok
        name, default = ("successThreshold", 1) if answer.ok else ("failureThreshold", 3)
        reached = self._streak >= self._spec.get(name, default)
        return answer, answer.ok if reached else None

    @property
    def grace_s(self) -> int | None:
        """How long a container that fails it has to end, where that is not the pod's time."""
        found: int | None = self._spec.get("terminationGracePeriodSeconds")
        return found

    def _try(self, enter: Enter) -> Answer:
        timeout = self._spec.get("timeoutSeconds", 1)
        try:
            if "httpGet" in self._spec:
                status = http_get(self._spec["httpGet"], self._container, self._ip, timeout)
                text = f"HTTP probe failed with statuscode: {status}"
                ok = 200 <= status < 400  # noqa: PLR2004 - what the kubelet calls success
                return Answer(ok, "" if ok else text)
            if "tcpSocket" in self._spec:
                tcp_connect(self._spec["tcpSocket"], self._container, self._ip, timeout)
                return Answer(ok=True)
            if "exec" in self._spec:
                code, text = Command().run(enter(self._spec["exec"]["command"]), timeout)
                return Answer(code == 0, text[:SHOWN])
        except (ActionError, OSError) as error:
            return Answer(ok=False, output=str(error))
        return Answer(ok=False, output="this node knows no such probe")


def probes_of(container: Json, pod_ip: str, begun: float, *, started: bool) -> list[Probe]:
    """Those that are tried: only the startup probe until it has succeeded."""
    later: tuple[ProbeKind, ...] = ("readiness", "liveness")
    kinds: tuple[ProbeKind, ...] = later if started else ("startup",)
    return [
        Probe(kind, container[f"{kind}Probe"], container, pod_ip, begun)
        for kind in kinds
        if container.get(f"{kind}Probe")
    ]
