"""A request to the API, taken apart: which resource, which object, which subresource."""

import json
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from starlette.requests import Request

from service.cluster.apiserver import errors, protobuf
from service.cluster.apiserver.kinds import Kind, Kinds

Json = dict[str, Any]
TABLE, PARTIAL, PLAIN = "Table", "PartialObjectMetadata", ""
MAX_BODY = 3 * 1024 * 1024  # as the real server's limit


@dataclass(frozen=True, slots=True)
class Place:
    """What a path names. `namespace` is "" for cluster scope and for all namespaces."""

    kind: Kind
    namespace: str
    name: str
    sub: str
    rest: str  # what follows the subresource, e.g. of .../proxy/PATH


def locate(kinds: Kinds, path: str) -> Place:
    """Raises StatusError 404 for a path that names no resource."""
    parts = path.strip("/").split("/")
    if parts[0] == "api":
        group, parts = "", parts[1:]
    else:
        group, parts = (parts[1] if len(parts) > 1 else ""), parts[2:]
    version, parts = (parts[0] if parts else ""), parts[1:]
    namespace = ""
    if len(parts) >= 3 and parts[0] == "namespaces":  # noqa: PLR2004
        inner = kinds.find(group, version, parts[2])
        if inner is not None and inner.namespaced:
            namespace, parts = parts[1], parts[2:]
    kind = kinds.find(group, version, parts[0]) if parts else None
    if kind is None or (kind.namespaced and not namespace and len(parts) > 1):
        raise errors.no_such_resource()
    name, sub = [*parts[1:3], "", ""][:2]
    rest = "/".join(parts[3:])
    if sub and sub not in kind.subresources:
        raise errors.no_such_resource()
    return Place(kind, namespace, name, sub, rest)


def representation(accept: str) -> str:
    """Which of the forms that the client accepts we answer in."""
    for option in accept.split(","):
        if "as=Table" in option:
            return TABLE
        if "as=PartialObjectMetadata" in option:
            return PARTIAL
        if option.strip().startswith(("application/json", "*/*")):
            break
    return PLAIN


async def read_body(request: Request) -> Any:
    """JSON or YAML; {} for an empty body. Raises StatusError."""
    content_type = request.headers.get("content-type", "").partition(";")[0]
    body = await request.body()
    if len(body) > MAX_BODY:
        raise errors.StatusError(413, "RequestEntityTooLarge", "limit is 3145728 bytes")
    if not body:
        return {}
    if content_type == protobuf.CONTENT_TYPE:
        try:
            return protobuf.decode(body)
        except protobuf.DecodeError as error:
            message = f"{content_type}: {error}"
            raise errors.unsupported_media_type(message) from error
    try:
        if content_type.endswith("yaml"):
            return YAML(typ="safe", pure=True).load(body)
        return json.loads(body)
    except (ValueError, YAMLError) as error:
        raise errors.bad_request(f"the object provided is unrecognized: {error}") from error


async def read_object(request: Request) -> Json:
    body = await read_body(request)
    if not isinstance(body, dict):
        raise errors.bad_request("the body must be an object")
    return body


def is_true(value: str | None) -> bool:
    return value in ("1", "true", "True")
