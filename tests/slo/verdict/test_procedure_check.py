"""What a verdict says of the procedure that a plan names as its recovery."""

from pathlib import Path

import pytest

from reports import html
from reports.junit import render
from slo.evidence.recording import read_recording
from slo.model import Check, Outcome, PhaseKind
from slo.verdict.score import score
from tests.slo.builders import Act, Run, build


def procedure_check(folder: Path, *steps: tuple[int, str, str]) -> Check:
    verdict = score(read_recording(build(Run(acts=(Act(steps=steps),)), folder)))
    (found,) = [c for c in verdict.experiments[0].checks if c.name == "procedure"]
    assert "Procedure carried out" in render(verdict)
    return found


@pytest.mark.parametrize(
    ("steps", "outcome", "evidence"),
    [
        ([(151, "done", ""), (154, "done", "")], Outcome.PASS, ""),
        (
            [(151, "done", ""), (157, "failed", "no revision 3")],
            Outcome.WARN,
            "line 157: failed: no revision 3",
        ),
        (
            [(151, "done", ""), (157, "not verifiable here", "needs az")],
            Outcome.INCONCLUSIVE,
            "line 157: not verifiable here: needs az",
        ),
        ([(151, "refused", "eval")], Outcome.INCONCLUSIVE, "line 151: refused: eval"),
        ([], Outcome.INCONCLUSIVE, "it did not come to its end"),
    ],
)
def test_the_steps_of_a_procedure_are_a_check_of_their_own(
    tmp_path: Path, steps: list[tuple[int, str, str]], outcome: Outcome, evidence: str
) -> None:
    found = procedure_check(tmp_path / "run", *steps)
    assert (found.outcome, found.evidence) == (outcome, evidence)
    done = sum(state == "done" for _, state, _ in steps)
    assert found.observed == f"{done} of {len(steps)} steps done"


def test_the_stations_have_the_beginning_and_the_end_of_the_procedure(tmp_path: Path) -> None:
    act = Act(procedure="Rollback Procedure", steps=((151, "done", ""), (154, "done", "")))
    verdict = score(read_recording(build(Run(acts=(act,)), tmp_path / "run")))
    (found,) = verdict.experiments
    began, ended = (m for m in found.moments if m.name.startswith("procedure"))
    recovery = next(p for p in found.phases if p.kind is PhaseKind.RECOVERY)
    assert began.time is not None
    assert ended.time is not None
    assert (began.time - recovery.start).total_seconds() == pytest.approx(0.1)
    assert (began.evidence, ended.evidence) == ("rollback-procedure", "2 steps in 0.2 s")
    assert "procedure" in {m.label for m in verdict.marks}
    page = html.render(verdict)
    assert "procedure started" in page
    assert "procedure ended" in page


def test_a_procedure_that_was_wanted_and_not_begun_is_not_called_unneeded(tmp_path: Path) -> None:
    run = Run(acts=(Act(procedure="Rollback Procedure"),))
    verdict = score(read_recording(build(run, tmp_path / "run")))
    (found,) = verdict.experiments
    (check,) = [c for c in found.checks if c.name == "procedure"]
    assert (check.outcome, check.evidence) == (Outcome.INCONCLUSIVE, "it was not begun")
    (station,) = [m for m in found.moments if m.name.startswith("procedure")]
    assert station.missing == "Rollback Procedure was to be carried out, and was not begun"


def test_without_a_procedure_there_is_no_such_check(tmp_path: Path) -> None:
    verdict = score(read_recording(build(Run(), tmp_path / "run")))
    assert "procedure" not in {c.name for c in verdict.experiments[0].checks}
