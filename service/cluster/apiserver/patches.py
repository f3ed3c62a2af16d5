"""The three patch formats: JSON patch (a library's), merge patch, strategic merge patch.

Merge patch is RFC 7386. Strategic merge is Kubernetes' own: lists of objects are merged by a key
that depends on the field, with the directives $patch, $retainKeys, $setElementOrder and
$deleteFromPrimitiveList (kubernetes.io, "Update API objects in place using kubectl patch").
"""

from copy import deepcopy
from typing import Any

import jsonpatch
from jsonpointer import JsonPointerException

from service.cluster.apiserver.errors import StatusError, bad_request, unsupported_media_type

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"

# Field name -> the key by which its list of objects is merged; the first key that the items have.
MERGE_KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "ports": ("containerPort", "port"),
    "conditions": ("type",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "secrets": ("name",),
    "ownerReferences": ("uid",),
    "addresses": ("type",),
    "taints": ("key",),
    "topologySpreadConstraints": ("topologyKey",),
    "resourceClaims": ("name",),
    "podIPs": ("ip",),
}
PRIMITIVE_LISTS = {"finalizers"}  # merged as sets; all other lists of scalars are replaced


def apply_patch(target: Any, patch: Any, content_type: str) -> Any:
    """The patched object; `target` stays as it is. Raises StatusError."""
    if content_type == JSON_PATCH:
        return _json_patch(target, patch)
    if not isinstance(patch, dict):
        raise bad_request("the patch must be an object")
    if content_type == MERGE:
        return merge(target, patch)
    if content_type == STRATEGIC:
        return strategic_merge(target, patch)
    raise unsupported_media_type(content_type)


def _json_patch(target: Any, patch: Any) -> Any:
    try:
        return jsonpatch.apply_patch(deepcopy(target), patch)
    except jsonpatch.JsonPatchTestFailed as error:
        raise StatusError(422, "Invalid", f"the server rejected our request: {error}") from error
    except (jsonpatch.JsonPatchException, JsonPointerException) as error:
        raise StatusError(
            422,
            "Invalid",
            f"the server rejected our request due to an error in our request: {error}",
        ) from error
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise bad_request(f"not a JSON patch: {error}") from error


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def strategic_merge(target: Any, patch: dict[str, Any]) -> Any:
    """`patch` merged into the object `target`, directives obeyed and left out of the result."""
    directive = patch.get("$patch")
    if directive == "delete":
        return {}
    if directive == "replace":
        return _clean(patch)
    result = deepcopy(target) if isinstance(target, dict) else {}
    retained = patch.get("$retainKeys")
    if retained is not None:
        result = {k: v for k, v in result.items() if k in retained}
    for key, value in patch.items():
        if key.startswith("$"):
            _apply_directive(result, key, value)
        elif value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            if value.get("$patch") == "delete":
                result.pop(key, None)
            else:
                result[key] = strategic_merge(result.get(key), value)
        elif isinstance(value, list):
            order = patch.get(f"$setElementOrder/{key}")
            result[key] = _merge_list(key, result.get(key), value, order)
        else:
            result[key] = value
    for key, order in patch.items():
        name = key.removeprefix("$setElementOrder/")
        if name != key and name not in patch and isinstance(result.get(name), list):
            result[name] = _merge_list(name, result[name], [], order)
    return result


def _apply_directive(result: dict[str, Any], key: str, value: Any) -> None:
    name = key.removeprefix("$deleteFromPrimitiveList/")
    if name != key and isinstance(result.get(name), list):
        result[name] = [item for item in result[name] if item not in value]


def _merge_list(
    field: str,
    current: Any,
    patch: list[Any],
    order: list[Any] | None,
) -> list[Any]:
    current = current if isinstance(current, list) else []
    if any(isinstance(i, dict) and i.get("$patch") == "replace" for i in patch):
        return [_clean(i) for i in patch if not (isinstance(i, dict) and i.get("$patch"))]
    key = merge_key(field, [*current, *patch])
    if key is None:
        if field in PRIMITIVE_LISTS:
            merged = [*current, *(i for i in patch if i not in current)]
            return _ordered(merged, order, lambda item: item)
        return [_clean(item) for item in patch]
    merged = [deepcopy(i) for i in current]
    for item in patch:
        at = next((n for n, m in enumerate(merged) if m.get(key) == item.get(key)), None)
        if item.get("$patch") == "delete":
            if at is not None:
                del merged[at]
        elif at is None:
            merged.append(_clean(item))
        else:
            merged[at] = strategic_merge(merged[at], item)
    wanted = None if order is None else [o.get(key) for o in order]
    return _ordered(merged, wanted, lambda item: item.get(key))


def merge_key(field: str, items: list[Any]) -> str | None:
    """By which of their fields the objects of this list are merged; None: they are replaced."""
    if not items or not all(isinstance(i, dict) for i in items):
        return None
    for key in MERGE_KEYS.get(field, ()):
        if all(key in i for i in items):
            return key
    return None


def _ordered(items: list[Any], order: list[Any] | None, name: Any) -> list[Any]:
    """By `order` where it names an item; items that it does not name keep their places."""
    if order is None:
        return items
    place = {value: number for number, value in enumerate(order)}
    named = iter(sorted((i for i in items if name(i) in place), key=lambda i: place[name(i)]))
    return [next(named) if name(i) in place else i for i in items]


def _clean(value: Any) -> Any:
    """Without directives and without the nulls that only mean "delete"."""
    if isinstance(value, dict):
        return {k: _clean(v) for k, v in value.items() if not k.startswith("$") and v is not None}
    if isinstance(value, list):
        return [_clean(v) for v in value if not (isinstance(v, dict) and v.get("$patch"))]
    return value
