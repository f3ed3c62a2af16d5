"""Somebody with a service on a cluster, as the tests of strangers play them."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from service.cluster import embedded
from service.cluster.kube import DEPLOYMENTS, Kube
from tests.e2e.conftest import GAMEDAY
from tests.parts import KUBECTL


@dataclass(frozen=True)
class Team:
    """Somebody with a cluster, a kubeconfig and a working directory of their own."""

    directory: Path
    kubeconfig: Path

    def __call__(
        self, *words: str, stdin: str = "", timeout: float = 200
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            cwd=self.directory,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig), "COLUMNS": "100"},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def gameday(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self(GAMEDAY, *words)

    def apply(self, objects: list[dict[str, Any]]) -> None:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        done = self(KUBECTL, "apply", "-f", "-", stdin=text)
        assert done.returncode == 0, done.stderr

    def allow_faults(self, namespace: str, *options: str) -> None:
        """As an administrator does: what `gameday rbac` prints, and the label that it names."""
        printed = self.gameday("rbac", namespace, *options).stdout
        done = self(KUBECTL, "apply", "-f", "-", stdin=printed)
        assert done.returncode == 0, done.stderr
        command = next(line for line in printed.splitlines() if "kubectl label" in line)
        words = command.removeprefix("#").split()[1:]
        assert self(KUBECTL, *words).returncode == 0


@contextmanager
def bare_cluster(folder: Path, images: dict[str, list[str]]) -> Iterator[Path]:
    """Without the reference service, and with these images; its kubeconfig."""
    with (folder / "images.yaml").open("w") as file:
        YAML().dump(images, file)
    directory = folder / "cluster"
    try:
        yield embedded.up(
            deploy_service=False, directory=directory, images=folder / "images.yaml"
        ).kubeconfig
    finally:
        embedded.down(directory)


def ready(kubeconfig: Path, name: str, namespace: str) -> Callable[[], bool]:
    kube = Kube.connect(str(kubeconfig))

    def look() -> bool:
        found = kube.get(DEPLOYMENTS, name, namespace)
        state = found.get("status") or {}
        return bool(state.get("readyReplicas", 0) == found["spec"]["replicas"])

    return look
