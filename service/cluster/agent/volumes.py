"""A pod's volumes as directories of this machine."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from service.cluster.agent.container import Mount
from service.cluster.agent.downward import Facts, field, resource
from service.cluster.agent.environment import Lookup, MissingReferenceError, expand
from service.cluster.agent.publish import File, publish

Json = dict[str, Any]
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
READ_ONLY = ("configMap", "secret", "downwardAPI", "projected")
DEFAULT_MODE = 0o644


class Volumes:
    """Volumes of one pod below `directory`; claims are shared below `claims`."""

    def __init__(
        self,
        pod: Json,
        directory: Path,
        claims: Path,
        *,
        lookup: Lookup,
        facts: Facts,
        token: Callable[[Json], str],
        rewrite: Callable[[str], str] = lambda text: text,
    ) -> None:
        """`token` answers a projected serviceAccountToken; `rewrite` is for ConfigMaps' texts."""
        self._pod, self._directory, self._claims, self._lookup = pod, directory, claims, lookup
        self._facts, self._token, self._rewrite = facts, token, rewrite
        self._paths: dict[str, Path] = {}

    def prepare(self) -> None:
        """Make them all. Raises MissingReferenceError while something they need is missing."""
        for volume in self._listed():
            try:
                self._paths[volume["name"]] = self._make(volume)
            except (MissingReferenceError, OSError) as error:
                text = f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}'
                raise MissingReferenceError(text) from error

    def refresh(self) -> None:
        """Take over what changed in the API. Raises MissingReferenceError, OSError, ApiError."""
        for volume in self._listed():
            if any(kind in volume for kind in READ_ONLY):
                self._make(volume)

    def _listed(self) -> list[Json]:
        return self._pod["spec"].get("volumes") or []

    def mounts(self, container: Json, env: dict[str, str]) -> list[Mount]:
        """What to mount where in this container."""
        fixed = {v["name"] for v in self._listed() if any(kind in v for kind in READ_ONLY)}
        return [
            Mount(
                self._path(mount, env),
                mount["mountPath"].rstrip("/") or "/",
                bool(mount.get("readOnly") or mount["name"] in fixed),
            )
            for mount in container.get("volumeMounts") or []
        ]

    def _path(self, mount: Json, env: dict[str, str]) -> Path:
        below = mount.get("subPath") or expand(mount.get("subPathExpr") or "", env)
        if Path(below).is_absolute() or ".." in Path(below).parts:
            raise OSError(f"subPath {below!r} must be a relative path without '..'")
        path: Path = self._paths[mount["name"]] / below
        if not path.exists():
            path.mkdir(parents=True)
        return path

    def _make(self, volume: Json) -> Path:
        path: Path = self._directory / volume["name"]
        if "persistentVolumeClaim" in volume:
            path = self._claimed(volume["persistentVolumeClaim"]["claimName"])
        elif "hostPath" in volume:
            return _on_host(volume["hostPath"])
        elif any(kind in volume for kind in READ_ONLY):
            publish(path, self._files(volume))
            return path
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _claimed(self, name: str) -> Path:
        claim = self._lookup("PersistentVolumeClaim", name)
        if claim is None:
            raise MissingReferenceError(f'persistentvolumeclaim "{name}" not found')
        if (claim.get("status") or {}).get("phase") != "Bound":
            raise MissingReferenceError(f'persistentvolumeclaim "{name}" is not bound')
        bound = claim["spec"].get("volumeName")
        if not bound:  # this cluster's own storage
            metadata = claim["metadata"]
            path: Path = self._claims / metadata["namespace"] / f"{name}-{metadata['uid']}"
            return path
        volume = self._lookup("PersistentVolume", bound)
        if volume is None:
            raise MissingReferenceError(f'persistentvolume "{bound}" not found')
        place = volume["spec"].get("local") or volume["spec"].get("hostPath")
        if place is None:
            raise OSError(f'persistentvolume "{bound}" is neither of type local nor hostPath')
        return Path(str(place["path"]))

    def _files(self, volume: Json) -> dict[str, File]:
        kind = next(k for k in READ_ONLY if k in volume)
        source = volume[kind]
        mode = source.get("defaultMode", DEFAULT_MODE)
        if kind != "projected":
            return dict(self._of({kind: source}, mode))
        found: dict[str, File] = {}
        for part in source.get("sources") or []:
            found |= self._of(part, mode)
        return found

    def _of(self, source: Json, mode: int) -> Iterator[tuple[str, File]]:
        """The files of one source, volumes' own or of a projected one."""
        ((kind, what),) = source.items()
        if kind == "configMap":
            yield from self._of_object("ConfigMap", what["name"], what, mode)
        elif kind == "secret":
            name = what.get("secretName") or what["name"]
            yield from self._of_object("Secret", name, what, mode)
        elif kind == "downwardAPI":
            for item in what.get("items") or []:
                text = self._said(item)
                yield item["path"], File(text.encode(), item.get("mode", mode))
        elif kind == "serviceAccountToken":
            yield what["path"], File(self._token(what).encode(), mode)
        else:
            raise OSError(f"this node knows no {kind}")

    def _said(self, item: Json) -> str:
        if "fieldRef" in item:
            return field(item["fieldRef"]["fieldPath"], self._pod, self._facts)
        source = item["resourceFieldRef"]
        listed = self._pod["spec"]["containers"]
        container: Json = next((c for c in listed if c["name"] == source.get("containerName")), {})
        return resource(source, container, self._facts)

    def _of_object(
        self, kind: str, name: str, source: Json, mode: int
    ) -> Iterator[tuple[str, File]]:
        obj, optional = self._lookup(kind, name), source.get("optional")
        if obj is None and not optional:
            raise MissingReferenceError(f'{kind.lower()} "{name}" not found')
        data = self._data(obj or {"kind": kind})
        if not source.get("items"):
            yield from ((key, File(text, mode)) for key, text in data.items())
            return
        for item in source["items"]:
            if item["key"] in data:
                yield item["path"], File(data[item["key"]], item.get("mode", mode))
            elif not optional:
                key = item["key"]
                raise MissingReferenceError(f"references non-existent {kind.lower()} key: {key}")

    def _data(self, obj: Json) -> dict[str, bytes]:
        data = obj.get("data") or {}
        if obj["kind"] == "Secret":
            return {k: base64.b64decode(v) for k, v in data.items()}
        binary = {k: base64.b64decode(v) for k, v in (obj.get("binaryData") or {}).items()}
        return {**{k: self._rewrite(v).encode() for k, v in data.items()}, **binary}


def _on_host(source: Json) -> Path:
    """Raises OSError when there is not what the volume says there is."""
    path, kind = Path(source["path"]), source.get("type") or ""
    if kind == "DirectoryOrCreate":
        path.mkdir(parents=True, exist_ok=True)
    elif kind == "FileOrCreate":
        path.touch()
    elif kind == "Directory" and not path.is_dir():
        raise OSError(f"hostPath type check failed: {path} is not a directory")
    elif kind == "File" and not path.is_file():
        raise OSError(f"hostPath type check failed: {path} is not a file")
    return path
