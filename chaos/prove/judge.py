"""What came of a drill, from what was seen and from how the steps went. Pure."""

from slo.evidence.samples import Samples
from slo.indicators.client import requests
from slo.policy import SeverityPolicy
from slo.runbook.model import Runbook
from slo.verdict.proofs import ProofOutcome, Sight, StepProof, StepState, together
from slo.verdict.severity import Incident, observe
from slo.verdict.users_served import ERROR

# Not the runbook's fault: what is not here, and what our own fence keeps from running.
UNTRIED = frozenset((StepState.NOT_VERIFIABLE, StepState.REFUSED))


def judge(
    steps: tuple[StepProof, ...], sights: tuple[Sight, ...], claim: str
) -> tuple[ProofOutcome, str]:
    """By what is seen of the system, not by exit codes; those say where it went wrong."""
    found = together(tuple(s.finding for s in sights))
    wrong = [s for s in sights if s.finding is not ProofOutcome.PROVEN]
    stopped = [s for s in steps if s.state is StepState.FAILED]
    absent = [s for s in steps if s.state in UNTRIED]
    told = "; ".join(f"{s.name}: {s.seen} ({s.wanted} wanted)" for s in wrong)
    at = stopped[0] if stopped else None
    where = f"line {at.line}: {at.reason}; " if at else ""
    if found is ProofOutcome.REFUTED and absent and (at is None or absent[0].line <= at.line):
        # What came after a step that could not be tried says nothing about the procedure.
        return ProofOutcome.NOT_VERIFIABLE, f"line {absent[0].line}: {absent[0].reason}; {told}"
    if found is not ProofOutcome.PROVEN:
        return found, where + told
    manual = [s for s in steps if s.state is StepState.MANUAL]
    if absent:
        rest = "all that it is for was seen all the same"
        return ProofOutcome.NOT_VERIFIABLE, f"line {absent[0].line}: {absent[0].reason}; {rest}"
    reason = claim
    if at:
        reason += f", although line {at.line} fails: {at.reason}"
    if manual:
        reason += f"; for a person, and not done: line {', '.join(str(s.line) for s in manual)}"
    return ProofOutcome.PROVEN, reason


def line_of(finding: ProofOutcome, steps: tuple[StepProof, ...]) -> int | None:
    """Of the step at which it went wrong; of the last that ran where no step by itself did."""
    states = UNTRIED if finding is ProofOutcome.NOT_VERIFIABLE else {StepState.FAILED}
    wrong = next((s.line for s in steps if s.state in states), None)
    if wrong is None and finding is ProofOutcome.REFUTED and steps:
        return steps[-1].line
    return wrong


def severity_felt(
    samples: Samples, book: Runbook, start: float, end: float
) -> tuple[str, float | None]:
    """By users, between two moments; and how soon the runbook wants that answered, in seconds."""
    incident = Incident(
        found=requests(samples).between(start, end),
        start=start,
        end=end,
        series=(),
        scrape_interval_s=1.0,
    )
    severity = observe(incident, book.objectives, (), SeverityPolicy(), ERROR).severity
    levels = [x for x in book.severities if x.severity is severity]
    return severity.value, levels[0].response_time_s if levels else None
