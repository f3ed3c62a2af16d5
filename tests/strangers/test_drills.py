"""A stranger's runbook, put to the proof by general drills that know nothing but names."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaos.kube import Cluster
from tests.e2e.conftest import GAMEDAY, eventually
from tests.strangers import manifests
from tests.strangers.team import Team, bare_cluster, ready

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
NS = "notes-team"
SYSTEM = f"""\
name: notes
target: {{namespace: {NS}, workload: notes, service: notes}}
load: {{scenario: steady}}
parts:
  - {{name: the written notes, kind: volume, backup: notes-backup}}
data:
  - name: notes
    part: the written notes
    items: 3
    write: {{method: PUT, path: "/notes/{{unique}}", body: {{text: "number {{number}}"}}}}
    read: {{path: "/notes/{{unique}}", contains: "number {{number}}"}}
"""
SCENARIO = """\
name: steady
stages: [{rate: 20}]
request_timeout: 5s
max_in_flight: 50
"""
USERS = """\
from locust import FastHttpUser, task


class Reader(FastHttpUser):
    @task
    def index(self) -> None:
        self.client.get("/")
"""
OWN = """\
from chaos.prove.drills import Drill, Stage, served, sight, whole


class Hello(Drill):
    condition = "nobody has said hello"

    def fits(self, procedure):
        return "hello" in procedure.title.casefold()

    def sights(self, stage: Stage):
        said = stage.system.target["metadata"]["labels"].get("hello", "nothing")
        return sight("label", "world", holds=said == "world", seen=said), whole(stage)
"""


def notes() -> list[dict[str, Any]]:
    """Two pods that share a volume and have a Secret in their environment."""
    found = manifests.shop(NS, "notes", "notes:1", "/")
    deployment = found[-1]
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    ref = {"secretKeyRef": {"name": "notes-token", "key": "TOKEN"}}
    container["env"].append({"name": "TOKEN", "valueFrom": ref})
    container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    pod["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "notes-data"}}]
    pod["terminationGracePeriodSeconds"] = 2
    where = {"namespace": NS}
    storage = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Mi"}}}
    claim = {"metadata": {"name": "notes-data", **where}, "spec": storage}
    secret = {"metadata": {"name": "notes-token", **where}, "stringData": {"TOKEN": "first-token"}}
    return [
        *found[:-1],
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **claim},
        {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", **secret},
        deployment,
    ]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("notes")
    with bare_cluster(folder, {"notes:1": [sys.executable, str(HERE / "notes.py")]}) as kubeconfig:
        yield kubeconfig


def write(team: Team, system: str, runbook: str) -> None:
    """The folder that describes the service."""
    texts = {
        "system.yaml": system,
        "scenarios/steady.yaml": SCENARIO,
        "locustfile.py": USERS,
        "runbook.md": runbook,
        "drills/hello.py": OWN,
    }
    for name, text in texts.items():
        path = team.directory / "gameday" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture(scope="module")
def team(cluster: Path, tmp_path_factory: pytest.TempPathFactory) -> Team:
    """With the service ready, and a folder that describes it."""
    found = Team(tmp_path_factory.mktemp("team"), cluster)
    found.apply(notes())
    found.allow_faults(NS)
    write(found, SYSTEM, (HERE / "notes_runbook.md").read_text())
    eventually(ready(cluster, "notes", NS), 90)
    return found


@pytest.fixture
def other(request: pytest.FixtureRequest, cluster: Path, tmp_path: Path) -> Team:
    """A service of another kind of workload, with a sidecar in front of its own container."""
    kind, where = request.param, f"{request.param.casefold()}-team"
    found = Team(tmp_path, cluster)
    objects = manifests.shop(where, "notes", "notes:1", "/")
    objects[-1]["kind"] = kind
    spec = objects[-1]["spec"]
    containers = spec["template"]["spec"]["containers"]
    containers[0]["env"].append({"name": "TOKEN", "value": "plain"})
    sleep = ["sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait"]
    containers.insert(0, {"name": "sidecar", "image": "busybox:1", "command": sleep})
    spec["template"]["spec"]["terminationGracePeriodSeconds"] = 2
    if kind == "StatefulSet":
        spec["serviceName"] = "notes"
    else:
        del spec["replicas"]
    found.apply(objects)
    found.allow_faults(where)
    system = (
        f"name: notes\ntarget: {{namespace: {where}, workload: notes, kind: {kind}, container: web,"
        " service: notes}\nload: {scenario: steady}\n"
    )
    book = (HERE / "notes_runbook.md").read_text()
    book = book.replace("deployment/notes", f"{kind.casefold()}/notes").replace(NS, where)
    # A StatefulSet goes on waiting for the pod that crashes, until somebody deletes it.
    delete = f"undo {kind.casefold()}/notes -n {where}\nkubectl delete pods -l app=notes -n {where}"
    write(found, system, book.replace(f"undo {kind.casefold()}/notes -n {where}", delete))
    reached = Cluster.connect(str(cluster))
    eventually(lambda: reached.workload(where, "notes", kind).whole, 90)
    return found


def proofs(team: Team, *names: str) -> dict[str, Any]:
    only = [word for name in names for word in ("--only", name)]
    done = team(GAMEDAY, "runbook", "prove", *only, timeout=280)
    assert "Traceback" not in done.stderr, done.stderr
    found = json.loads((team.directory / "runs/latest-proofs/proofs.json").read_text())[
        "procedures"
    ]
    assert [p["procedure"] for p in found] == list(names), done.stdout + done.stderr
    return {p["procedure"]: p for p in found}


def sights(proof: Any) -> dict[str, str]:
    """What was seen of the system; how users fared is left out, as the machine may be busy."""
    return {s["name"]: s["finding"] for s in proof["sights"] if s["name"] != "users are served"}


def test_rollback_and_restart_are_proven_with_nothing_but_names(team: Team) -> None:
    found = proofs(team, "rolling-back", "restarting")
    assert sights(found["rolling-back"]) == {"whole": "proven", "release": "proven"}, found
    assert found["rolling-back"]["time_to_detect_s"] is not None
    assert sights(found["restarting"]) == {"pods": "proven", "whole": "proven"}, found
    for proof in found.values():
        assert not proof["put_back"].startswith("NOT PUT BACK"), proof["put_back"]


@pytest.mark.parametrize("other", ["StatefulSet", "DaemonSet"], indirect=True)
def test_the_same_drills_are_for_any_kind_of_workload(other: Team) -> None:
    found = proofs(other, "rolling-back", "restarting")
    assert sights(found["rolling-back"]) == {"whole": "proven", "release": "proven"}, found
    assert sights(found["restarting"]) == {"pods": "proven", "whole": "proven"}, found
    for proof in found.values():
        assert not proof["put_back"].startswith("NOT PUT BACK"), proof["put_back"]


def test_a_rotation_is_refuted_where_pods_go_on_with_the_old_value(team: Team) -> None:
    whole, hurried = "rotating-the-secret", "rotating-the-secret-in-a-hurry"
    found = proofs(team, whole, hurried)
    good = {"secret notes-token": "proven", "readers": "proven", "whole": "proven"}
    assert sights(found[whole]) == good, found[whole]
    assert sights(found[hurried]) == good | {"readers": "refuted"}, found[hurried]
    assert "2 of 2 still run with the old value" in found[hurried]["reason"]


def test_backup_and_recovery_of_a_volume_are_judged_by_what_is_read_back(team: Team) -> None:
    names = ("backup-of-the-written-notes", "recovery-of-the-written-notes")
    found = proofs(team, *names)
    backup, recovery = (found[n] for n in names)
    assert sights(backup)["backup"] == "proven", backup
    assert sights(backup)["data"] == "proven", backup
    assert sights(recovery)["data"] == "proven", recovery
    seen = {s["name"]: s["seen"] for s in recovery["sights"]}
    assert seen["data"] == "3 of 3"


def test_a_part_that_is_not_there_is_not_verifiable_and_the_yaml_is_named(team: Team) -> None:
    absent = ("neo4j-recovery", "recovery-of-the-invoices", "renewing-the-certificate")
    found = proofs(team, *absent, "saying-hello")
    for name, yaml in zip(
        absent,
        (
            "parts: [{name: Neo4j, kind: neo4j, workload: NAME}]",
            "parts: [{name: NAME, kind: volume, workload: NAME}]",
            "parts: [{name: the certificate, kind: certificate, certificate: NAME}]",
        ),
        strict=True,
    ):
        assert found[name]["finding"] == "not verifiable here", found[name]
        assert found[name]["reason"].endswith(f"add to system.yaml: {yaml}")
        assert found[name]["steps"] == []
    assert found["saying-hello"]["condition"] == "nobody has said hello"
    assert sights(found["saying-hello"]) == {"label": "proven", "whole": "proven"}
