"""OpenAPI version 3, as much of it as kubectl reads.

`apply` wants to know that PATCH takes fieldValidation; `explain` reads the schemas. No request
bodies are described, so that kubectl makes its strategic merge patches by its own knowledge. Where
it asks for version 2, as for a `kind: List`, no kind is described: what is unknown it does not
check, and we do.
"""

import re
from functools import cache
from typing import Any

from service.cluster.apiserver.discovery import VERSION
from service.cluster.apiserver.kinds import Kind, Kinds

Json = dict[str, Any]
V2_MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_REFERENCE = "#/components/schemas/"


def index(kinds: Kinds) -> Json:
    """The document's places, one for each group and version."""
    paths = {}
    for group, versions in kinds.groups().items():
        for version in versions:
            place = f"apis/{group}/{version}" if group else f"api/{version}"
            paths[place] = {"serverRelativeURL": f"/openapi/v3/{place}"}
    return {"paths": paths}


def document(kinds: Kinds, group: str, version: str, *, schemas: bool) -> Json | None:
    """Of one group and version; with `schemas` the fields of its kinds and what they refer to."""
    found = kinds.groups().get(group, {}).get(version)
    if found is None:
        return None
    described: Json = {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": _VERSION}}
    described["paths"] = dict(_path(kind) for kind in found)
    if schemas:
        described["components"] = {"schemas": _schemas(found)}
    return described


_VERSION = VERSION["gitVersion"]


def _gvk(kind: Kind) -> Json:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _path(kind: Kind) -> tuple[str, Json]:
    base = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
    scope = "/namespaces/{namespace}" if kind.namespaced else ""
    said = {"x-kubernetes-group-version-kind": _gvk(kind), "responses": {}}
    options = [
        {"name": name, "in": "query", "schema": {"type": "string"}}
        for name in ("fieldValidation", "dryRun")
    ]
    operations = {"get": said, "patch": {**said, "parameters": options}}
    return f"{base}{scope}/{kind.plural}/{{name}}", operations


def _schemas(found: list[Kind]) -> Json:
    """The official client's models know the fields and their descriptions."""
    from service.cluster.apiserver.schema import model_name

    schemas: Json = {}
    for kind in found:
        mark = {"x-kubernetes-group-version-kind": [_gvk(kind)]}
        name = model_name(kind.api_version, kind.kind)
        if kind.custom:
            schemas[f"{kind.group}.{kind.version}.{kind.kind}"] = {**kind.custom.schema, **mark}
        elif name is not None:
            _collect(name, schemas)
            schemas[_title(name)] = {**schemas[_title(name)], **mark}
    return schemas


def _collect(name: str, schemas: Json) -> None:
    """This model's schema and, once each, those that it refers to."""
    if _title(name) in schemas:
        return
    schemas[_title(name)] = schema = _model(name)
    for title in re.findall(_REFERENCE + r"([\w.]+)", str(schema)):
        group, version, kind = title.split(".")[2:]
        _collect(("" if group == "api" else group.title()) + version.title() + kind, schemas)


def _title(model: str) -> str:
    """What kubectl shows the last part of: io.k8s.api.v1.PodSpec of V1PodSpec."""
    found = re.fullmatch(r"([A-Z][a-z]+)?(V\d)(\w+)", model)
    assert found, model
    return f"io.k8s.{(found[1] or 'api').lower()}.{found[2].lower()}.{found[3]}"


@cache
def _model(name: str) -> Json:
    from kubernetes.client import models

    model = getattr(models, name)
    told = {
        field.serialization_alias or field.alias or attribute: field
        for attribute, field in model.model_fields.items()
    }
    properties = {}
    for attribute, alias in model.attribute_map.items():
        described = {"description": (told[alias].description if alias in told else None) or ""}
        properties[alias] = {**described, **_type(model.openapi_types[attribute])}
    text = (model.__doc__ or "").partition("Attributes:")[0].strip()
    required = [alias for alias, field in told.items() if field.is_required()]
    return {"description": text, "type": "object", "properties": properties, "required": required}


_SIMPLE = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}


def _type(name: str) -> Json:
    from service.cluster.apiserver.schema import LIST, MAP

    if match := LIST.fullmatch(name):
        return {"type": "array", "items": _type(match[1])}
    if match := MAP.fullmatch(name):
        return {"type": "object", "additionalProperties": _type(match[1])}
    if name in _SIMPLE:
        return {"type": _SIMPLE[name]}
    if name == "datetime":
        return {"type": "string", "format": "date-time"}
    if re.fullmatch(r"([A-Z][a-z]+)?V\d\w+", name):
        return {"allOf": [{"$ref": _REFERENCE + _title(name)}]}
    return {"type": "object"}
