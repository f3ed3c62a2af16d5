"""Procedures on the embedded cluster: as recoveries of a plan, and put to the proof."""

import contextlib
import json
import os
import signal
from pathlib import Path
from xml.etree import ElementTree

import pytest

from chaos.databases.bolt import BoltError
from chaos.databases.identity import bolt_of
from chaos.kube import Cluster
from chaos.kube.system_under_test import SystemUnderTest
from chaos.parts.graph import Graph
from service import deploy
from service.cluster import embedded
from service.cluster.kube import DEPLOYMENTS, SECRETS, SERVICE_ACCOUNTS, Kube
from tests.e2e.conftest import Command, eventually

pytestmark = pytest.mark.slow

RUNBOOK = Path(__file__).parents[1] / "runbook/OPERATIONS_RUNBOOK.md"
OVERLAY = RUNBOOK.with_name("corrections.yaml")
FILES = deploy.path().parents[1] / "k8s"
NS = "bizra-system"


@pytest.fixture(scope="module")
def kube(cluster_directory: Path) -> Kube:
    return Kube.connect(str(embedded.up(directory=cluster_directory).kubeconfig))


def image(kube: Kube) -> str:
    template = kube.get(DEPLOYMENTS, "bizra-api", NS)["spec"]["template"]
    return str(template["spec"]["containers"][0]["image"])


def left_by_a_drill(kube: Kube) -> list[str]:
    """What a drill leaves in the cluster as long as it has not put everything back."""
    names = (s["metadata"]["name"] for s in kube.list(SECRETS, NS)["items"])
    return [name for name in names if name.startswith("gameday-")]


@pytest.mark.alone
def test_a_plan_is_cured_by_a_procedure_of_the_runbook(kube: Kube, gameday: Command) -> None:
    before = image(kube)
    plan = gameday.write_plan(
        "fault: {kind: pod-kill, how: delete, select: {labels: {app: bizra-api}, count: 1}}",
        "fault: {kind: bad-image, workload: {kind: Deployment, name: bizra-api}}",
    )
    told = "recovery: {procedure: Rollback Procedure, lasts: 15s}"
    text = plan.read_text().replace("recovery: 10s", told).replace("9s}", "30s}")
    plan.write_text(text.replace("baseline: 10s", "baseline: 5s"))
    done = gameday("run", str(plan), "--embedded", "--runbook", str(RUNBOOK))
    verdict = json.loads((gameday.latest / "verdict.json").read_text())
    checks = {c["name"]: c for c in verdict["experiments"][0]["checks"]}
    assert checks["effect"]["outcome"] == "pass", done.stdout
    # The line for a revision that may not be there does not keep it from curing.
    assert checks["procedure"]["outcome"] in {"pass", "warn"}
    assert checks["procedure"]["expected"] == "rollback-procedure: every step runs"
    assert checks["undone"]["outcome"] == "pass", checks["undone"]
    journal = [json.loads(x) for x in (gameday.latest / "journal.jsonl").read_text().splitlines()]
    events = [e["event"] for e in journal]
    # The fault was there until the procedure had been carried out.
    assert events.index("procedure.ended") < events.index("fault.ending")
    times = {m["name"]: m["time"] for m in verdict["experiments"][0]["moments"]}
    assert times["injected"] < times["procedure started"] < times["procedure ended"]
    assert times["procedure ended"] < times["fault undone"]
    assert image(kube) == before
    accounts = kube.list(SERVICE_ACCOUNTS, NS)["items"]
    assert "gameday-operator" not in {a["metadata"]["name"] for a in accounts}


@pytest.mark.timeout(600)  # the database starts six times
@pytest.mark.alone
def test_the_reference_recovery_is_refuted_at_its_line_and_its_correction_loses_no_data(
    kube: Kube, gameday: Command
) -> None:
    words = ("runbook", "prove", str(RUNBOOK), "--embedded", "--files", str(FILES))
    words += ("--cure-within", "60s")
    done = gameday(*words, "--overlay", str(OVERLAY), "--only", "neo4j-recovery", timeout=580)
    assert done.returncode == 1, done.stdout + done.stderr
    (proof,) = json.loads((gameday.proofs / "proofs.json").read_text())["procedures"]
    assert (proof["finding"], proof["line"]) == ("refuted", 387)
    states = {s["line"]: s["state"] for s in proof["steps"]}
    assert states == {384: "done", 387: "failed", 390: "failed", 394: "done"}
    data = {s["name"]: s for s in proof["sights"]}["data"]
    assert data["finding"] == "refuted"
    # How users fare is left out here: the machine that runs the tests may be busy with others.
    corrected = proof["corrected"]
    not_done = [s for s in corrected["steps"] if s["state"] != "done"]
    assert not_done == [], json.dumps(not_done, indent=1)
    kept = {s["name"]: s for s in corrected["sights"]}
    assert kept["data"]["seen"] == "12 of 12", corrected["reason"]
    assert kept["whole"]["finding"] == "proven", corrected["reason"]
    assert proof["databases"] == corrected["databases"]
    assert [(d["kind"], d["edition"]) for d in proof["databases"]] == [("Neo4j", "Community")]
    cases = ElementTree.parse(gameday.proofs / "junit.xml").getroot().iter("testcase")
    assert [child.tag for child in next(iter(cases))] == ["failure"]
    assert left_by_a_drill(kube) == []


@pytest.mark.alone
def test_our_own_runbook_scales_under_load_asks_the_service_and_ends_maintenance(
    kube: Kube, gameday: Command
) -> None:
    names = ("looking-at-the-cluster", "is-it-well", "autoscaler", "maintenance-mode-off")
    only = [word for name in names for word in ("--only", name)]
    done = gameday("runbook", "prove", "--embedded", "--files", str(FILES), *only, timeout=290)
    found = json.loads((gameday.proofs / "proofs.json").read_text())["procedures"]
    assert [p["procedure"] for p in found] == list(names), done.stderr
    # How users fare is left out here: the machine that runs the tests may be busy with others.
    looked, asked, scaled, ended = ({s["name"]: s for s in p["sights"]} for p in found)
    assert looked["commands"]["seen"] == "9 of 9", found[0]["steps"]
    assert asked["commands"]["seen"] == "4 of 4", found[1]["steps"]
    assert scaled["pods"]["finding"] == "proven", found[2]
    assert found[2]["time_to_detect_s"] is not None  # the autoscaler was first
    assert ended["users"]["finding"] == "proven", found[3]
    journal = [json.loads(x) for x in (gameday.proofs / "journal.jsonl").read_text().splitlines()]
    begun = [e["procedure"] for e in journal if e["event"] == "procedure.started"]
    assert begun == [*names[:3], "maintenance-mode-on", names[3]]  # which first had to be on
    assert left_by_a_drill(kube) == []
    assert kube.get(DEPLOYMENTS, "bizra-api", NS)["spec"]["replicas"] == 3


def test_what_a_killed_drill_leaves_is_put_back(kube: Kube, gameday: Command) -> None:
    before = image(kube)
    words = ("runbook", "prove", str(RUNBOOK), "--embedded", "--only", "imagepullbackoff")
    process = gameday.start(*words)
    eventually(lambda: image(kube) != before, 120)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert image(kube) != before
    assert left_by_a_drill(kube) == ["gameday-before"]
    done = gameday("recover", "--embedded", "--force")
    assert done.returncode == 0, done.stderr
    assert "put back: reset deployment bizra-api" in done.stdout
    assert image(kube) == before
    assert left_by_a_drill(kube) == []
    assert "nothing is left" in gameday("recover", "--embedded").stdout


def test_after_a_killed_rotation_the_database_has_its_password_again(
    kube: Kube, gameday: Command
) -> None:
    cluster = Cluster.connect(str(embedded.up(directory=gameday.cluster).kubeconfig))
    world = SystemUnderTest(cluster=cluster, namespace=NS, workload="bizra-api", url="")
    graph = Graph.of(world)
    secret, key = graph.secret
    before = world.secret(secret)[key]

    def lets_in(password: str) -> bool:
        with contextlib.suppress(BoltError):  # it starts, or refuses everybody for some seconds
            return bolt_of(world, graph).lets_in(password)
        return False

    assert lets_in(before)
    process = gameday.start("runbook", "prove", "--embedded", "--only", "secret-rotation")
    eventually(lambda: world.secret(secret)[key] != before, 180)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    eventually(lambda: lets_in(world.secret(secret)[key]), 120)
    done = gameday("recover", "--embedded", "--force")
    assert done.returncode == 0, done.stderr
    assert world.secret(secret)[key] == before
    eventually(lambda: lets_in(before), 120)
    assert left_by_a_drill(kube) == []
