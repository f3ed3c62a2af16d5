"""CustomResourceDefinitions: kinds that are served because an object says so.

Conversion between versions is the strategy `None`: the apiVersion changes and nothing else.
Source: apiextensions.k8s.io/v1, and its reference for structural schemas and printer columns.
"""

import json
from typing import Any

from service.cluster.apiserver import errors, events
from service.cluster.apiserver.custom_schema import (
    apply_defaults,
    causes,
    prune,
    validator,
)
from service.cluster.apiserver.json_path import printer_path
from service.cluster.apiserver.kinds import Column, Custom, Kind, ScalePaths
from service.cluster.apiserver.store import Stored

Json = dict[str, Any]
DEFINITION = "CustomResourceDefinition"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
_AGE = Column("Age", ".metadata.creationTimestamp", "date")


def check_definition(obj: Json) -> None:
    """Raises StatusError 422 for a definition that cannot be served."""
    spec, wrong = obj.get("spec") or {}, []
    names, versions = spec.get("names") or {}, spec.get("versions") or []
    wrong += [
        (f"spec.{field}", "Required value")
        for field in ("group", "scope", "versions")
        if not spec.get(field)
    ]
    wrong += [
        (f"spec.names.{field}", "Required value")
        for field in ("plural", "kind")
        if not names.get(field)
    ]
    name, full = obj["metadata"].get("name"), f"{names.get('plural')}.{spec.get('group')}"
    if not wrong and name != full:
        help_text = 'must be spec.names.plural+"."+spec.group'
        wrong.append(("metadata.name", f'Invalid value: "{name}": {help_text}'))
    if spec.get("scope") not in (None, "Namespaced", "Cluster"):
        message = f'Unsupported value: "{spec["scope"]}": supported values: "Cluster", "Namespaced"'
        wrong.append(("spec.scope", message))
    if versions and sum(bool(v.get("storage")) for v in versions) != 1:
        message = "Invalid value: must have exactly one version marked as storage version"
        wrong.append(("spec.versions", message))
    for number, version in enumerate(versions):
        for place, column in enumerate(version.get("additionalPrinterColumns") or ()):
            try:
                printer_path(column.get("jsonPath") or "")
            except ValueError as error:
                field = f"spec.versions[{number}].additionalPrinterColumns[{place}].jsonPath"
                wrong.append((field, f'Invalid value: "{column.get("jsonPath")}": {error}'))
    wrong += [
        (f"spec.versions[{number}].schema.openAPIV3Schema", "Required value: schemas are required")
        for number, version in enumerate(versions)
        if not (version.get("schema") or {}).get("openAPIV3Schema")
    ]
    wrong += [
        (f"spec.versions[{number}].subresources.scale.{field}", said)
        for number, version in enumerate(versions)
        for field, said in _wrong_scale((version.get("subresources") or {}).get("scale"))
    ]
    if wrong:
        raise errors.invalid(DEFINITION, "apiextensions.k8s.io", name or "", wrong)


def _wrong_scale(scale: Json | None) -> list[tuple[str, str]]:
    """Fields of `subresources.scale` that the server does not take, and what it says of them."""
    if scale is None:
        return []
    wrong = []
    for field, needed, roots in (
        ("specReplicasPath", True, (".spec.",)),
        ("statusReplicasPath", True, (".status.",)),
        ("labelSelectorPath", False, (".spec.", ".status.")),
    ):
        path = scale.get(field) or ""
        if not path and needed:
            wrong.append((field, "Required value"))
        elif path and ("[" in path or not path.startswith(roots)):
            help_text = f"should be a json path under {' or '.join(r[:-1] for r in roots)}"
            wrong.append((field, f'Invalid value: "{path}": {help_text}'))
    return wrong


def _scale_of(version: Json) -> ScalePaths | None:
    told = (version.get("subresources") or {}).get("scale")
    if told is None:
        return None
    selector = told.get("labelSelectorPath")
    return ScalePaths(
        replicas=_names(told["specReplicasPath"]),
        status_replicas=_names(told["statusReplicasPath"]),
        selector=_names(selector) if selector else None,
    )


def _names(path: str) -> tuple[str, ...]:
    return tuple(path.strip(".").split("."))


def accept(obj: Json, stamp: str) -> None:
    """Fill in what the server decides about a checked definition: names, finalizer, status."""
    names = obj["spec"]["names"]
    names.setdefault("singular", names["kind"].lower())
    names.setdefault("listKind", names["kind"] + "List")
    obj["spec"].setdefault("conversion", {"strategy": "None"})
    metadata = obj["metadata"]
    if not metadata.get("deletionTimestamp") and CLEANUP not in metadata.get("finalizers", []):
        metadata["finalizers"] = [*metadata.get("finalizers", []), CLEANUP]
    status = obj.get("status") or {}
    storage = next(v["name"] for v in obj["spec"]["versions"] if v["storage"])
    conditions = status.get("conditions") or [
        _condition("NamesAccepted", "NoConflicts", "no conflicts found", stamp),
        _condition(
            "Established", "InitialNamesAccepted", "the initial names have been accepted", stamp
        ),
    ]
    stored = [*status.get("storedVersions", [])]
    obj["status"] = {
        "acceptedNames": names,
        "conditions": conditions,
        "storedVersions": stored if storage in stored else [*stored, storage],
    }


def _condition(kind: str, reason: str, message: str, stamp: str) -> Json:
    head = {"type": kind, "status": "True", "lastTransitionTime": stamp}
    return {**head, "reason": reason, "message": message}


def kinds_of(definition: Json) -> list[Kind]:
    """One Kind for each served version, in the order in which discovery lists them."""
    spec = definition["spec"]
    names = spec["names"]
    storage = next(v["name"] for v in spec["versions"] if v["storage"])
    found = []
    for version in spec["versions"]:
        if not version["served"]:
            continue
        schema = version["schema"]["openAPIV3Schema"]
        columns = [
            Column(c["name"], c["jsonPath"], c["type"], wide=bool(c.get("priority")))
            for c in version.get("additionalPrinterColumns") or ()
        ]
        custom = Custom(
            storage=f"{spec['group']}/{storage}",
            schema=schema,
            validator=validator(schema),
            columns=tuple(columns) or (_AGE,),
            scale=_scale_of(version),
        )
        kind = Kind(
            spec["group"],
            version["name"],
            names["plural"],
            names["kind"],
            tuple(names.get("shortNames") or ()),
            spec["scope"] == "Namespaced",
            tuple(s for s in ("status", "scale") if s in (version.get("subresources") or {})),
            tuple(names.get("categories") or ()),
            custom=custom,
        )
        found.append(kind)
    return found


def prepare(kind: Kind, obj: Json, *, strict: bool) -> None:
    """Defaults and pruning, then validation. Raises StatusError 400 (strict) or 422."""
    custom = kind.custom
    if custom is None:
        return
    apply_defaults(obj, custom.schema)
    unknown = prune(obj, custom.schema)
    if unknown and strict:
        listed = ", ".join(f'unknown field "{field}"' for field in unknown)
        raise errors.StatusError(400, "BadRequest", f"strict decoding error: {listed}")
    wrong = causes(obj, custom.validator)
    if wrong:
        name = obj["metadata"].get("name", "")
        raise errors.invalid(kind.kind, kind.group, name, wrong)


def present(kind: Kind, stored: Stored) -> Stored:
    """A stored object in the version that was asked for."""
    if stored.obj.get("apiVersion") == kind.api_version:
        return stored
    obj = _in_version(kind, stored.obj, kind.api_version)
    return Stored(obj, json.dumps(obj, separators=(",", ":")).encode())


def to_store(kind: Kind, obj: Json) -> Json:
    """The object in the form that is stored."""
    version = kind.stored_version if kind.home[0] == kind.group else events.CORE
    return obj if obj.get("apiVersion") == version else _in_version(kind, obj, version)


def _in_version(kind: Kind, obj: Json, version: str) -> Json:
    if kind.custom is None:
        return events.in_version(obj, version)
    return {**obj, "apiVersion": version}
