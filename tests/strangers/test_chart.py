"""The chart through Helm itself, built from its Go module; a part of `make test-strangers`."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from chaos.run import rbac
from tests.strangers.test_others import PROGRAMS

pytestmark = [pytest.mark.strangers, pytest.mark.timeout(1500)]

HELM = "helm.sh/helm/v3/cmd/helm@v3.16.4"
CHART = "chaos/chart"
ALL = """
nodes: true
custom: [rollouts.argoproj.io]
image: {repository: registry.example.com/gameday, tag: "7", pullSecrets: [registry]}
watchdog: {permanent: true}
schedules:
  - {name: weekly, schedule: "0 10 * * 2", plan: smoke, system: /system, secrets: [tokens]}
"""


@pytest.fixture(scope="module")
def helm() -> Path:
    """The program, built once."""
    binary = PROGRAMS / "helm"
    if not binary.exists():
        env = {**os.environ, "GOBIN": str(PROGRAMS)}
        subprocess.run(["go", "install", HELM], env=env, check=True, timeout=1400)
    return binary


def run(helm: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(helm), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def rendered(helm: Path, *words: str) -> dict[tuple[str, str], Any]:
    # Built by `go install`, Helm takes a Kubernetes of long ago for its default.
    where = ("--namespace", "shop", "--kube-version", "1.31.0")
    done = run(helm, "template", "gameday", CHART, *where, *words)
    assert done.returncode == 0, done.stderr
    found = YAML(typ="safe").load_all(done.stdout)
    return {(o["kind"], o["metadata"]["name"]): o for o in found if o}


def test_helm_finds_nothing_to_complain_about(helm: Path) -> None:
    done = run(helm, "lint", "--strict", CHART)
    assert done.returncode == 0, done.stdout


def test_by_default_it_is_what_gameday_rbac_prints(helm: Path) -> None:
    found = rendered(helm)
    assert len(found) == len(rbac.manifests("shop"))
    for wanted in rbac.manifests("shop"):
        there = found[wanted["kind"], wanted["metadata"]["name"]]
        for part in ("rules", "roleRef", "subjects"):
            assert there.get(part) == wanted.get(part)


def test_all_that_can_be_had_is_admitted_at_the_level_restricted(
    helm: Path, tmp_path: Path
) -> None:
    (tmp_path / "values.yaml").write_text(ALL)
    found = rendered(helm, "--values", str(tmp_path / "values.yaml"))
    watchdog = found["Deployment", "gameday-watchdog-permanent"]["spec"]["template"]["spec"]
    weekly = found["CronJob", "gameday-weekly"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    for pod in (watchdog, weekly):
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["imagePullSecrets"] == [{"name": "registry"}]
        (container,) = pod["containers"]
        assert container["image"] == "registry.example.com/gameday:7"
        assert container["securityContext"]["readOnlyRootFilesystem"]
    wanted = rbac.manifests("shop", nodes=True, custom=["rollouts.argoproj.io"])
    assert {(o["kind"], o["metadata"]["name"]) for o in wanted} < set(found)
    assert {"apiGroups": ["argoproj.io"], "resources": ["rollouts", "rollouts/scale"]}.items() <= (
        found["Role", "gameday-runner"]["rules"][-1].items()
    )


def test_values_that_nothing_would_heed_are_refused(helm: Path) -> None:
    done = run(helm, "template", "gameday", CHART, "--set", "watchdog.permanant=true")
    assert done.returncode != 0
    assert "permanant" in done.stderr
