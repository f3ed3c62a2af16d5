"""The journal told per experiment: what was meant, what was done, what was seen, and when."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from slo import journal
from slo.journal import Entry
from slo.model import Phase, PhaseKind


@dataclass(slots=True, kw_only=True)
class Story:
    """One experiment. Each entry is None when the journal does not have it."""

    started: journal.ExperimentStarted
    phases: list[Phase] = field(default_factory=list)
    unsteady: journal.SteadyStateFailed | None = None
    intended: journal.FaultIntended | None = None
    injected: journal.FaultInjected | None = None
    refused: journal.FaultRefused | None = None
    confirmed: journal.FaultConfirmed | None = None
    unconfirmed: journal.FaultUnconfirmed | None = None
    undone: journal.FaultReverted | journal.FaultStuck | None = None
    procedure: journal.ProcedureStarted | None = None
    steps: list[journal.StepEnded] = field(default_factory=list)
    procedure_ended: bool = False
    ended: bool = False

    @property
    def name(self) -> str:
        return self.started.experiment

    def phase(self, kind: PhaseKind) -> Phase | None:
        return next((p for p in self.phases if p.kind is kind), None)

    def incident(self) -> tuple[datetime, datetime] | None:
        """From the intent, before which nothing was touched, to the end of the last phase."""
        fault = self.phase(PhaseKind.FAULT)
        if fault is None or self.injected is None:
            return None
        last = self.phase(PhaseKind.RECOVERY) or fault
        start = self.intended.time if self.intended else self.injected.time
        return start, last.end


def chronicle(entries: Sequence[Entry]) -> tuple[Story, ...]:
    """Experiments in the order of the journal. A phase without an end ended with the journal."""
    stories: dict[str, Story] = {}
    open_phases: dict[tuple[str, PhaseKind], datetime] = {}

    def close(experiment: str, kind: PhaseKind, end: datetime) -> None:
        start = open_phases.pop((experiment, kind), None)
        if start is not None and experiment in stories:
            phase = Phase(experiment=experiment, kind=kind, start=start, end=end)
            stories[experiment].phases.append(phase)

    for entry in entries:
        match entry:
            case journal.ExperimentStarted():
                stories[entry.experiment] = Story(started=entry)
            case journal.PhaseStarted():
                open_phases[entry.experiment, entry.phase] = entry.time
            case journal.PhaseEnded():
                close(entry.experiment, entry.phase, entry.time)
            case _:
                _tell(stories, entry)
    for experiment, kind in tuple(open_phases):
        close(experiment, kind, entries[-1].time)
    return tuple(stories.values())


def _tell(stories: dict[str, Story], entry: Entry) -> None:
    story = stories.get(getattr(entry, "experiment", ""))
    if story is None:
        return  # of the run or the load as a whole
    match entry:
        case journal.SteadyStateFailed():
            story.unsteady = entry
        case journal.FaultIntended():
            story.intended = entry
        case journal.FaultInjected():
            story.injected = entry
        case journal.FaultRefused():
            story.refused = entry
        case journal.FaultConfirmed():
            story.confirmed = entry
        case journal.FaultUnconfirmed():
            story.unconfirmed = entry
        case journal.FaultReverted() | journal.FaultStuck():
            story.undone = entry  # the last word counts: what was stuck may have been undone
        case journal.ProcedureStarted() | journal.StepEnded() | journal.ProcedureEnded():
            _tell_procedure(story, entry)
        case journal.ExperimentEnded():
            story.ended = True


def _tell_procedure(
    story: Story, entry: journal.ProcedureStarted | journal.StepEnded | journal.ProcedureEnded
) -> None:
    match entry:
        case journal.ProcedureStarted():
            story.procedure = story.procedure or entry
        case journal.StepEnded():
            story.steps.append(entry)
        case journal.ProcedureEnded():
            story.procedure_ended = True
