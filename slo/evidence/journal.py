"""The journal's vocabulary: one JSON object a line, in the order in which things were done.

The runner appends (and fsyncs) these entries; scoring reads them back. Whatever the verdict needs
to know about the plan stands in them, so that a run can be scored from its directory alone.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from slo.model import PhaseKind, Severity


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    time: AwareDatetime


class Threshold(BaseModel):
    """A plan's override of one of the runbook's objectives, in the objective's own unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: float
    critical: float


class Degraded(BaseModel):
    """How far some endpoints may degrade during the fault; what is None, the runbook limits.

    `endpoints` are shell patterns; `lasting_s` counts from the injection, None is the whole fault.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoints: tuple[str, ...]
    error_rate: float | None = None  # a ratio, at most
    response_time_s: float | None = None  # at most, at the runbook's quantile
    lasting_s: float | None = None


class Expectation(BaseModel):
    """What the plan says the experiment may do at worst. Times in seconds.

    `degraded` None leaves it to the severity; with a list, every endpoint that it does not name
    has to stay within the critical thresholds of the runbook during the fault.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    severity: Severity
    recover_within_s: float
    good_windows: int  # consecutive good windows that count as recovered
    window_s: float
    degraded: tuple[Degraded, ...] | None = None
    alerts: tuple[str, ...] = ()  # that have to fire


class Target(BaseModel):
    """One object that a fault hits; `before` has counts that its effect is compared with.

    `owner` is what would make it anew, as Kind/name; "" where nothing would.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    namespace: str
    name: str
    uid: str
    before: dict[str, int] = Field(default_factory=dict)
    owner: str = ""


class RunStarted(_Entry):
    event: Literal["run.started"] = "run.started"
    schema_version: int
    gameday_version: str
    run: str
    plan: str
    namespace: str
    workload: str  # the Deployment under test
    url: str
    scenario: str
    seed: int
    time_scale: float
    scrape_interval_s: float
    thresholds: dict[str, Threshold]
    watchdog_image: str = ""  # as the node resolved it, with its digest; "" without a watchdog


class LoadStarted(_Entry):
    event: Literal["load.started"] = "load.started"
    url: str
    service: str = ""  # one that is loaded beside the target; "" is the target


class LoadEnded(_Entry):
    """What the generator says of itself: requests due by the schedule, and requests made."""

    event: Literal["load.ended"] = "load.ended"
    scheduled: int
    sent: int
    reason: str  # "" when it ran to its end
    service: str = ""  # as in load.started
    cpu_share: float | None = None  # of one core, mean over its life; it cannot use more than one


class PodsSeen(_Entry):
    """How many pods of the workload are ready and wanted. Written when it changes, and only in a
    run without load, whose recovery is told by it."""

    event: Literal["pods.seen"] = "pods.seen"
    ready: int
    wanted: int

    @property
    def whole(self) -> bool:
        return self.wanted > 0 and self.ready >= self.wanted


class ExperimentStarted(_Entry):
    event: Literal["experiment.started"] = "experiment.started"
    experiment: str
    title: str
    fault: str  # in words: "pod-kill: 1 of app=web"
    faults: tuple[str, ...] = ("",)  # how the entries below tell several of them apart
    expectation: Expectation
    procedure: str = ""  # of the runbook, that is to cure the fault; "" leaves it to itself


class PhaseStarted(_Entry):
    event: Literal["phase.started"] = "phase.started"
    experiment: str
    phase: PhaseKind


class PhaseEnded(_Entry):
    event: Literal["phase.ended"] = "phase.ended"
    experiment: str
    phase: PhaseKind


class SteadyStateFailed(_Entry):
    """The service was not healthy before the fault, so nothing was injected."""

    event: Literal["steady-state.failed"] = "steady-state.failed"
    experiment: str
    reason: str


class _FaultEntry(_Entry):
    """`fault` is one of the experiment's `faults`."""

    experiment: str
    fault: str = ""


class FaultIntended(_FaultEntry):
    """Written and fsynced before anything is touched."""

    event: Literal["fault.intended"] = "fault.intended"
    kind: str
    targets: tuple[Target, ...]


class FaultInjected(_FaultEntry):
    event: Literal["fault.injected"] = "fault.injected"


class FaultRefused(_FaultEntry):
    """The injection itself did not go through: refused by the API, or no target."""

    event: Literal["fault.refused"] = "fault.refused"
    reason: str


class FaultConfirmed(_FaultEntry):
    event: Literal["fault.confirmed"] = "fault.confirmed"
    evidence: str


class FaultUnconfirmed(_FaultEntry):
    event: Literal["fault.unconfirmed"] = "fault.unconfirmed"
    reason: str


class FaultEnding(_FaultEntry):
    """Its time is over, or the run is being ended: what it changed is put back from here on."""

    event: Literal["fault.ending"] = "fault.ending"
    reason: str = ""  # "" when its time was over


class FaultRestored(_FaultEntry):
    """What it changed has been put back, or somebody else's change of it was left; `said` tells."""

    event: Literal["fault.restored"] = "fault.restored"
    said: tuple[str, ...]


class FaultReverted(_FaultEntry):
    """Nothing of the fault is left; `evidence` says how that was seen."""

    event: Literal["fault.reverted"] = "fault.reverted"
    evidence: str


class FaultNotWhole(_FaultEntry):
    """Nothing of the fault is left, but what it hit was not seen to be whole again in time."""

    event: Literal["fault.not_whole"] = "fault.not_whole"
    reason: str


class FaultStuck(_FaultEntry):
    """The fault could not be undone: exit code 5."""

    event: Literal["fault.stuck"] = "fault.stuck"
    reason: str


class ProcedureStarted(_Entry):
    """Somebody, or the runner in their place, began a procedure of the runbook."""

    event: Literal["procedure.started"] = "procedure.started"
    experiment: str
    procedure: str


class StepStarted(_Entry):
    """A step is about to run; `command` as it runs, secrets masked. `line` is the runbook's."""

    event: Literal["step.started"] = "step.started"
    experiment: str
    procedure: str
    line: int
    command: str


class StepEnded(_Entry):
    """`state` is a slo.verdict.proofs.StepState; `exit_code` is None where nothing ran."""

    event: Literal["step.ended"] = "step.ended"
    experiment: str
    procedure: str
    line: int
    state: str
    exit_code: int | None
    seconds: float
    reason: str
    output: str


class ProcedureEnded(_Entry):
    """Every step was tried; `failed` are the lines of those that failed or were refused."""

    event: Literal["procedure.ended"] = "procedure.ended"
    experiment: str
    procedure: str
    failed: tuple[int, ...] = ()


class GuardrailBreached(_Entry):
    """The run is ended by it, and everything undone from here on."""

    event: Literal["guardrail.breached"] = "guardrail.breached"
    reason: str


class ExperimentEnded(_Entry):
    event: Literal["experiment.ended"] = "experiment.ended"
    experiment: str


class RunEnded(_Entry):
    event: Literal["run.ended"] = "run.ended"
    ended_by: Literal["completed", "aborted", "interrupted"]
    reason: str = ""


Entry = (
    RunStarted
    | LoadStarted
    | LoadEnded
    | PodsSeen
    | ExperimentStarted
    | PhaseStarted
    | PhaseEnded
    | SteadyStateFailed
    | FaultIntended
    | FaultInjected
    | FaultRefused
    | FaultConfirmed
    | FaultUnconfirmed
    | FaultEnding
    | FaultRestored
    | FaultReverted
    | FaultNotWhole
    | FaultStuck
    | ProcedureStarted
    | StepStarted
    | StepEnded
    | ProcedureEnded
    | GuardrailBreached
    | ExperimentEnded
    | RunEnded
)

_ENTRY: TypeAdapter[Entry] = TypeAdapter(Annotated[Entry, Field(discriminator="event")])


class JournalError(Exception):
    """The journal cannot be read; the message names file and line."""


def read_journal(path: Path) -> tuple[Entry, ...]:
    """All entries of a journal. A last line cut short by a crash is left out.

    Raises JournalError for a missing file and for any other line that is not an entry.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise JournalError(f"{path}: not UTF-8 text") from error
    lines = text.split("\n")
    lines.pop()  # what follows the last newline: nothing, or a write that a crash cut short
    entries = []
    for number, line in enumerate(lines, start=1):
        try:
            entries.append(_ENTRY.validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            raise JournalError(f"{path}, line {number}: {first['msg']}") from error
    return tuple(entries)
