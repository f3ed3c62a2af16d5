"""What Community refuses by right is not verifiable here; what no edition has is refuted."""

import shutil
from pathlib import Path

import pytest

from chaos.prove.shell.shell_session import Call, ShellSession
from chaos.prove.steps.editions import enterprise_command
from chaos.prove.steps.execution import Hand, carry_out
from slo.runbook.reader import survey
from slo.verdict.proofs import StepState

EXEC = ("kubectl", "exec", "neo4j-0", "-n", "bizra-system", "--")


def call(*words: str, code: int = 1) -> Call:
    return Call(words=words, seconds=1.0, exit_code=code, refused="", followed=False)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (
            (*EXEC, "neo4j-admin", "database", "backup", "--to-path=/b", "neo4j"),
            "neo4j-admin database backup",
        ),
        ((*EXEC, "cypher-shell", "-u", "neo4j", "SHOW SERVERS"), "SHOW SERVERS"),
        ((*EXEC, "sh", "-c", 'cypher-shell -p "$P" "show servers;"'), "show servers"),
        # Gone since 5.0, in every edition.
        ((*EXEC, "neo4j-admin", "backup", "--backup-dir=/backup", "--database=neo4j"), ""),
        ((*EXEC, "cypher-shell", "CALL dbms.cluster.overview()"), ""),
        ((*EXEC, "neo4j-admin", "database", "dump", "neo4j"), ""),
    ],
)
def test_a_command_that_failed_is_known_as_one_of_enterprise(
    words: tuple[str, ...], wanted: str
) -> None:
    assert enterprise_command([call(*words)], "") == wanted
    assert enterprise_command([call(*words, code=0)], "") == ""


def test_cypher_that_comes_in_by_standard_input_is_read_as_well() -> None:
    text = "kubectl exec -i neo4j-0 -- cypher-shell <<'EOF'\nSHOW SERVERS;\nEOF"
    assert enterprise_command([call(*EXEC, "cypher-shell")], text) == "SHOW SERVERS"


@pytest.mark.parametrize(
    ("community", "state"), [(True, StepState.NOT_VERIFIABLE), (False, StepState.FAILED)]
)
def test_a_step_of_enterprise_is_not_verifiable_on_community(
    session: ShellSession,
    tmp_path: Path,
    community: bool,  # noqa: FBT001
    state: StepState,
) -> None:
    words = "kubectl exec neo4j-0 -- neo4j-admin database backup --to-path=/b neo4j"
    procedure = survey(f"# A\n\n## Backup\n\n```bash\n{words}\n```\n", "a.md").procedures[0]
    opened = ShellSession(
        home=tmp_path / "other",
        kubeconfig=session.kubeconfig,
        port=session.port,
        programs={**session.programs, "kubectl": Path(shutil.which("false") or "/bin/false")},
    )
    (proof,) = carry_out(procedure, Hand(session=opened, values={}, community=community))
    assert proof.state is state, proof
    assert ("Enterprise: Neo4j Community" in proof.reason) is community
