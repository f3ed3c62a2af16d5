"""Small Kubernetes objects for the controllers' tables of cases."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]

NOW = datetime(2025, 1, 26, 12, 0, 0, tzinfo=UTC)
_serial = itertools.count(1)


def at(seconds: float) -> str:
    """A timestamp so many seconds from NOW."""
    return (NOW + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def meta(name: str, *, age_s: float = 60, **more: Any) -> Json:
    return {
        "name": name,
        "namespace": "test",
        "uid": f"uid-{name}-{next(_serial)}",
        "resourceVersion": "1",
        "generation": 1,
        "creationTimestamp": at(-age_s),
        **more,
    }


def owner(obj: Json, kind: str) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition(kind: str, value: object, since_s: float = 0) -> Json:
    return {"type": kind, "status": str(value), "lastTransitionTime": at(since_s)}


def template(**more: Any) -> Json:
    container = {"name": "app", "image": "app:1", "ports": [{"containerPort": 80, "name": "http"}]}
    return {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{**container, **more}]},
    }


def pod(
    name: str,
    *,
    ready: bool = True,
    since_s: float = -30,
    node: str | None = "node-1",
    phase: str = "Running",
    labels: Json | None = None,
    age_s: float = 60,
    **more: Any,
) -> Json:
    spec = dict(template()["spec"])
    if node:
        spec["nodeName"] = node
    return {
        "metadata": meta(name, age_s=age_s, labels=labels or {"app": "web"}, **more),
        "spec": spec,
        "status": {
            "phase": phase,
            "podIP": f"127.0.1.{next(_serial) % 250 + 1}",
            "conditions": [condition("Ready", ready, since_s)],
        },
    }


def deployment(replicas: int = 4, **spec: Any) -> Json:
    return {
        "metadata": meta("web", labels={"app": "web"}),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template(),
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
            },
            **spec,
        },
        "status": {},
    }


def replica_set(
    name: str = "web-1",
    replicas: int = 3,
    *,
    image: str = "app:1",
    revision: int = 1,
    available: int | None = None,
    age_s: float = 60,
    desired: int | None = None,
    most: int | None = None,
) -> Json:
    notes = {"deployment.kubernetes.io/revision": str(revision)}
    if desired is not None:
        notes["deployment.kubernetes.io/desired-replicas"] = str(desired)
    if most is not None:
        notes["deployment.kubernetes.io/max-replicas"] = str(most)
    labelled = template(image=image)
    labelled["metadata"]["labels"]["pod-template-hash"] = name
    up = replicas if available is None else available
    return {
        "metadata": meta(name, age_s=age_s, annotations=notes, labels={"app": "web"}),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": labelled,
        },
        "status": {
            "replicas": replicas,
            "readyReplicas": up,
            "availableReplicas": up,
            "observedGeneration": 1,
        },
    }


def node(
    name: str = "n1",
    *,
    ready: object = True,
    labels: Json | None = None,
    allocatable: Json | None = None,
    **spec: Any,
) -> Json:
    return {
        "metadata": meta(name, labels={"kubernetes.io/hostname": name, **(labels or {})}),
        "spec": spec,
        "status": {
            "conditions": [condition("Ready", ready)],
            "allocatable": {"cpu": "2", "memory": "8Gi", "pods": "110", **(allocatable or {})},
        },
    }
