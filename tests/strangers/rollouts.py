"""A service of Argo Rollouts: the definition of the kind, and what its controller would make."""

import json
import time
from typing import Any

from tests.parts import KUBECTL
from tests.strangers import manifests
from tests.strangers.team import Team

_ANY = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def definition() -> manifests.Manifest:
    """As Argo Rollouts brings it, with a schema that allows everything."""
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": {
            "openAPIV3Schema": {"type": "object", "properties": {"spec": _ANY, "status": _ANY}}
        },
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.HPAReplicas",
                "labelSelectorPath": ".status.selector",
            },
        },
    }
    names = {"plural": "rollouts", "singular": "rollout", "kind": "Rollout", "shortNames": ["ro"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "rollouts.argoproj.io"},
        "spec": {
            "group": "argoproj.io",
            "scope": "Namespaced",
            "names": names,
            "versions": [version],
        },
    }


def deploy(team: Team, where: str, image: str) -> None:
    """A Rollout `shop` of two pods, its Service, and the ReplicaSet that its controller makes."""
    space, service, deployment = manifests.shop(where, "shop", image, "/")
    team.apply([space, service, definition()])
    established = "--for=condition=Established"
    assert team(KUBECTL, "wait", established, "crd/rollouts.argoproj.io").returncode == 0
    rollout = {**deployment, "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}
    team.apply([rollout])
    status = json.dumps({"status": {"HPAReplicas": 2, "selector": "app=shop"}})
    patch = ("patch", "rollout", "shop", "--subresource=status", "--type=merge", "-p", status)
    assert team(KUBECTL, "-n", where, *patch).returncode == 0
    shown = team(KUBECTL, "-n", where, "get", "rollout", "shop", "-o", "json").stdout
    team.apply([_replica_set(json.loads(shown))])
    deadline = time.monotonic() + 90
    ready = ("wait", "pod", "-l", "app=shop", "--for=condition=Ready", "--timeout=60s")
    while team(KUBECTL, "-n", where, *ready).returncode:
        assert time.monotonic() < deadline, "the pods of the Rollout are not ready"


def _replica_set(rollout: dict[str, Any]) -> manifests.Manifest:
    meta, spec = rollout["metadata"], rollout["spec"]
    owner = {"name": meta["name"], "uid": meta["uid"], "controller": True}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": "shop-6f4c8d",
            "namespace": meta["namespace"],
            "ownerReferences": [
                {"apiVersion": rollout["apiVersion"], "kind": rollout["kind"], **owner}
            ],
        },
        "spec": {key: spec[key] for key in ("replicas", "selector", "template")},
    }
