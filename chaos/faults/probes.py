"""Witnesses: what somebody else sees of a fault, from where the callers run or as users do.

A plan names them where the fault itself leaves no trace that Kubernetes would tell of: a frozen
database has a pod that runs, a cut network no object at all. Every witness is asked before the
fault too: one that already sees what the fault is meant to bring about could confirm nothing.
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

import httpx
from pydantic import Field, model_validator

from chaos.faults.base import NoTargetError, Part, Scene, words
from chaos.kube import ClusterError, Pod
from slo.documents import Duration

ANSWER_WITHIN_S = 5.0

# The standard library alone, as it runs in a container of the service. One exchange: how it ended,
# after how many milliseconds, and what was said.
PROBE = r"""
import json, socket, sys, time
how, host, port, limit = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
say = {
  "redis": b"PING\r\n",
  "bolt": bytes.fromhex("6060b017") + bytes.fromhex("00000405000000040000000300000000"),
  "http": b"GET / HTTP/1.0\r\nHost: " + host.encode() + b"\r\n\r\n",
}.get(how)
begun = time.monotonic()
try:
    with socket.create_connection((host, port), limit) as s:
        said = ""
        if say:
            s.settimeout(max(0.01, limit - (time.monotonic() - begun)))
            s.sendall(say)
            data = s.recv(64)
            said = repr(data)[2:-1] if data else ""
            if not data:
                raise ConnectionResetError
    end = "answers"
except (TimeoutError, socket.timeout):
    end, said = "hangs", ""
except ConnectionRefusedError:
    end, said = "refused", ""
except ConnectionResetError:
    end, said = "reset", ""
except OSError as error:
    end, said = "unreachable", str(error)
print(json.dumps({"end": end, "ms": round(1000 * (time.monotonic() - begun), 1), "said": said}))
"""

End = Literal["refused", "hangs", "reset", "unreachable"]


class PodProbe(Part):
    """One exchange from a pod of the callers. Needs `python3` in its container.

    Sees the fault when the probe does not get its answer (`ends` says how, by default any way), or
    with `slower_than` when the answer takes longer.
    """

    kind: Literal["tcp", "bolt", "redis", "http"]
    labels: dict[str, str] = Field(alias="from", min_length=1)
    to: str = Field(pattern=r"^[^:\s]+:\d+$")
    container: str | None = None
    ends: tuple[End, ...] = ("refused", "hangs", "reset", "unreachable")
    slower_than: Duration | None = None
    within: Duration = timedelta(seconds=2)

    def see(self, scene: Scene) -> str | None:
        pod = _any_pod(scene, self.labels)
        host, _, port = self.to.rpartition(":")
        limit = self.within.total_seconds()
        command = ("python3", "-c", PROBE.strip(), self.kind, host, port, str(limit))
        container = self.container or pod.containers[0]
        output = scene.cluster.execute(
            pod.name, scene.namespace, container, command, within_s=limit + ANSWER_WITHIN_S
        )
        try:
            told: Any = json.loads(output.text)
        except ValueError as error:
            text = " ".join(output.text.split())[:200]
            raise ClusterError(f"the probe in pod {pod.name} cannot run: {text}") from error
        where = f"{self.kind} {self.to} from {pod.name}"
        if told["end"] == "answers":
            if self.slower_than is None or told["ms"] <= 1000 * self.slower_than.total_seconds():
                return None
            return f"{where} answers after {told['ms']:g} ms"
        if told["end"] not in self.ends:
            return None
        said = f" ({told['said']})" if told["said"] else ""
        return f"{where}: {told['end']}{said} after {told['ms']:g} ms"


class UserProbe(Part):
    """Requests to the service as its users make them; one that fits is enough.

    `status` is the answer's, or its class as in "5xx"; `contains` a text in its body; `slower_than`
    the time until it is whole. What is given must hold together.
    """

    kind: Literal["answer"]
    path: str = Field(default="/health", pattern="^/")
    method: Literal["GET", "POST"] = "GET"
    body: Any = None
    tries: int = Field(default=1, ge=1, le=100)
    status: str | None = Field(
        default=None, pattern=r"^[1-5](\d\d|xx)$", coerce_numbers_to_str=True
    )
    contains: str | None = None
    slower_than: Duration | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.status is None and self.contains is None and self.slower_than is None:
            raise ValueError("say what to look for: 'status', 'contains' or 'slower_than'")
        return self

    def see(self, scene: Scene) -> str | None:
        with httpx.Client(base_url=scene.url, timeout=ANSWER_WITHIN_S) as client:
            for _ in range(self.tries):
                try:
                    answer = client.request(self.method, self.path, json=self.body)
                except httpx.HTTPError:
                    continue  # no answer is another matter than this answer
                if self._fits(answer):
                    return self._words(answer)
        return None

    def _words(self, answer: httpx.Response) -> str:
        took = f"{answer.status_code} after {answer.elapsed.total_seconds():.3f} s"
        inside = f', with "{self.contains}" in it' if self.contains else ""
        return f"{self.method} {self.path}: {took}{inside}"

    def _fits(self, answer: httpx.Response) -> bool:
        if self.status is not None:
            wanted, got = self.status, str(answer.status_code)
            if got != wanted and not (wanted.endswith("xx") and got[0] == wanted[0]):
                return False
        if self.contains is not None and self.contains not in answer.text:
            return False
        return self.slower_than is None or answer.elapsed > self.slower_than


Probe = Annotated[PodProbe | UserProbe, Field(discriminator="kind")]


def require_unseen(scene: Scene, witnesses: Sequence[Probe]) -> None:
    """Before the fault. Raises NoTargetError where a witness sees already what it should show."""
    for witness in witnesses:
        if seen := witness.see(scene):
            raise NoTargetError(f"seen before the fault, so it would show nothing: {seen}")


def seen(scene: Scene, witnesses: Sequence[Probe]) -> str | None:
    """What all witnesses see, in words; None as long as one of them does not."""
    found = []
    for witness in witnesses:
        told = witness.see(scene)
        if told is None:
            return None
        found.append(told)
    return "; ".join(found)


def _any_pod(scene: Scene, labels: dict[str, str]) -> Pod:
    selector = words(labels)
    pods = [p for p in scene.cluster.pods(scene.namespace, selector) if not p.ending]
    running = sorted(pods, key=lambda p: not p.ready)
    if not running:
        raise ClusterError(f"no pod with {selector} in {scene.namespace} to probe from")
    return running[0]


__all__ = ["PodProbe", "Probe", "UserProbe", "require_unseen", "seen"]
