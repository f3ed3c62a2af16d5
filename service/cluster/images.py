"""Images are names here: one table from image patterns to local commands."""

import sys
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from ruamel.yaml import YAML


class UnknownImageError(Exception):
    """No such image: what a registry would answer for a name that it does not have."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What an image's own configuration would say: ENTRYPOINT and CMD."""

    entrypoint: list[str]
    arguments: list[str] = field(default_factory=list)


def _module(name: str, *arguments: str) -> Entry:
    return Entry([sys.executable, "-m", name, *arguments])


# Tried in this order; patterns as in fnmatch, over the whole reference.
TABLE: dict[str, Entry] = {
    "ghcr.io/bizra/bizra-omega:v1.*": _module("service.api"),
    "bizra/reference-service:*": _module("service.api"),
    "*redis:*": _module("service.images.redis", "--host", "$(POD_IP)"),
    "*neo4j:*": _module("service.images.graph", "--host", "$(POD_IP)", "--data", "/data"),
    "*prom/prometheus:*": _module("service.images.prometheus"),
    "registry.k8s.io/kube-state-metrics/kube-state-metrics:*": _module(
        "service.images.state_metrics", "--host", "$(POD_IP)", "--port", "8080"
    ),
    "python:*": Entry([], ["python3"]),
    "gameday/gameday:*": _module("chaos.watchdog"),  # by name alone: nothing here imports it
    "registry.k8s.io/ingress-nginx/controller:*": _module(
        "service.images.ingress", "--host", "$(POD_IP)"
    ),
    "*busybox:*": Entry([], ["sh"]),
    "*busybox": Entry([], ["sh"]),
}


class Images:
    """The table, and what a user added to it in `extra` (YAML: pattern -> list of words)."""

    def __init__(self, extra: Path | None = None) -> None:
        self._extra = extra

    def find(self, image: str) -> Entry:
        """Raises UnknownImageError in the words of a container runtime."""
        for pattern, entry in {**self._added(), **TABLE}.items():
            if fnmatchcase(image, pattern):
                return entry
        raise UnknownImageError(
            f'failed to pull and unpack image "{image}": failed to resolve reference "{image}":'
            f" {image}: not found"
        )

    def _added(self) -> dict[str, Entry]:
        """Read each time, so that an image can be added while the cluster runs."""
        if self._extra is None or not self._extra.exists():
            return {}
        listed = YAML(typ="safe", pure=True).load(self._extra) or {}
        return {pattern: Entry([str(w) for w in words]) for pattern, words in listed.items()}
