"""Forbidden kinds: the plan or the namespace says no, and nothing is touched."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chaos.faults import NoTargetError
from chaos.kube import Cluster, Ref
from chaos.plan.forbidden import ANNOTATION, check
from chaos.plan.model import Plan
from chaos.run.dry_run import dry_run_of
from service.gameday import FOLDER
from tests.chaos.cluster_fixture import NS, make, namespace, state
from tests.chaos.faults.test_faults import FAULT, drill, scene
from tests.chaos.run.test_permissions import PLAN

pytestmark = pytest.mark.slow

GAMEDAY = str(Path(sys.executable).parent / "gameday")
WRITTEN = """\
name: forbidden
target: {namespace: shop, workload: web, url: "http://127.0.0.1:9"}
prometheus: {url: "http://127.0.0.1:9"}
load: {scenario: smoke}
experiments:
  - name: one
    title: One
    baseline: 1s
    duration: 1m
    recovery: 1s
    faults:
      - {fault: {kind: pod-kill, select: {labels: {app: web}, count: 1}}}
      - fault:
          kind: scale-to-zero
          workload: {name: web}
"""


@contextmanager
def forbidding(cluster: Cluster, names: str) -> Iterator[None]:
    """By an annotation on the namespace."""
    place = Ref.of("Namespace", "", NS)
    path = "/metadata/annotations"
    step = {"op": "add", "path": path, "value": {ANNOTATION: names}}
    cluster.change(place, lambda _: [step])
    try:
        yield
    finally:
        cluster.change(place, lambda _: [{"op": "remove", "path": path}])


def run(small_kubeconfig: Path, directory: Path) -> str:
    path = directory / "plan.yaml"
    path.write_text(WRITTEN)
    done = subprocess.run(
        [
            *(GAMEDAY, "run", path.name, "--system", str(FOLDER)),
            *("--kubeconfig", str(small_kubeconfig)),
        ],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert not (directory / "runs").exists()
    (line,) = done.stderr.strip().splitlines()
    return line


def test_a_namespace_forbids_a_kind_and_the_plan_is_refused_by_file_line_and_field(
    cluster: Cluster, small_kubeconfig: Path, tmp_path: Path
) -> None:
    with forbidding(cluster, "oom, scale-to-zero"):
        said = run(small_kubeconfig, tmp_path)
    assert said == (
        "gameday: plan.yaml, line 14: field 'experiments[0].faults[1].fault.kind': namespace shop"
        f" forbids scale-to-zero (its annotation {ANNOTATION})"
    )


def test_a_name_that_nobody_knows_would_forbid_nothing_and_is_refused(
    cluster: Cluster, small_kubeconfig: Path, tmp_path: Path
) -> None:
    with forbidding(cluster, "scale-to-nil"):
        said = run(small_kubeconfig, tmp_path)
    assert f"the annotation {ANNOTATION} of namespace shop cannot be obeyed" in said
    assert "'scale-to-nil' is neither a kind of fault (bad-image, " in said


def test_a_kind_of_object_is_not_touched_by_any_fault(cluster: Cluster, tmp_path: Path) -> None:
    """What a fault touches is known once it has looked: the dry run says so, the run refuses."""
    fault = FAULT.validate_python({"kind": "bad-image", "workload": {"name": "web"}})
    before = state(cluster)
    with forbidding(cluster, "Deployment"):
        (told,) = drill(cluster, fault, tmp_path)
        problems = dry_run_of(PLAN, cluster, "").problems
    assert told.event == "fault.refused"
    why = f"the annotation {ANNOTATION} of namespace shop forbids Deployment"
    assert told.reason == why
    assert problems == [f"release: {why}"]
    assert state(cluster) == before


def test_the_plan_forbids_kinds_of_objects_too(cluster: Cluster) -> None:
    said = PLAN.model_dump(by_alias=True)
    said["guardrails"]["forbidden_kinds"] = ["Pod", "StatefulSet"]
    found = dry_run_of(Plan.model_validate(said), cluster, "")
    assert found.problems == [
        "store-gone: guardrails.forbidden_kinds forbids StatefulSet",
        "memory: guardrails.forbidden_kinds forbids Pod",
    ]


def test_what_is_forbidden_is_read_right_before_each_fault(cluster: Cluster) -> None:
    """Whoever owns the namespace can change their mind while a run goes on."""
    make(cluster, namespace())
    check(scene(cluster), "oom", ())
    with forbidding(cluster, "oom"), pytest.raises(NoTargetError, match="forbids oom"):
        check(scene(cluster), "oom", ())
    check(scene(cluster), "oom", ())
