"""CustomResourceDefinitions of the add-ons in addons.yaml."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

Json = dict[str, Any]
_FREE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def definitions() -> Iterator[Json]:
    """The objects to create before manifests that use them."""
    file = Path(__file__).with_name("addons.yaml")
    for family in YAML(typ="safe", pure=True).load(file):
        for kind in family["kinds"]:
            yield _definition(family["group"], family["version"], kind)


def _definition(group: str, version: str, kind: Json) -> Json:
    singular = kind["kind"].lower()
    names = {
        "plural": singular + "s",
        "singular": singular,
        "kind": kind["kind"],
        "shortNames": kind.get("short", []),
        "categories": kind.get("categories", []),
    }
    schema = {"type": "object", "properties": {"spec": _FREE, "status": _FREE}}
    served: Json = {
        "name": version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            {
                "name": name.rstrip("*"),
                "jsonPath": path,
                "type": "date" if path.endswith("Timestamp") else "string",
                "priority": int(name.endswith("*")),
            }
            for name, path in kind.get("columns", {}).items()
        ],
    }
    scope = kind.get("scope", "Namespaced")
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.{group}"},
        "spec": {"group": group, "scope": scope, "names": names, "versions": [served]},
    }
