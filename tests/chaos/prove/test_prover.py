"""Drills that go wrong: what they say, and that nothing more is broken after them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from chaos.cli.system import scenario_of
from chaos.kube import Cluster, ClusterError, Ref
from chaos.kube.system_under_test import SystemUnderTest
from chaos.prove.cases import NOT_PUT_BACK
from chaos.prove.drills.own import own_drills
from chaos.prove.prover import Prover
from chaos.prove.shell.shell_session import ShellSession
from chaos.undo.snapshot import Snapshot
from chaos.undo.snapshot_store import forget, is_left, keep
from loadtests.tail import LoadProgress, Recent
from service.gameday import FOLDER
from slo.runbook.reader import survey
from slo.system.folder import read_system
from slo.verdict.proofs import ProofOutcome
from tests.chaos.cluster_fixture import workload
from tests.cluster.apiserver_fixture import RunningApiServer

if TYPE_CHECKING:
    from loadtests.runner import LoadHandle

NS = "default"
WEB = Ref.of("Deployment", NS, "web")
RUNBOOK = """\
# Shop

## Debug Mode: on

```bash
echo on
```

## Debug Mode: on again

```bash
echo on
```
"""


class Users:
    """All are well."""

    def progress(self) -> LoadProgress:
        return LoadProgress(requests=100, errors=0, rate=10, error_rate=0, p95_s=0.01)

    def recent(self, seconds: float) -> Recent:
        count = int(100 * seconds)
        return Recent(requests=count, failed=0, times=(0.01,) * count)


@pytest.fixture
def system(server: RunningApiServer) -> Iterator[SystemUnderTest]:
    """A Deployment of one pod that nobody runs and everybody believes in."""
    cluster = Cluster.connect(str(server.kubeconfig))
    manifest = workload("Deployment", "web")
    manifest["metadata"]["namespace"] = NS
    cluster.create(manifest)
    status = {"observedGeneration": 1, "updatedReplicas": 1, "replicas": 1, "readyReplicas": 1}
    words = ("deployment", "web", "--subresource=status", "--type=merge")
    server.kubectl("patch", *words, "-p", json.dumps({"status": status}))
    found = SystemUnderTest(cluster=cluster, namespace=NS, workload="web", url="")
    yield found
    forget(found)
    cluster.delete(WEB)


@pytest.fixture
def prover(system: SystemUnderTest, session: ShellSession, tmp_path: Path) -> Prover:
    def opened(folder: Path, mask: Callable[[str], str]) -> ShellSession:
        del folder
        session.mask = mask
        return session

    return Prover(
        system=system,
        identity="prove-1",
        folder=tmp_path,
        run_dir=tmp_path,
        files=None,
        session=opened,
        load=cast("LoadHandle", Users()),
        crowd=scenario_of("crowd", read_system(FOLDER)),
        book=survey(RUNBOOK, "shop.md"),
        corrections={},
        own=own_drills(FOLDER / "drills"),
        error_rate=0.01,
        p95_s=1.0,
        values={},
        step_limit_s=60,
        cure_within_s=0,
        say=lambda _: None,
    )


def test_after_a_drill_that_cannot_be_put_back_there_is_no_other(
    prover: Prover, system: SystemUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> list[str]:
        raise ClusterError("cannot change anything")

    monkeypatch.setattr(Snapshot, "restore", refused)
    first, second = (prover.prove(p) for p in prover.book.procedures)
    assert [s.state.value for s in first.steps] == ["done"]
    assert first.put_back == f"{NOT_PUT_BACK}: cannot change anything"
    assert is_left(system.cluster, NS)
    assert (second.finding, second.steps) == (ProofOutcome.INCONCLUSIVE, ())
    assert second.reason == "not tried: an earlier drill could not be put back"


def test_where_another_drill_left_what_it_kept_nothing_is_broken(
    prover: Prover, system: SystemUnderTest
) -> None:
    keep(Snapshot.take(system), "another")
    before = system.find("Secret", "gameday-before")
    proof = prover.prove(prover.book.procedures[0])
    assert (proof.finding, proof.steps, proof.put_back) == (ProofOutcome.INCONCLUSIVE, (), "")
    assert "what is there could not be kept" in proof.reason
    assert system.find("Secret", "gameday-before") == before


def test_what_is_about_a_part_that_is_not_there_is_not_tried_and_says_what_to_add(
    prover: Prover, system: SystemUnderTest
) -> None:
    text = "# Shop\n\n## {}\n\n```bash\nkubectl delete pod x\n```\n"
    for title, yaml in (
        ("Neo4j recovery", "parts: [{name: Neo4j, kind: neo4j, workload: NAME}]"),
        ("Neo4j backup", "parts: [{name: Neo4j, kind: neo4j, workload: NAME}]"),
        ("MySQL recovery", "parts: [{name: NAME, kind: volume, workload: NAME}]"),
        ("Renew the certificate", "kind: certificate, certificate: NAME}]"),
        ("Maintenance mode", "kind: ingress, ingress: NAME}]"),
        ("Rotate the secrets", "kind: secret, secret: NAME, key: KEY}]"),
    ):
        proof = prover.prove(survey(text.format(title), "shop.md").procedures[0])
        assert proof.finding is ProofOutcome.NOT_VERIFIABLE, (title, proof.reason)
        assert proof.reason.endswith(yaml), proof.reason
        assert "add to system.yaml" in proof.reason
        assert (proof.steps, proof.put_back) == ((), "")
    assert not is_left(system.cluster, NS)


def test_a_mistake_in_an_own_drill_is_its_own_and_everything_is_put_back(
    prover: Prover, system: SystemUnderTest, tmp_path: Path
) -> None:
    folder = tmp_path / "drills"
    folder.mkdir()
    (folder / "wrong.py").write_text(
        "from chaos.prove.drills import Drill\n\n\n"
        "class Wrong(Drill):\n"
        "    topic = 'debug_mode'\n"
        "    def fault(self, stage):\n"
        "        meta = {'name': 'left', 'namespace': stage.system.namespace}\n"
        "        found = {'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': meta}\n"
        "        stage.system.cluster.create(found)\n"
        "        {}['nothing']\n"
        "    def sights(self, stage):\n"
        "        return ()\n"
    )
    prover.own = own_drills(folder)
    proof = prover.prove(prover.book.procedures[0])
    assert proof.finding is ProofOutcome.INCONCLUSIVE
    where = f"{folder / 'wrong.py'}, line 10: KeyError: 'nothing'"
    assert proof.reason == f"the drill itself went wrong: {where}"
    assert proof.put_back == "removed configmap left"
    assert system.find("ConfigMap", "left") is None
