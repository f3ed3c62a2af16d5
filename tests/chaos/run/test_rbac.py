"""Permissions: the manifests say what the table says, and take nothing from anybody."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from chaos.run import rbac
from service import deploy
from tests.cluster.apiserver_fixture import running_apiserver

GAMEDAY = str(Path(sys.executable).with_name("gameday"))


def test_the_embedded_overlay_has_what_the_command_prints() -> None:
    found = deploy.manifests("embedded")
    for wanted in rbac.manifests("bizra-system", nodes=True):
        assert wanted in found
    home = next(o for o in found if o["kind"] == "Namespace")
    for label, value in home["metadata"]["labels"].items():
        assert rbac.allow("x") == f"kubectl label namespace x {label}={value}"


def test_what_every_run_needs_is_granted_to_the_runner() -> None:
    assert rbac.AROUND < rbac.OF_RUNNER
    assert rbac.OF_WATCHDOG < rbac.OF_RUNNER


def printed(namespace: str) -> str:
    return subprocess.check_output([GAMEDAY, "rbac", namespace], text=True, timeout=60)


def test_the_command_prints_its_objects_and_how_faults_are_allowed() -> None:
    text = printed("shop")
    assert list(YAML(typ="safe").load_all(text)) == rbac.manifests("shop")
    assert "#   kubectl label namespace shop gameday.dev/allowed=true\n" in text


@pytest.mark.slow
def test_a_namespace_keeps_its_labels_whoever_applies_last(tmp_path: Path) -> None:
    """The owner's manifest, ours, the label, and the owner's manifest again."""
    labels = {"pod-security.kubernetes.io/enforce": "baseline", "team": "checkout"}
    notes = {"gameday.dev/forbidden-kinds": "oom"}
    metadata = {"name": "shop", "labels": labels, "annotations": notes}
    home = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    with running_apiserver(tmp_path / "server") as server:
        for text in (home, printed("shop")):
            server.kubectl("apply", "-f", "-", stdin=text)
        server.kubectl(*rbac.allow("shop").split()[1:])
        for text in (home, printed("shop"), home):
            server.kubectl("apply", "-f", "-", stdin=text)
        found = json.loads(server.kubectl("get", "namespace", "shop", "-o", "json"))["metadata"]
    assert labels.items() <= found["labels"].items()
    assert found["labels"]["gameday.dev/allowed"] == "true"
    assert notes.items() <= found["annotations"].items()
