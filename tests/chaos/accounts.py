"""The cluster as a service account of `gameday rbac` sees it, and what it asks there."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from chaos.kube import Cluster, Json, Patience
from chaos.run.rbac import Permission
from tests.chaos.cluster_fixture import NS

BIN = Path(sys.executable).parent
VERBS = {"POST": "create", "PATCH": "patch", "DELETE": "delete"}
EXEC = {Permission("", "pods/exec", "create"), Permission("", "pods/exec", "get")}


class Recording(Cluster):
    """Writes down which permission each request takes, refused ones too."""

    def __init__(self, *given: Any, used: set[Permission] | None = None) -> None:
        super().__init__(*given)
        self.used: set[Permission] = set() if used is None else used

    def patient(self, patience: Patience) -> Cluster:
        return Recording(self._api, patience, self.retried, used=self.used)

    def execute(self, *given: Any, **named: Any) -> Any:
        self.used |= EXEC  # which of both it takes is a matter of the API server's version
        return super().execute(*given, **named)

    def _send(self, method: str, path: str, *given: Any, **named: Any) -> bytes:
        if (found := permission(method, path)) is not None:
            self.used.add(found)
        return super()._send(method, path, *given, **named)


def permission(method: str, path: str) -> Permission | None:
    """None for what everybody may: the version, and questions about oneself."""
    steps = path.strip("/").split("/")
    group, steps = ("", steps[2:]) if steps[0] == "api" else (steps[1], steps[3:])
    if not steps or group == "authorization.k8s.io":
        return None
    if steps[0] == "namespaces" and len(steps) > 2:
        steps = steps[2:]
    resource, name, sub = [*steps, "", ""][:3]
    reads = "get" if name else "list"
    return Permission(group, f"{resource}/{sub}".rstrip("/"), VERBS.get(method, reads))


def grant(kubeconfig: Path, *options: str) -> None:
    """As an administrator does: gameday rbac NAMESPACE | kubectl apply -f -"""
    command = [str(BIN / "gameday"), "rbac", NS, *options]
    _apply(kubeconfig, subprocess.check_output(command, timeout=60))


def apply(kubeconfig: Path, manifests: list[Json]) -> None:
    whole = {"apiVersion": "v1", "kind": "List", "items": manifests}
    _apply(kubeconfig, json.dumps(whole).encode())


def _apply(kubeconfig: Path, text: bytes) -> None:
    command = [str(BIN / "kubectl"), "apply", "-f", "-"]
    env = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    subprocess.run(command, env=env, input=text, timeout=60, check=True, capture_output=True)


def as_account(kubeconfig: Path, account: str, directory: Path) -> Recording:
    command = [str(BIN / "kubectl"), "create", "token", account, "-n", NS]
    env = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    token = subprocess.check_output(command, env=env, text=True, timeout=60).strip()
    yaml = YAML(typ="safe")
    config = yaml.load(kubeconfig)
    for user in config["users"]:
        user["user"] = {"token": token}
    path = directory / f"{account}.kubeconfig"
    with path.open("w") as file:
        yaml.dump(config, file)
    found = Recording.connect(str(path))
    assert isinstance(found, Recording)
    return found
