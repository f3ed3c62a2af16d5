"""metrics.k8s.io: what nodes and pods use now, as metrics-server would serve it.

A real cluster has an aggregated API server for this; here it is a part of the API server, which
reads the node agents' standard /metrics/resource. Nothing of it is stored.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx

from service.cluster.apiserver import errors, usage
from service.cluster.apiserver.kinds import Kind
from service.cluster.apiserver.kubelets import Kubelets
from service.cluster.apiserver.resources import Resources
from service.cluster.apiserver.store import Stored

Json = dict[str, Any]
GROUP = "metrics.k8s.io"
READ_EVERY_S = 5.0  # metrics-server's default is 60 s, its manifests' 15 s
ANSWER_WITHIN_S = 4.0


class MetricsApi:
    def __init__(self, resources: Resources, kubelets: Kubelets) -> None:
        self._resources, self._kubelets = resources, kubelets
        self._readings: dict[str, usage.Readings] = {}

    async def run(self) -> None:
        """Read all nodes again and again."""
        while True:
            nodes = list(self._kubelets.nodes())
            found = await asyncio.gather(*map(self._read, nodes))
            names = [node["metadata"]["name"] for node in nodes]
            # Who does not answer has no metrics, rather than old ones.
            self._readings = {n: r for n, r in zip(names, found, strict=True) if r is not None}
            await asyncio.sleep(READ_EVERY_S)

    async def _read(self, node: Json) -> usage.Readings | None:
        last = self._readings.get(node["metadata"]["name"])
        try:
            request = self._kubelets.request(self._kubelets.of_node(node), "/metrics/resource")
            request.extensions["timeout"] = httpx.Timeout(ANSWER_WITHIN_S).as_dict()
            answer = await self._kubelets.http.send(request)
            answer.raise_for_status()
            reading = usage.read(answer.text, time.time())
        except (errors.StatusError, httpx.HTTPError, ValueError):
            return None
        return usage.Readings(last.after if last else {}, reading)

    def get(self, kind: Kind, namespace: str, name: str) -> Stored:
        """Raises StatusError 404 where there are no metrics (yet)."""
        about = self._resources.store.get(self._about(kind), namespace, name)
        found = self._of(kind, about.obj) if about else None
        if found is None:
            title = f"{namespace}/{name}" if namespace else name
            raise errors.not_found(kind.kind.lower(), GROUP, title)
        return _shown(found)

    def each(self, kind: Kind, namespace: str) -> Iterator[Stored]:
        """By namespace and name, as the store gives its objects."""
        for stored in self._resources.store.each(self._about(kind), namespace):
            found = self._of(kind, stored.obj)
            if found is not None:
                yield _shown(found)

    def _about(self, kind: Kind) -> Kind:
        """What it measures: the core resource of the same name."""
        return self._resources.kinds.named(kind.plural)

    def _of(self, kind: Kind, obj: Json) -> Json | None:
        if kind.plural == "nodes":
            return usage.node_metrics(obj, self._readings.get(obj["metadata"]["name"]))
        return usage.pod_metrics(obj, self._readings.get(obj["spec"].get("nodeName", "")))


def _shown(obj: Json) -> Stored:
    return Stored(obj, json.dumps(obj).encode())
