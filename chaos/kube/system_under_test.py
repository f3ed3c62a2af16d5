"""The system that procedures are tried on: one namespace, and where its users go."""

import base64
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from chaos.kube import Cluster, ClusterError, Json, Kind, Pod, Ref, kind_of
from chaos.kube.views import selector_of

HTTP_S = 5.0
POLL_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemUnderTest:
    """One namespace of one cluster; `url` is where users of its workload go."""

    cluster: Cluster
    namespace: str
    workload: str
    url: str

    def ref(self, kind: str | Kind, name: str) -> Ref:
        return Ref(kind_of(kind) if isinstance(kind, str) else kind, name, self.namespace)

    def find(self, kind: str | Kind, name: str) -> Json | None:
        return self.cluster.find(self.ref(kind, name))

    @property
    def deployment(self) -> Json:
        return self.cluster.get(self.ref("Deployment", self.workload))

    def pods(self, labels: str | None = None) -> list[Pod]:
        """Of the workload, unless labels are given; those that are ending left out."""
        if labels is None:
            labels = selector_of(self.deployment["spec"]["selector"])
        return [p for p in self.cluster.pods(self.namespace, labels) if not p.ending]

    def raw_pods(self, labels: str = "") -> list[Json]:
        return self.cluster.objects(kind_of("Pod"), self.namespace, labels)

    def ending(self) -> bool:
        """Is any pod of the namespace on its way out?"""
        return any("deletionTimestamp" in p["metadata"] for p in self.raw_pods())

    def settled(self, kind: str = "Deployment", name: str = "") -> str:
        """Why the workload is not as its author wants it; "" when it is."""
        found = self.cluster.get(self.ref(kind, name or self.workload))
        spec, state = found["spec"], found.get("status") or {}
        wanted = 1 if spec.get("replicas") is None else spec["replicas"]
        title = found["metadata"]["name"]
        if state.get("observedGeneration", 0) < found["metadata"].get("generation", 0):
            return f"{title}: its controller has not seen the last change yet"
        if state.get("updatedReplicas", 0) < wanted and kind == "Deployment":
            return (
                f"{title}: {state.get('updatedReplicas', 0)} of {wanted} pods are of this version"
            )
        if state.get("replicas", 0) != wanted:
            return f"{title}: {state.get('replicas', 0)} pods, {wanted} wanted"
        if state.get("readyReplicas", 0) < wanted:
            return f"{title}: {state.get('readyReplicas', 0)} of {wanted} pods ready"
        return ""

    def patch(self, kind: str | Kind, name: str, operations: Callable[[Json], list[Json]]) -> None:
        if self.cluster.change(self.ref(kind, name), operations) is None:
            raise ClusterError(f"there is no {self.ref(kind, name)}")

    def set_env(self, name: str, value: str) -> None:
        """One variable of the workload's first container, as `kubectl set env` would."""

        def change(found: Json) -> list[Json]:
            container = found["spec"]["template"]["spec"]["containers"][0]
            kept = [e for e in container.get("env") or [] if e["name"] != name]
            entry = {"name": name, "value": value}
            path = "/spec/template/spec/containers/0/env"
            return [{"op": "add", "path": path, "value": [*kept, entry]}]

        self.patch("Deployment", self.workload, change)

    def scale(self, kind: str, name: str, replicas: int) -> None:
        change = [{"op": "add", "path": "/spec/replicas", "value": replicas}]
        self.patch(kind, name, lambda _: change)

    def secret(self, name: str) -> dict[str, str]:
        """Decoded values; empty if there is none."""
        found = self.find("Secret", name) or {}
        data = found.get("data") or {}
        return {k: base64.b64decode(v).decode(errors="replace") for k, v in data.items()}

    def restart_members(self) -> bool:
        """Delete the pods of all StatefulSets, which come again; false where there are none."""
        owned = [
            p
            for p in self.raw_pods()
            if any(o["kind"] == "StatefulSet" for o in p["metadata"].get("ownerReferences") or [])
        ]
        for pod in owned:
            self.cluster.delete(self.ref("Pod", pod["metadata"]["name"]))
        return bool(owned)

    def secrets(self) -> Iterator[list[str]]:
        """The decoded values of each Secret in the namespace."""
        for found in self.cluster.objects(kind_of("Secret"), self.namespace):
            data = found.get("data") or {}
            yield [base64.b64decode(v).decode(errors="replace") for v in data.values()]

    def guesses(self) -> dict[str, str]:
        """Placeholders that the cluster answers: the workload's pod in the most trouble, the date."""
        found = {"date": f"{datetime.now(UTC):%Y%m%d}"}
        if not self.workload:
            return found
        with contextlib.suppress(ClusterError):  # a procedure may be about something else
            pods = sorted(self.pods(), key=lambda p: (p.ready, -sum(p.restarts.values()), p.name))
            if pods:
                found |= dict.fromkeys(("pod-name", "pod"), pods[0].name)
        return found

    def ask(
        self, method: str, path: str, body: Any = None, *, url: str = "", host: str = ""
    ) -> httpx.Response | None:
        """One request as a user makes it; None without an answer."""
        headers = {"Host": host} if host else {}
        named = {"sni_hostname": host} if host else {}
        # By its address: whoever the cluster likes may have signed the certificate.
        with contextlib.suppress(httpx.HTTPError), httpx.Client(verify=not host) as client:
            return client.request(
                method,
                (url or self.url) + path,
                json=body,
                headers=headers,
                extensions=named,
                timeout=HTTP_S,
            )
        return None


def wait(condition: Callable[[], object], within_s: float) -> bool:
    """Look until it holds; errors of the cluster count as "not yet"."""
    deadline = time.monotonic() + within_s
    while True:
        with contextlib.suppress(ClusterError):
            if condition():
                return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_S)
