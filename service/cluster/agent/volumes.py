"""A pod's volumes as directories of this machine."""

import base64
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from service.cluster.agent.container import Mount
from service.cluster.agent.environment import Lookup, MissingReferenceError

Json = dict[str, Any]
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


class Volumes:
    """Volumes of one pod below `directory`; claims are shared below `claims`."""

    def __init__(
        self,
        pod: Json,
        directory: Path,
        claims: Path,
        lookup: Lookup,
        rewrite: Callable[[str], str] = lambda text: text,
    ) -> None:
        """`rewrite` is applied to the texts of ConfigMaps."""
        self._pod, self._directory, self._claims, self._lookup = pod, directory, claims, lookup
        self._rewrite = rewrite
        self._paths: dict[str, Path] = {}

    def prepare(self) -> None:
        """Make them all. Raises MissingReferenceError while something they need is missing."""
        for volume in self._pod["spec"].get("volumes") or []:
            self._paths[volume["name"]] = self._make(volume)

    def mounts(self, container: Json) -> list[Mount]:
        """What to mount where in this container."""
        return [
            Mount(
                self._path(mount),
                mount["mountPath"].rstrip("/") or "/",
                bool(mount.get("readOnly")),
            )
            for mount in container.get("volumeMounts") or []
        ]

    def _path(self, mount: Json) -> Path:
        path: Path = self._paths[mount["name"]] / mount.get("subPath", "")
        if not path.exists():
            path.mkdir(parents=True)
        return path

    def _make(self, volume: Json) -> Path:
        path: Path = self._directory / volume["name"]
        if "persistentVolumeClaim" in volume:
            namespace = self._pod["metadata"]["namespace"]
            path = self._claims / namespace / volume["persistentVolumeClaim"]["claimName"]
        elif "hostPath" in volume:
            path = Path(volume["hostPath"]["path"])
            if volume["hostPath"].get("type") != "DirectoryOrCreate":
                return path
        elif "configMap" in volume:
            source = volume["configMap"]
            return self._write(path, "ConfigMap", source["name"], source)
        elif "secret" in volume:
            source = volume["secret"]
            return self._write(path, "Secret", source["secretName"], source)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _write(self, path: Path, kind: str, name: str, source: Json) -> Path:
        obj = self._lookup(kind, name)
        if obj is None and not source.get("optional"):
            raise MissingReferenceError(f'{kind.lower()} "{name}" not found')
        files = self._files(obj or {"kind": kind})
        items = source.get("items")
        if items:
            files = {i["path"]: files[i["key"]] for i in items if i["key"] in files}
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        for key, data in files.items():
            target = path / key
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        return path

    def _files(self, obj: Json) -> dict[str, bytes]:
        data = obj.get("data") or {}
        if obj["kind"] == "Secret":
            return {k: base64.b64decode(v) for k, v in data.items()}
        binary = {k: base64.b64decode(v) for k, v in (obj.get("binaryData") or {}).items()}
        return {**{k: self._rewrite(v).encode() for k, v in data.items()}, **binary}
