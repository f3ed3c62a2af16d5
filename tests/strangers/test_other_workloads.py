"""Strangers whose pods belong to no Deployment, or whose workload nobody sends requests to."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.kube import Cluster, ClusterError
from slo.evidence.samples import read_parquet
from tests.e2e.conftest import eventually
from tests.parts import KUBECTL
from tests.strangers import manifests, rollouts
from tests.strangers.team import Team, bare_cluster, ready
from tests.strangers.tls_front import tls_front

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
ROLLOUT = "Rollout.v1alpha1.argoproj.io"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("workloads")
    programs = {"flask-shop:1": "flask_shop.py", "worker:1": "worker.py"}
    images = {image: [sys.executable, str(HERE / file)] for image, file in programs.items()}
    with bare_cluster(folder, images) as kubeconfig:
        yield kubeconfig


@pytest.fixture
def team(cluster: Path, tmp_path: Path) -> Team:
    return Team(tmp_path, cluster)


@pytest.mark.alone
def test_a_rollout_is_found_killed_and_seen_whole_by_its_scale(team: Team, cluster: Path) -> None:
    rollouts.deploy(team, "rolled", "flask-shop:1")
    done = team.gameday("init", "--namespace", "rolled")
    assert done.returncode == 0, done.stderr
    assert "Rollout rolled/shop is the only workload there" in done.stdout
    system = (team.directory / "gameday/system.yaml").read_text()
    assert "  kind: Rollout\n  api_version: argoproj.io/v1alpha1\n  service: shop\n" in system
    assert "gameday rbac rolled --custom rollouts.argoproj.io |" in done.stdout
    team.allow_faults("rolled", "--custom", "rollouts.argoproj.io")
    dry = team.gameday("run", "smoke", "--dry-run")
    assert dry.returncode == 0, dry.stdout + dry.stderr
    done = team.gameday("run", "smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    journal = (team.directory / "runs/latest/journal.jsonl").read_text()
    entries = [json.loads(line) for line in journal.splitlines()]
    owners = {t["owner"] for e in entries for t in e.get("targets") or ()}
    assert owners == {f"{ROLLOUT}/shop"}
    (reverted,) = (e for e in entries if e["event"] == "fault.reverted")
    assert "shop: 2 of 2 pods ready" in json.dumps(reverted)

    # With another pod wanted that its ReplicaSet does not make, it is not whole.
    found = Cluster.connect(str(cluster))
    assert found.workload("rolled", "shop", ROLLOUT).whole
    scaled = team(KUBECTL, "-n", "rolled", "scale", "rollout/shop", "--replicas=3")
    assert scaled.returncode == 0, scaled.stderr
    wanted = found.workload("rolled", "shop", ROLLOUT)
    assert (wanted.desired, wanted.ready, wanted.whole) == (3, 2, False)


def test_what_is_no_workload_is_said_in_one_sentence(team: Team, cluster: Path) -> None:
    team.apply([rollouts.definition()])
    found = Cluster.connect(str(cluster))
    with pytest.raises(ClusterError, match="no kind Rolout of argoproj"):
        found.workload("default", "x", "Rolout.v1alpha1.argoproj.io")
    (team.directory / "gameday").mkdir()
    text = "name: shop\ntarget: {namespace: rolled, workload: shop, kind: Rollout}\n"
    (team.directory / "gameday/system.yaml").write_text(text)
    done = team.gameday("run", "smoke")
    assert done.returncode == 2
    assert "line 2" in done.stderr
    assert "needs its 'api_version', e.g. argoproj.io/v1alpha1" in done.stderr


@pytest.fixture
def worker(team: Team, cluster: Path) -> Team:
    """With a worker of two pods, and Prometheus."""
    team.apply([*manifests.prometheus(), *manifests.worker("queue", "worker", "worker:1")])
    eventually(ready(cluster, "prometheus", manifests.MONITORING), 90)
    eventually(ready(cluster, "worker", "queue"), 90)
    return team


@pytest.mark.alone
def test_a_worker_without_http_is_judged_by_prometheus_and_its_pods(worker: Team) -> None:
    def described() -> bool:
        done = worker.gameday("init", "--namespace", "queue", "--force")
        assert done.returncode == 0, done.stderr
        assert "guessed: nobody sends requests to queue/worker" in done.stdout
        system = (worker.directory / "gameday/system.yaml").read_text()
        return "#   jobs_done_total" in system and "scrape_interval: 2s" in system

    eventually(described, 60)
    home = worker.directory / "gameday"
    assert not (home / "locustfile.py").exists()
    assert not (home / "scenarios").exists()
    system = (home / "system.yaml").read_text()
    assert "\nload:" not in system
    own = """indicators:
  job_failures:
    titles: [Failed Jobs]
    total: jobs_done_total{{selector}}
    errors: jobs_done_total{{selector},outcome="failed"}
"""
    (home / "system.yaml").write_text(system.replace("indicators:\n", own))
    runbook = (home / "runbook.md").read_text()
    (home / "runbook.md").write_text(f"{runbook.rstrip()}\n| Failed Jobs | < 2 % | > 5 % |\n")
    worker.allow_faults("queue")
    done = worker.gameday("run", "smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads((worker.directory / "runs/latest/verdict.json").read_text())
    assert verdict["target"] == "queue/worker"
    judged = {(o["objective"]["name"], o["view"]) for o in verdict["objectives"]}
    assert judged == {("pods_up", "server"), ("failed_jobs", "server")}
    failed = [o for o in verdict["objectives"] if o["objective"]["name"] == "failed_jobs"]
    for phase in failed:
        assert phase["indicator"]["value"] == pytest.approx(0.005, abs=0.005)
    (experiment,) = verdict["experiments"]
    checks = {c["name"]: c for c in experiment["checks"]}
    assert {n: c["outcome"] for n, c in checks.items()} == {
        "effect": "pass",
        "undone": "pass",
        "severity": "pass",
        "recovery": "pass",
    }
    assert "at worst 1 pods were ready, at the end 2 of 2" in checks["recovery"]["evidence"]
    assert experiment["time_to_recover_s"] > 0
    summary = (worker.directory / "runs/latest/summary.md").read_text()
    assert "no user impact" not in summary  # nobody knows
    assert "**no load**<br>by the plan" in summary

    # What nobody can judge is said before anything is broken.
    told = "| Error Rate | < 1 % | > 5 % |\n"
    with (home / "runbook.md").open("a") as file:
        file.write(told)
    dry = worker.gameday("run", "smoke", "--dry-run")
    assert "there is no load, so that what users notice is judged by Prometheus alone" in dry.stdout
    assert "Error Rate will not be judged: " in dry.stdout
    limit = "name: smoke\nguardrails: {stop: [{sli: error_rate, above: 5%}]}\n"
    plan = (home / "plans/smoke.yaml").read_text().replace("name: smoke\n", limit)
    (home / "plans/stop.yaml").write_text(plan)
    refused = worker.gameday("run", "stop")
    assert refused.returncode == 2
    assert "a stop condition on 'sli' needs a load" in refused.stderr


@pytest.mark.alone
def test_a_service_behind_tls_of_a_private_authority(team: Team, cluster: Path) -> None:
    team.apply(manifests.shop("sealed", "shop", "flask-shop:1", "/"))
    eventually(ready(cluster, "shop", "sealed"), 90)
    backend = Cluster.connect(str(cluster)).service_url("sealed", "shop", 80)
    ca_file = team.directory / "authority.pem"
    with tls_front(backend, ca_file) as url:
        unknown = team.gameday("init", "--namespace", "sealed", "--url", url)
        assert unknown.returncode == 2
        assert "has no certificate to trust" in unknown.stderr
        found = ("init", "--namespace", "sealed", "--url", url, "--ca-file", str(ca_file))
        done = team.gameday(*found)
        assert done.returncode == 0, done.stdout + done.stderr
        home = team.directory / "gameday"
        assert '  ca_file: "../authority.pem"\n' in (home / "system.yaml").read_text()
        team.allow_faults("sealed")
        done = team.gameday("run", "smoke")
        assert done.returncode == 0, done.stdout + done.stderr
        verdict = json.loads((team.directory / "runs/latest/verdict.json").read_text())
        assert verdict["load"]["outcome"] == "pass"
        rates = [o for o in verdict["objectives"] if o["objective"]["name"] == "error_rate"]
        quiet = [o for o in rates if o["phase"] == "baseline" and o["view"] == "client"]
        assert [o["indicator"]["value"] for o in quiet] == [0.0]

        # Without the authority nothing is broken: the address is not one to trust.
        text = (home / "system.yaml").read_text()
        (home / "system.yaml").write_text(text.replace('  ca_file: "../authority.pem"\n', ""))
        dry = team.gameday("run", "smoke", "--dry-run")
        assert dry.returncode == 2
        assert "has no certificate to trust" in dry.stdout
        assert "name its authority with 'ca_file'" in " ".join(dry.stdout.split())


BESIDE = """\
load:
  scenario: smoke
  beside:
    - {name: search, scenario: search, service: search, port: 80}
"""
SEARCHERS = """\
name: search
requests:
  - {path: /, name: pages, weight: 9}
  - {path: /nowhere, name: pages, weight: 1}
stages: [{rate: 20}]
request_timeout: 5s
max_in_flight: 100
"""


@pytest.mark.alone
def test_two_services_are_loaded_at_once_and_judged_by_rows_of_their_own(
    team: Team, cluster: Path
) -> None:
    for name in ("shop", "search"):
        team.apply(manifests.shop("both", name, "flask-shop:1", "/"))
        eventually(ready(cluster, name, "both"), 90)
    done = team.gameday("init", "--namespace", "both", "--workload", "shop")
    assert done.returncode == 0, done.stdout + done.stderr
    team.allow_faults("both")
    home = team.directory / "gameday"
    text = (home / "system.yaml").read_text()
    (home / "system.yaml").write_text(text.replace("load:\n  scenario: smoke\n", BESIDE))
    (home / "scenarios/search.yaml").write_text(SEARCHERS)
    dry = team.gameday("run", "smoke", "--dry-run")
    assert dry.returncode == 0, dry.stdout + dry.stderr
    told = " ".join(dry.stdout.split())
    assert "search is loaded as well, and no row of the runbook is about it" in told
    with (home / "runbook.md").open("a") as file:
        file.write("| Search Error Rate | < 30 % | > 60 % |\n")
    done = team.gameday("run", "smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads((team.directory / "runs/latest/verdict.json").read_text())
    rates = {
        o["objective"]["name"]: o["indicator"]
        for o in verdict["objectives"]
        if o["phase"] == "baseline" and o["view"] == "client"
    }
    assert rates["error_rate"]["value"] == 0
    assert rates["search/error_rate"]["value"] == pytest.approx(0.1, abs=0.07)
    assert rates["search/error_rate"]["count"] > 200
    samples = read_parquet(team.directory / "runs/latest/samples.parquet")
    assert set(samples.endpoint.used().names) == {"search » GET pages", "GET /"}
