"""The manifests of bizra-system, for `kubectl apply -k` and for Python.

`base` is the production system, `overlays/embedded` and `overlays/production` change it, and
`components` hold what needs more than a plain cluster. Both readers give the same objects; a test
compares them.
"""

from copy import deepcopy
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

Manifest = dict[str, Any]

_HERE = Path(__file__).parent
_KNOWN = {
    *("apiVersion", "kind", "resources", "components", "configMapGenerator", "generatorOptions"),
    "patches",
}


def path(overlay: str = "embedded") -> Path:
    """The folder for `kubectl apply -k`."""
    return _HERE / "overlays" / overlay


def manifests(overlay: str = "embedded") -> list[Manifest]:
    """The overlay's objects: namespaces first, then in the order of its kustomization.

    Raises FileNotFoundError for an overlay that is not there, ValueError for a kustomization
    that uses more than this reader knows.
    """
    found = _build(path(overlay), [])
    return sorted(found, key=lambda obj: bool(obj["kind"] != "Namespace"))


def _documents(file: Path) -> list[Any]:
    return [doc for doc in YAML(typ="safe", pure=True).load_all(file) if doc is not None]


def _build(folder: Path, objects: list[Manifest]) -> list[Manifest]:
    """Resources, components, generated ConfigMaps, JSON patches (RFC 6902), as kustomize does.

    `objects` are those that a component changes, which adds its own to them.
    """
    file = folder / "kustomization.yaml"
    (settings,) = _documents(file)
    if unknown := set(settings) - _KNOWN:
        raise ValueError(f"{file}: {', '.join(sorted(unknown))}: not known to this reader")
    for name in settings.get("resources", []):
        target = (folder / name).resolve()
        objects += _build(target, []) if target.is_dir() else _documents(target)
    for name in settings.get("components", []):
        _build((folder / name).resolve(), objects)
    for generator in settings.get("configMapGenerator", []):
        _generate(folder, generator, objects)
    import jsonpatch  # of the extra `embedded`: who runs on other clusters may lack it

    for patch in settings.get("patches", []):
        (operations,) = _documents(folder / patch["path"])
        hits = [i for i, obj in enumerate(objects) if _is_target(obj, patch["target"])]
        if not hits:
            raise ValueError(f"{file}: {patch['path']}: no object is its target")
        for i in hits:
            objects[i] = jsonpatch.apply_patch(objects[i], operations)
    return objects


def _is_target(obj: Manifest, target: dict[str, str]) -> bool:
    return (obj["kind"], obj["metadata"]["name"]) == (target["kind"], target["name"])


def _generate(folder: Path, generator: Manifest, objects: list[Manifest]) -> None:
    data = {name: (folder / name).read_text(encoding="utf-8") for name in generator["files"]}
    meta = {"name": generator["name"], "namespace": generator["namespace"]}
    if generator.get("behavior") == "merge":
        held = next(o for o in objects if o["kind"] == "ConfigMap" and o["metadata"] == meta)
        held["data"] = {**deepcopy(held["data"]), **data}
        return
    objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})
