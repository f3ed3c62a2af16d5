"""What a runbook's promises came to when they were tried: proven, refuted, or neither.

The values of proofs.json. Durations in seconds; an answer without evidence is inconclusive, and
what this system lacks is not verifiable here, neither of which is ever a pass.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pydantic import TypeAdapter, ValidationError

from slo.documents import DocumentError
from slo.exit_codes import ExitCode
from slo.model import Source

SCHEMA_VERSION = 1


class ProofOutcome(StrEnum):
    """The answer to "is it true?". NOT_VERIFIABLE: this system lacks what it would take."""

    PROVEN = "proven"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"
    NOT_VERIFIABLE = "not verifiable here"


class StepState(StrEnum):
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"  # by the fence around procedures; nothing ran
    NOT_VERIFIABLE = "not verifiable here"
    MANUAL = "manual"  # for a person; nobody did it
    SKIPPED = "skipped"  # not reached, or left out on purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProof:
    """One step as it ran. `command` has the placeholders filled and secrets masked."""

    line: int
    title: str
    command: str
    state: StepState
    reason: str = ""
    exit_code: int | None = None
    seconds: float = 0.0
    output: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One thing looked at, before or after: what was wanted, what was seen."""

    name: str
    finding: ProofOutcome
    wanted: str
    seen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database that a procedure is about, as it describes itself: Neo4j, 5.26.30, Community.

    `reason` is why it did not, "" where it did. `edition` is "" for one that has no editions.
    """

    kind: str
    version: str = ""
    edition: str = ""
    reason: str = ""

    def __str__(self) -> str:
        if not self.version:
            return f"{self.kind}, version not known: {self.reason}"
        return " ".join(filter(None, (self.kind, self.version, self.edition)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureProof:
    """A drill: the condition brought about, the procedure as written, and whether it cured.

    `line` is that of the step that broke the promise, None where none did. `time_to_detect_s` is
    from the fault to the first sign of it, `time_to_recover_s` from the first step to the cure.
    `severity` is what users felt of it, "" where they were not looked at, and `response_time_s` how
    soon the runbook wants that answered.
    """

    procedure: str
    title: str
    source: Source
    condition: str
    finding: ProofOutcome
    reason: str
    started: datetime
    seconds: float
    line: int | None = None
    steps: tuple[StepProof, ...] = ()
    sights: tuple[Sight, ...] = ()
    time_to_detect_s: float | None = None
    time_to_recover_s: float | None = None
    severity: str = ""
    response_time_s: float | None = None
    requests: int = 0
    failed_requests: int = 0
    put_back: str = ""
    databases: tuple[Database, ...] = ()
    variant: str = ""  # "" as written, else what the overlay says of its correction
    corrected: "ProcedureProof | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One world that an alert was shown. Times in seconds from its beginning, None for never.

    `where` is "synthetic" (promtool over made series, real durations) or "live" (a Prometheus in
    the cluster, durations divided by the time scale).
    """

    where: str
    world: str
    should_fire: bool
    finding: ProofOutcome
    seen: str
    pending_s: float | None = None
    firing_s: float | None = None
    resolved_s: float | None = None
    watched_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertProof:
    alert: str
    source: Source
    stands_for: str
    finding: ProofOutcome
    reason: str
    trials: tuple[Trial, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    schema_version: int
    gameday_version: str
    runbook: str
    target: str
    started: datetime
    ended: datetime
    time_scale: float
    alerts: tuple[AlertProof, ...] = ()
    procedures: tuple[ProcedureProof, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def findings(self) -> tuple[ProofOutcome, ...]:
        alerts = tuple(p.finding for p in self.alerts)
        return alerts + tuple(p.finding for p in self.procedures)

    @property
    def mean_times_s(self) -> tuple[float | None, float | None]:
        """MTTD over the faults that were noticed, MTTR over those of them that were cured."""
        tried = [q for p in self.procedures for q in (p, p.corrected) if q is not None]
        noticed = [p for p in tried if p.time_to_detect_s is not None]
        cured = [p.time_to_recover_s for p in noticed if p.time_to_recover_s is not None]
        return _mean([p.time_to_detect_s or 0.0 for p in noticed]), _mean(cured)


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


_PROOFS = TypeAdapter(Proofs)


def together(findings: tuple[ProofOutcome, ...]) -> ProofOutcome:
    """One answer for several sights of the same thing: a refutation outweighs missing evidence."""
    for finding in (ProofOutcome.REFUTED, ProofOutcome.INCONCLUSIVE, ProofOutcome.NOT_VERIFIABLE):
        if finding in findings:
            return finding
    return ProofOutcome.PROVEN if findings else ProofOutcome.INCONCLUSIVE


def exit_code(proofs: Proofs) -> ExitCode:
    """As everywhere: a broken promise is a failure, a missing answer inconclusive."""
    match together(proofs.findings):
        case ProofOutcome.PROVEN:
            return ExitCode.PASS
        case ProofOutcome.REFUTED:
            return ExitCode.FAIL
        case _:
            return ExitCode.INCONCLUSIVE


def dump(proofs: Proofs) -> str:
    """Indented JSON in the order of the fields, with a trailing newline."""
    tree = _PROOFS.dump_python(proofs, mode="json")
    return json.dumps(tree, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def load(text: str, file: str) -> Proofs:
    """What `dump` wrote. Raises DocumentError, naming `file`."""
    try:
        return _PROOFS.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DocumentError(f"{file}: field {where!r}: {first['msg']}") from error
