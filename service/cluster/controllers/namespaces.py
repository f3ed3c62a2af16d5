"""Namespaces: each has a ServiceAccount default and the cluster's certificate; deletion empties."""

from pathlib import Path

from service.cluster.controllers.objects import deleting, name
from service.cluster.controllers.runtime import Cluster, Controller
from service.cluster.discovery import resources
from service.cluster.informer import Key, key_of
from service.cluster.kube import CONFIGMAPS, NAMESPACES, PODS, SERVICE_ACCOUNTS, Json

ROOT_CA = "kube-root-ca.crt"


class Namespaces(Controller):
    name = "namespace-controller"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._namespaces = self.watch(NAMESPACES)
        self._accounts = cluster.informer(SERVICE_ACCOUNTS)
        self._config = cluster.informer(CONFIGMAPS)
        for informer in (self._accounts, self._config):
            informer.on_change(self._content_changed)
        authority = cluster.kube.ca_file
        self._ca = Path(authority).read_text(encoding="utf-8") if authority else ""

    def _content_changed(self, kind: str, obj: Json) -> None:
        if kind == "DELETED":
            self.queue.add(("", key_of(obj)[0]))

    def reconcile(self, key: Key) -> float | None:
        namespace = self._namespaces.get(key[1])
        if namespace is None:
            return None
        if deleting(namespace):
            return self._empty(namespace)
        home = name(namespace)
        if self._accounts.get("default", home) is None:
            account = {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": "default", "namespace": home},
            }
            self.cluster.create(SERVICE_ACCOUNTS, account, home)
        if self._config.get(ROOT_CA, home) is None:
            config = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": ROOT_CA, "namespace": home},
                "data": {"ca.crt": self._ca},
            }
            self.cluster.create(CONFIGMAPS, config, home)
        return None

    def _empty(self, namespace: Json) -> float | None:
        """Delete all that is in it, pods in their own time; then let it go."""
        held = (namespace.get("spec") or {}).get("finalizers") or []
        if "kubernetes" not in held:
            return None
        home, left = name(namespace), 0
        for resource in resources(self.cluster.kube):
            if not resource.namespaced:
                continue
            for obj in self.cluster.kube.list(resource, home)["items"]:
                left += 1
                if not deleting(obj):
                    self.cluster.delete(resource, obj)
        if left:
            # Most go at once; pods take their grace period.
            return 1.0 if self.cluster.informer(PODS).list(home) else 0.05
        kept = [f for f in held if f != "kubernetes"]
        body = {**namespace, "spec": {**namespace["spec"], "finalizers": kept}}
        self.cluster.kube.replace(NAMESPACES, home, body, sub="finalize")
        return None
