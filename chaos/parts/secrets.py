"""The Secret that a procedure rotates, and who reads it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chaos.kube import Json, kind_of
from chaos.kube.system_under_test import SystemUnderTest
from chaos.parts.find import PartError, add
from slo.runbook.model import Procedure
from slo.system.parts import SecretPart

_ENV = ("env", "envFrom")


@dataclass(frozen=True, slots=True, kw_only=True)
class RotatedSecret:
    """`key` is "" where any of its values may be the one."""

    name: str
    key: str


def rotated_by(system: SystemUnderTest, procedure: Procedure) -> RotatedSecret:
    """The one that system.yaml or the procedure's commands name. Raises PartError, ClusterError."""
    texts, words = (procedure.title, *(s.text for s in procedure.steps)), _words(procedure)
    parts = [p for p in system.parts if isinstance(p, SecretPart)]
    meant = [p for p in parts if p.secret in words or any(map(p.named_in, texts))]
    listed = system.cluster.objects(kind_of("Secret"), system.namespace)
    named = [n for n in (s["metadata"]["name"] for s in listed) if n in words]
    part = next(iter(meant or ([] if named else parts)), None)
    name, key = (part.secret or "", part.key or "") if part else ("", "")
    if not name:
        if len(named) != 1:
            several = f"several Secrets ({', '.join(named)})" if named else "no Secret that is here"
            why = f"the commands of {procedure.title!r} name {several}"
            title = part.name if part else "the secret"
            raise PartError(add(why, name=title, kind="secret", secret="NAME", key="KEY"))
        name = named[0]
    found = system.find("Secret", name)
    if found is None:
        raise PartError(
            f"namespace {system.namespace} has no Secret {name!r}, which system.yaml names"
        )
    return RotatedSecret(name=name, key=key)


def reads(pod_spec: Json, secret: str) -> bool:
    """Does a pod have the Secret in its environment? On volumes it changes without a restart."""
    return any(secret in set(_secrets_in(c.get(f))) for c in _containers(pod_spec) for f in _ENV)


def _words(procedure: Procedure) -> set[str]:
    """Of its commands; "secret/name" and "name" are both a name."""
    words = (w for c in procedure.commands for w in (*c.words, *c.inner))
    return {w.rpartition("/")[2] for w in words}


def _containers(pod_spec: Json) -> list[Json]:
    return [*pod_spec["containers"], *(pod_spec.get("initContainers") or ())]


def _secrets_in(node: Any) -> Iterator[str]:
    """The names under secretKeyRef and secretRef."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in {"secretKeyRef", "secretRef"} and isinstance(value, dict):
                yield str(value.get("name") or "")
            yield from _secrets_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from _secrets_in(value)
