"""Cases of one drill: one answer, the worst; and what the answers of a diagnosis tell."""

from datetime import UTC, datetime

import pytest

from chaos.prove.cases import NOT_PUT_BACK, combined
from chaos.prove.drills import drill_for
from chaos.prove.drills.neo4j_away import CUT, DOWN, PASSWORD, Neo4jAway, cause, since
from service.gameday import RUNBOOK
from slo.model import Source
from slo.runbook.reader import survey, survey_runbook
from slo.verdict.proofs import ProcedureProof, ProofOutcome, Sight, StepProof, StepState

NAMES = ("neo4j-0", "neo4j-service")
ONLINE = '"neo4j", "standard", [], "read-write", "localhost:7687", "primary", TRUE, "online"'


def proof(finding: ProofOutcome, **more: object) -> ProcedureProof:
    fields: dict[str, object] = {
        "procedure": "p",
        "title": "P",
        "source": Source("runbook.md", 3, ""),
        "condition": "one of them",
        "finding": finding,
        "reason": f"it is {finding.value}",
        "started": datetime(2026, 1, 1, tzinfo=UTC),
        "seconds": 10.0,
        "steps": (StepProof(line=5, title="", command="ls", state=StepState.DONE, note="slow"),),
        "sights": (Sight(name="diagnosis", finding=finding, wanted="a", seen="b"),),
        "put_back": "reset",
    }
    return ProcedureProof(**{**fields, **more})  # type: ignore[arg-type]


def test_the_worst_case_is_the_answer_and_is_told_first() -> None:
    good = proof(ProofOutcome.PROVEN, severity="SEV3", time_to_detect_s=2.0, requests=5)
    bad = proof(ProofOutcome.REFUTED, severity="SEV2", time_to_detect_s=9.0, line=5, requests=7)
    dim = proof(ProofOutcome.INCONCLUSIVE, put_back=f"{NOT_PUT_BACK}: still down")
    told = combined(
        [("down", good), ("dim", dim), ("cut", bad)], condition="any of three", claim="all told"
    )
    assert told.finding is ProofOutcome.REFUTED
    assert told.reason == "cut: it is refuted; dim: it is inconclusive"
    assert told.condition == "any of three"
    assert [s.name for s in told.sights] == ["down: diagnosis", "dim: diagnosis", "cut: diagnosis"]
    assert [s.note for s in told.steps] == [f"case: {c}; slow" for c in ("down", "dim", "cut")]
    assert (told.line, told.severity, told.time_to_detect_s) == (5, "SEV2", 9.0)
    assert (told.seconds, told.requests) == (30.0, 12)
    assert told.put_back.startswith(NOT_PUT_BACK)


def test_where_every_case_is_proven_the_claim_is_made_of_all_of_them() -> None:
    cases = [("down", proof(ProofOutcome.PROVEN)), ("cut", proof(ProofOutcome.PROVEN))]
    told = combined(cases, condition="", claim="all told")
    assert (told.finding, told.reason) == (ProofOutcome.PROVEN, "all told: down, cut")
    assert told.put_back == "reset"


@pytest.mark.parametrize(
    ("answers", "wanted"),
    [
        ('Error from server (NotFound): pods "neo4j-0" not found', DOWN),
        ("No resources found in bizra-system namespace.", DOWN),
        ("neo4j-service-x   IPv4   7687   <unset>   3m", DOWN),
        ("The client is unauthorized due to authentication failure.", PASSWORD),
        ('{"graph": "AuthenticationRateLimit"}', PASSWORD),
        # Neo4j's own probe is locked out as well then, and its endpoint goes.
        ("neo4j-service-x IPv4 7687 <unset> 3m\nincorrect authentication details too", PASSWORD),
        (ONLINE, CUT),
        ("", ""),
        ("2026 INFO Started.", ""),
    ],
)
def test_answers_tell_a_cause_or_none(answers: str, wanted: str) -> None:
    assert cause(answers, *NAMES) == wanted


def test_what_a_log_says_of_the_last_time_is_left_out() -> None:
    begun = datetime(2026, 11, 28, 10, 23, 41, tzinfo=UTC)
    refused = "WARN  The client is unauthorized due to authentication failure."
    old = f"2026-11-28 10:23:40.999+0000 {refused}"
    new = old.replace("10:23:40", "10:23:41")
    assert cause(since(f"{old}\n{ONLINE}", begun), *NAMES) == CUT
    assert cause(since(f"{old}\n{new}", begun), *NAMES) == PASSWORD


def test_the_diagnosis_of_neo4j_has_a_drill_of_three_cases() -> None:
    procedure = survey_runbook(RUNBOOK).procedure("neo4j-does-not-answer")
    assert procedure is not None
    drill = drill_for(procedure)
    assert isinstance(drill, Neo4jAway)
    assert [kind.case for kind in drill.cases] == [DOWN, PASSWORD, CUT]
    changes = "# A\n\n## Neo4j is slow\n\n```bash\nkubectl delete pod neo4j-0\n```\n"
    assert not isinstance(drill_for(survey(changes, "a.md").procedures[0]), Neo4jAway)
