"""The system that procedures are tried on: one namespace, and where its users go."""

import base64
import contextlib
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from chaos.kube import Cluster, ClusterError, Json, Kind, Output, Pod, Ref, kind_of
from chaos.kube.views import COUNTED, containers_of, pod_of, selector_of, unsettled
from slo.system.data import DataCheck
from slo.system.parts import AnyPart, Switches

HTTP_S = 5.0
POLL_S = 0.25
_REVISION = "controller-revision-hash"  # which template a pod of a StatefulSet was made of


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemUnderTest:
    """One namespace of one cluster; `url` is where users of its workload go.

    `kind` is the workload's, `container` the one of the service in its pods, by default the first.
    `parts`, `data` and `switches` are what system.yaml says; so are `verify` and `ca_file`, which
    say whether the certificate at `url` is checked, and by which authorities.
    """

    cluster: Cluster
    namespace: str
    workload: str
    url: str
    kind: str = "Deployment"
    container: str | None = None
    parts: tuple[AnyPart, ...] = ()
    data: tuple[DataCheck, ...] = ()
    switches: Switches = field(default_factory=Switches)
    verify: bool = True
    ca_file: Path | None = None

    def ref(self, kind: str | Kind, name: str) -> Ref:
        known = self.cluster.kind(kind) if isinstance(kind, str) else kind
        return Ref(known, name, self.namespace)

    def find(self, kind: str | Kind, name: str) -> Json | None:
        return self.cluster.find(self.ref(kind, name))

    @property
    def target(self) -> Json:
        """The workload as it is now."""
        return self.cluster.get(self.ref(self.kind, self.workload))

    def container_of(self, pod: Json) -> tuple[int, Json]:
        """Of a pod or template: the service's own container, and where it stands in its spec.

        By its name, else the one that is meant where none is named. Raises ClusterError.
        """
        found: list[Json] = pod["spec"]["containers"]
        named = self.container or containers_of(pod)[0]["name"]
        for place, container in enumerate(found):
            if container["name"] == named:
                return place, container
        names = ", ".join(c["name"] for c in found)
        raise ClusterError(f"{self.workload} has no container {named!r}; it has {names}")

    def template_container(self) -> Json:
        """As the workload wants it. Raises ClusterError."""
        return self.container_of(self.target["spec"]["template"])[1]

    def change_container(self, change: Callable[[Json], Json]) -> None:
        """Its fields in the workload's template become what `change` makes of them."""

        def operations(found: Json) -> list[Json]:
            place, container = self.container_of(found["spec"]["template"])
            path = f"/spec/template/spec/containers/{place}"
            return [
                {"op": "add", "path": f"{path}/{field}", "value": value}
                for field, value in change(container).items()
            ]

        self.patch(self.kind, self.workload, operations)

    def pods(self, labels: str | None = None) -> list[Pod]:
        """Of the workload, unless labels are given; those that are ending left out."""
        if labels is None:
            labels = self.cluster.workload(self.namespace, self.workload, self.kind).selector
        return [p for p in self.cluster.pods(self.namespace, labels) if not p.ending]

    def raw_pods(self, labels: str = "") -> list[Json]:
        return self.cluster.objects(kind_of("Pod"), self.namespace, labels)

    def ending(self) -> bool:
        """Is any pod of the namespace on its way out?"""
        return any("deletionTimestamp" in p["metadata"] for p in self.raw_pods())

    def settled(self, kind: str = "", name: str = "") -> str:
        """Why the workload is not as its author wants it; "" when it is.

        The system's own where none is named.
        """
        kind, name = kind or self.kind, name or self.workload
        if kind in COUNTED:
            return unsettled(self.cluster.get(self.ref(kind, name)))
        found = self.cluster.workload(self.namespace, name, kind)
        return "" if found.whole else f"{name}: {found.ready} of {found.desired} pods ready"

    def patch(self, kind: str | Kind, name: str, operations: Callable[[Json], list[Json]]) -> None:
        if self.cluster.change(self.ref(kind, name), operations) is None:
            raise ClusterError(f"there is no {self.ref(kind, name)}")

    def set_env(self, name: str, value: str) -> None:
        """One variable of the service's container, as `kubectl set env` would."""

        def change(container: Json) -> Json:
            kept = [e for e in container.get("env") or [] if e["name"] != name]
            return {"env": [*kept, {"name": name, "value": value}]}

        self.change_container(change)

    def exec(self, pod: Pod, command: Sequence[str], within_s: float = 10.0) -> Output:
        """In the service's container of one of its pods. Raises ClusterError."""
        container = self.container if self.container in pod.containers else pod.containers[0]
        return self.cluster.execute(pod.name, pod.namespace, container, command, within_s=within_s)

    def scale(self, kind: str, name: str, replicas: int) -> None:
        change = [{"op": "add", "path": "/spec/replicas", "value": replicas}]
        self.patch(kind, name, lambda _: change)

    def secret(self, name: str) -> dict[str, str]:
        """Decoded values; empty if there is none."""
        found = self.find("Secret", name) or {}
        data = found.get("data") or {}
        return {k: base64.b64decode(v).decode(errors="replace") for k, v in data.items()}

    def unblock(self) -> list[str]:
        """Delete what a StatefulSet waits for in vain; the names of the pods.

        While one of its pods is not ready it replaces none, nor that one when the template is good:
        https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
        """
        target = self.target
        state = target.get("status") or {}
        seen = state.get("observedGeneration", 0) >= target["metadata"].get("generation", 0)
        if self.kind != "StatefulSet" or not seen:
            return []
        wanted = state.get("updateRevision")
        stuck = [
            pod
            for pod in self.raw_pods(selector_of(target["spec"]["selector"]))
            if not pod_of(pod).ready
            and not pod_of(pod).ending
            and (pod["metadata"].get("labels") or {}).get(_REVISION) != wanted
        ]
        for pod in stuck:
            ref = self.ref("Pod", pod["metadata"]["name"])
            self.cluster.delete(ref, uid=pod["metadata"]["uid"])
        return [pod["metadata"]["name"] for pod in stuck]

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
        """Placeholders that the cluster answers: the pod in the most trouble, today's date."""
        found = {"date": f"{datetime.now(UTC):%Y%m%d}"}
        if not self.workload:
            return found
        with contextlib.suppress(ClusterError):  # a procedure may be about something else
            pods = sorted(self.pods(), key=lambda p: (p.ready, -sum(p.restarts.values()), p.name))
            if pods:
                found |= dict.fromkeys(("pod-name", "pod"), pods[0].name)
        return found

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        url: str = "",
        host: str = "",
        more: Mapping[str, str] | None = None,
    ) -> httpx.Response | None:
        """One request as a user makes it, with `more` headers; None without an answer."""
        headers = {**(more or {}), **({"Host": host} if host else {})}
        named = {"sni_hostname": host} if host else {}
        # By its address: whoever the cluster likes may have signed the certificate.
        checked = self._checked() if not url else False
        with contextlib.suppress(httpx.HTTPError), httpx.Client(verify=checked) as client:
            return client.request(
                method,
                (url or self.url) + path,
                json=body,
                headers=headers,
                extensions=named,
                timeout=HTTP_S,
            )
        return None

    def _checked(self) -> ssl.SSLContext | bool:
        if self.verify and self.ca_file is not None:
            return ssl.create_default_context(cafile=self.ca_file)
        return self.verify


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
