"""Proofs on the screen, in Markdown and as JUnit: the same each time, nothing green by mistake."""

import json
from datetime import UTC, datetime
from io import StringIO
from xml.etree import ElementTree

import pytest
from rich.console import Console

from reports import coverage
from reports import proofs as render
from slo.documents import DocumentError
from slo.exit_codes import ExitCode
from slo.model import Source
from slo.runbook.reader import survey
from slo.verdict.proofs import (
    AlertProof,
    Database,
    ProcedureProof,
    ProofOutcome,
    Proofs,
    Sight,
    StepProof,
    StepState,
    Trial,
    dump,
    exit_code,
    load,
    together,
)

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def procedure(finding: ProofOutcome, **more: object) -> ProcedureProof:
    fields: dict[str, object] = {
        "procedure": "neo4j-recovery",
        "title": "Neo4j Recovery | <b>",
        "source": Source("runbook.md", 381, "Backup"),
        "condition": "the files are lost",
        "finding": finding,
        "reason": 'line 387: pods "neo4j-0" not found',
        "started": AT,
        "seconds": 61.5,
        "line": 387,
        "steps": (
            StepProof(line=384, title="Stop", command="kubectl scale", state=StepState.DONE),
            StepProof(
                line=387,
                title="Copy",
                command="kubectl cp | x",
                state=StepState.FAILED,
                reason="gone",
                exit_code=1,
            ),
        ),
        "sights": (Sight(name="data", finding=finding, wanted="all 12", seen="0 of 12"),),
    }
    return ProcedureProof(**{**fields, **more})  # type: ignore[arg-type]


def proofs(*procedures: ProcedureProof) -> Proofs:
    trial = Trial(
        where="synthetic",
        world="three pods, all ready",
        should_fire=False,
        finding=ProofOutcome.REFUTED,
        seen="fires",
        firing_s=0.0,
    )
    alert = AlertProof(
        alert="PodNotReady",
        source=Source("runbook.md", 239, "Alerts"),
        stands_for="pods",
        finding=ProofOutcome.REFUTED,
        reason="fires (synthetic: three pods, all ready)",
        trials=(trial,),
    )
    return Proofs(
        schema_version=1,
        gameday_version="0",
        runbook="runbook.md",
        target="shop/api",
        started=AT,
        ended=AT,
        time_scale=20.0,
        alerts=(alert,),
        procedures=procedures,
    )


def test_proofs_are_read_back_as_they_were_written() -> None:
    corrected = procedure(ProofOutcome.PROVEN, variant="with the pod kept", line=None)
    told = proofs(procedure(ProofOutcome.REFUTED, corrected=corrected))
    assert load(dump(told), "proofs.json") == told
    assert dump(load(dump(told), "proofs.json")) == dump(told)
    with pytest.raises(DocumentError, match=r"proofs.json: field 'started'"):
        load(dump(told).replace("2026-01-02T03:04:05Z", "yesterday"), "proofs.json")


def test_times_stand_beside_what_the_runbook_allows() -> None:
    felt = {"severity": "SEV2", "response_time_s": 1800.0, "time_to_detect_s": 10.0}
    cured = procedure(ProofOutcome.PROVEN, time_to_recover_s=30.0, **felt)
    noticed = procedure(ProofOutcome.REFUTED, **{**felt, "time_to_detect_s": 20.0})
    told = proofs(cured, noticed, procedure(ProofOutcome.PROVEN, time_to_recover_s=99.0))
    assert told.mean_times_s == (15.0, 30.0)  # what nobody had to notice is no incident
    text = render.markdown(told)
    assert "MTTD 15 s, MTTR 30 s; to be answered: SEV2 in 30 min" in text
    assert "| SEV2 | 30 min |" in text
    assert proofs().mean_times_s == (None, None)
    assert "MTTD" not in render.markdown(proofs())


@pytest.mark.parametrize(
    ("findings", "answer", "code"),
    [
        ([], ProofOutcome.INCONCLUSIVE, ExitCode.INCONCLUSIVE),
        ([ProofOutcome.PROVEN], ProofOutcome.PROVEN, ExitCode.PASS),
        (
            [ProofOutcome.PROVEN, ProofOutcome.NOT_VERIFIABLE],
            ProofOutcome.NOT_VERIFIABLE,
            ExitCode.INCONCLUSIVE,
        ),
        (
            [ProofOutcome.PROVEN, ProofOutcome.INCONCLUSIVE],
            ProofOutcome.INCONCLUSIVE,
            ExitCode.INCONCLUSIVE,
        ),
        ([ProofOutcome.INCONCLUSIVE, ProofOutcome.REFUTED], ProofOutcome.REFUTED, ExitCode.FAIL),
    ],
)
def test_only_what_was_seen_to_hold_passes(
    findings: list[ProofOutcome], answer: ProofOutcome, code: ExitCode
) -> None:
    assert together(tuple(findings)) is answer
    told = proofs(*(procedure(f) for f in findings))
    assert exit_code(Proofs(**{**_fields(told), "alerts": ()})) is code


def _fields(told: Proofs) -> dict[str, object]:
    return {name: getattr(told, name) for name in told.__dataclass_fields__}


def test_junit_has_a_case_for_each_alert_procedure_and_correction_and_skips_none() -> None:
    corrected = procedure(ProofOutcome.PROVEN, variant="kept", line=None)
    told = proofs(
        procedure(ProofOutcome.REFUTED, corrected=corrected),
        procedure(ProofOutcome.NOT_VERIFIABLE, title="FAISS"),
    )
    root = ElementTree.fromstring(render.junit(told))
    cases = {c.get("name"): [child.tag for child in c] for c in root.iter("testcase")}
    assert cases == {
        "PodNotReady": ["failure"],
        "Neo4j Recovery | <b>": ["failure"],
        "Neo4j Recovery | <b>, corrected: kept": ["system-out"],
        "FAISS": ["error"],
    }
    assert root.get("failures") == "2"
    failure = next(root.iter("failure"))
    assert "line 239" in (failure.get("message") or "")


def test_markdown_names_lines_steps_and_sights_and_nothing_breaks_its_tables() -> None:
    text = render.markdown(proofs(procedure(ProofOutcome.REFUTED)))
    assert "❌ refuted" in text
    assert r"Neo4j Recovery \| \<b>" in text
    assert "| 387 | `kubectl cp \\| x` | failed | 1 |" in text
    assert "their real durations were not tried there" in text
    for line in text.splitlines():
        if line.startswith("| ") and "387" in line:
            assert line.replace("\\|", "").count("|") in {7, 12}
    assert text == render.markdown(proofs(procedure(ProofOutcome.REFUTED)))


def test_a_proof_names_the_databases_that_it_was_made_on() -> None:
    known = Database(kind="Neo4j", version="5.26.30", edition="Community")
    unknown = Database(kind="Redis", reason="no pod of Redis is ready")
    told = proofs(procedure(ProofOutcome.PROVEN, databases=(known, unknown)))
    assert load(dump(told), "proofs.json") == told
    text = render.markdown(told)
    assert "| Neo4j 5.26.30 Community, Redis, version not known: no pod of Redis is ready |" in text
    assert "- databases: Neo4j 5.26.30 Community" in text
    out = StringIO()
    render.show(told, Console(file=out, width=200))
    assert "Neo4j 5.26.30 Community" in out.getvalue()
    assert "<dd>On Neo4j 5.26.30 Community, Redis" in coverage.render(survey("# A", "a.md"), told)


def test_proofs_of_an_earlier_release_are_still_read() -> None:
    told = json.loads(dump(proofs(procedure(ProofOutcome.PROVEN))))
    del told["procedures"][0]["databases"]
    assert load(json.dumps(told), "proofs.json").procedures[0].databases == ()


def test_the_screen_has_every_promise_with_its_line() -> None:
    out = StringIO()
    console = Console(file=out, width=120)
    render.show(proofs(procedure(ProofOutcome.PROVEN)), console, where="runs/x/proofs.md")
    text = out.getvalue()
    assert "✗ refuted" in text
    assert "239" in text
    assert "1 proven, 1 refuted" in text
    assert "runs/x/proofs.md" in text
