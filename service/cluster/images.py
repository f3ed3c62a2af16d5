"""Images are names here: one table from image patterns to local commands."""

import sys
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from ruamel.yaml import YAML

from service.images import redis
from service.images.neo4j import distribution
from service.images.neo4j.distribution import DEFAULT_SERIES


class UnknownImageError(Exception):
    """No such image: what a registry would answer for a name that it does not have."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What an image's own configuration would say: ENTRYPOINT and CMD.

    `programs` names a folder whose programs stand on the PATH in front of the machine's.
    """

    entrypoint: list[str]
    arguments: list[str] = field(default_factory=list)
    programs: Path | None = None


def _module(name: str, *arguments: str) -> Entry:
    return Entry([sys.executable, "-P", "-m", name, *arguments])


# Tried in this order; patterns as in fnmatch, over the whole reference.
TABLE: dict[str, Entry] = {
    "ghcr.io/bizra/bizra-omega:v1.*": _module("service.api"),
    "bizra/reference-service:*": _module("service.api"),
    "*redis:*": replace(
        _module("service.images.redis", "--host", "$(POD_IP)", "--data", "/data"),
        programs=redis.PROGRAMS,
    ),
    "*prom/prometheus:*": _module("service.images.prometheus"),
    "registry.k8s.io/kube-state-metrics/kube-state-metrics:*": _module(
        "service.images.state_metrics", "--host", "$(POD_IP)", "--port", "8080"
    ),
    "python:*": Entry([], ["python3"]),
    "gameday/gameday:*": _module("chaos.cli"),  # by name alone: nothing here imports it
    "registry.k8s.io/ingress-nginx/controller:*": _module(
        "service.images.ingress", "--host", "$(POD_IP)"
    ),
    "*busybox:*": Entry([], ["sh"]),
    "*busybox": Entry([], ["sh"]),
}


_NEO4J = "*neo4j:*"
_ENTERPRISE = "*neo4j:*enterprise*"  # licensed, so there is none here


class Images:
    """The table, and what a user added to it in `extra` (YAML: pattern -> list of words).

    `neo4j` is the series that an image `neo4j:*` runs, whatever its tag: "5" or "2026".
    """

    def __init__(self, extra: Path | None = None, *, neo4j: str = DEFAULT_SERIES) -> None:
        self._extra = extra
        self._neo4j = neo4j

    def find(self, image: str) -> Entry:
        """Raises UnknownImageError in the words of a container runtime."""
        for pattern, entry in {**self._added(), **TABLE}.items():
            if fnmatchcase(image, pattern):
                return entry
        if fnmatchcase(image, _NEO4J) and not fnmatchcase(image, _ENTERPRISE):
            return self._graph()
        raise UnknownImageError(
            f'failed to pull and unpack image "{image}": failed to resolve reference "{image}":'
            f" {image}: not found"
        )

    def programs(self, image: str) -> Path | None:
        """The folder in front of the PATH of the image's containers, if it has one."""
        try:
            return self.find(image).programs
        except UnknownImageError:
            return None

    def _graph(self) -> Entry:
        arguments = ["--host", "$(POD_IP)", "--data", "/data", "--series", self._neo4j]
        found = distribution.find(self._neo4j)
        return replace(
            _module("service.images.neo4j", *arguments), programs=found.programs if found else None
        )

    def _added(self) -> dict[str, Entry]:
        """Read each time, so that an image can be added while the cluster runs."""
        if self._extra is None or not self._extra.exists():
            return {}
        listed = YAML(typ="safe", pure=True).load(self._extra) or {}
        return {pattern: Entry([str(w) for w in words]) for pattern, words in listed.items()}
