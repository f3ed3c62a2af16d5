"""Kubernetes objects as a runbook's commands speak of them: by kind in any spelling, and name."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from slo.documents import DocumentError

_ALIASES = {
    "Pod": "pod pods po",
    "Service": "service services svc",
    "Deployment": "deployment deployments deploy deployments.apps deployment.apps",
    "StatefulSet": "statefulset statefulsets sts statefulset.apps statefulsets.apps",
    "DaemonSet": "daemonset daemonsets ds",
    "ReplicaSet": "replicaset replicasets rs",
    "Job": "job jobs",
    "CronJob": "cronjob cronjobs cj",
    "Ingress": "ingress ingresses ing",
    "HorizontalPodAutoscaler": "horizontalpodautoscaler horizontalpodautoscalers hpa",
    "VerticalPodAutoscaler": "verticalpodautoscaler verticalpodautoscalers vpa",
    "PodDisruptionBudget": "poddisruptionbudget poddisruptionbudgets pdb",
    "NetworkPolicy": "networkpolicy networkpolicies netpol",
    "ConfigMap": "configmap configmaps cm",
    "Secret": "secret secrets",
    "Namespace": "namespace namespaces ns",
    "ServiceAccount": "serviceaccount serviceaccounts sa",
    "PersistentVolumeClaim": "persistentvolumeclaim persistentvolumeclaims pvc",
    "Certificate": "certificate certificates cert certs",
}
_KINDS = {alias: kind for kind, aliases in _ALIASES.items() for alias in aliases.split()}
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")
# Made by the cluster or by people, and so in no manifest.
_ELSEWHERE = frozenset(("ReplicaSet", "Namespace"))
_BUILT_IN = frozenset(("default", "kube-system", "kube-public", "kube-node-lease"))
_TEMPLATED = re.compile(r"\{\{-?\s")


def kind_of(written: str) -> str:
    """The Kind that "deploy", "hpa" or "Services" means; "" if it is none that we know."""
    return _KINDS.get(written.casefold(), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeObject:
    """`where` is "file:line", or the cluster. `body` is the object as JSON values."""

    kind: str
    name: str
    namespace: str
    body: Mapping[str, Any]
    where: str


@dataclass(frozen=True, slots=True)
class Objects:
    """All objects there are, as far as `origin` knows: a directory of manifests, or a cluster."""

    origin: str
    all: tuple[KubeObject, ...]
    live: bool = False
    text: str = ""  # all that was read, for names that stand in configuration files
    unknown: frozenset[str] = frozenset()  # kinds that could not be read
    notes: tuple[str, ...] = ()  # what was passed over

    def of(self, kind: str) -> Iterator[KubeObject]:
        return (o for o in self.all if o.kind == kind)

    def find(self, kind: str, name: str) -> KubeObject | None:
        return next((o for o in self.of(kind) if o.name == name), None)

    def names(self, kind: str) -> set[str]:
        """The names of all objects of a kind, those among them that others only speak of."""
        found = {o.name for o in self.of(kind)}
        if kind == "Namespace":
            found |= {o.namespace for o in self.all if o.namespace} | _BUILT_IN
        if not self.live:
            found |= _implied(self.all, kind)
        return found

    def knows(self, kind: str) -> bool:
        """Would an object of the kind be here if it existed?"""
        if kind == "Pod" or kind in self.unknown:
            return False
        return self.live or kind == "Namespace" or kind not in _ELSEWHERE

    def near(self, kind: str, name: str) -> str:
        """The name that was meant, perhaps; "" if none is like it."""
        names = sorted(self.names(kind))
        inside = [n for n in names if name in n or n in name]
        return next(iter(difflib.get_close_matches(name, names, 1, 0.5) or inside), "")

    def workload_of(self, pod: str) -> KubeObject | None:
        """The StatefulSet that has a pod of this name: neo4j-0 belongs to neo4j."""
        base, _, ordinal = pod.rpartition("-")
        return self.find("StatefulSet", base) if ordinal.isdigit() else None

    def containers(self, workload: KubeObject) -> list[Mapping[str, Any]]:
        """The containers of its pods, whatever else its manifest lacks."""
        node: Any = workload.body
        for key in ("spec", "template", "spec", "containers"):
            node = node.get(key) if isinstance(node, dict) else None
        return [c for c in node if isinstance(c, dict)] if isinstance(node, list) else []

    def images(self) -> set[str]:
        """Those of all workloads, and those that a Kustomization puts in their place."""
        written = {
            str(c.get("image", ""))
            for kind in WORKLOADS
            for o in self.of(kind)
            for c in self.containers(o)
        }
        return written | {
            f"{entry.get('newName') or entry.get('name')}:{entry['newTag']}"
            for o in self.of("Kustomization")
            for entry in o.body.get("images") or ()
            if isinstance(entry, dict) and entry.get("newTag")
        }


def merged(parts: Sequence[Objects]) -> Objects:
    """Manifests and a cluster as one: an object that either has is there."""
    if len(parts) == 1:
        return parts[0]
    return Objects(
        " and ".join(p.origin for p in parts),
        tuple(o for p in parts for o in p.all),
        live=any(p.live for p in parts),
        text="\n".join(p.text for p in parts),
        unknown=frozenset().union(*(p.unknown for p in parts)),
        notes=tuple(note for p in parts for note in p.notes),
    )


def _implied(objects: Iterable[KubeObject], kind: str) -> set[str]:
    """Names of Secrets and such that a manifest refers to, or that a controller will make."""
    found: set[str] = set()
    for one in objects:
        if kind == "Secret":
            found |= set(_values(one.body, ("secretName", "secretKeyRef", "secretRef")))
            found |= set(_values(one.body, ("imagePullSecrets",)))
        elif kind == "ConfigMap":
            found |= set(_values(one.body, ("configMap", "configMapRef", "configMapKeyRef")))
        elif kind == "Certificate" and one.kind == "Ingress":
            notes = (one.body.get("metadata") or {}).get("annotations") or {}
            if any(str(key).startswith("cert-manager.io/") for key in notes):
                found |= set(_values(one.body.get("spec", {}), ("secretName",)))
        if one.kind == "Kustomization" and kind in {"ConfigMap", "Secret"}:
            key = "configMapGenerator" if kind == "ConfigMap" else "secretGenerator"
            found |= set(_values(one.body, (key,)))
    return found


def _values(node: Any, keys: tuple[str, ...]) -> Iterator[str]:
    """The names below these keys: `key: name`, `key: {name: name}` and lists of either."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in keys:
                for item in value if isinstance(value, list) else [value]:
                    if isinstance(item, str):
                        yield item
                    elif isinstance(item, dict) and isinstance(item.get("name"), str):
                        yield item["name"]
            yield from _values(value, keys)
    elif isinstance(node, list):
        for item in node:
            yield from _values(item, keys)


def read_manifests(folder: Path) -> Objects:
    """Every object in the YAML files below `folder`. Raises DocumentError.

    Templates (Helm) are not YAML yet: they are passed over with a note; `helm template` makes files
    of them that are. Patches are no objects: what they change is not seen.
    """
    if not folder.is_dir():
        raise DocumentError(f"{folder}: not a directory of manifests")
    found: list[KubeObject] = []
    texts: list[str] = []
    notes: list[str] = []
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".yaml", ".yml"} and path.is_file():
            texts.append(_text(path))
            if _TEMPLATED.search(texts[-1]):
                notes.append(f"{path}: a template, which was not read; render it first")
            else:
                found += _objects(path, texts[-1])
    if not found:
        raise DocumentError(f"{folder}: no Kubernetes object in any .yaml or .yml file")
    return Objects(str(folder), tuple(found), text="\n".join(texts), notes=tuple(notes))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DocumentError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path}: not UTF-8 text") from error


def _objects(path: Path, text: str) -> list[KubeObject]:
    try:
        documents = list(YAML(typ="rt").load_all(text))
    except (YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        said = getattr(error, "problem", None) or " ".join(str(error).split())
        raise DocumentError(f"{path}{line}: not valid YAML: {said}") from error
    found = []
    for document in documents:
        items = [document]
        if isinstance(document, dict) and document.get("kind") == "List":
            items = list(document.get("items") or ())
        found += [o for item in items if (o := _object(item, path)) is not None]
    return found


def _object(item: Any, path: Path) -> KubeObject | None:
    if not isinstance(item, dict) or not isinstance(item.get("kind"), str):
        return None
    meta = item.get("metadata") if isinstance(item.get("metadata"), dict) else {}
    name = str((meta or {}).get("name", ""))
    if not name and item["kind"] != "Kustomization":
        return None
    line = getattr(item, "lc", None)
    return KubeObject(
        kind=item["kind"],
        name=name,
        namespace=str((meta or {}).get("namespace", "")),
        body=item,
        where=f"{path}:{line.line + 1 if line is not None else 1}",
    )
