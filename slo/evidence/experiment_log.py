"""The journal told per experiment: what was meant, what was done, what was seen, and when."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from slo.evidence import journal
from slo.evidence.journal import Entry
from slo.model import Phase, PhaseKind

Undone = journal.FaultReverted | journal.FaultNotWhole | journal.FaultStuck
"""How a fault ended."""


@dataclass(slots=True, kw_only=True)
class FaultLog:
    """One fault. Each entry is None when the journal does not have it."""

    intended: journal.FaultIntended | None = None
    injected: journal.FaultInjected | None = None
    refused: journal.FaultRefused | None = None
    confirmed: journal.FaultConfirmed | None = None
    unconfirmed: journal.FaultUnconfirmed | None = None
    undone: Undone | None = None


_E = TypeVar("_E", bound=Entry)


def _first(entries: Iterable[_E | None]) -> _E | None:
    return min((e for e in entries if e is not None), key=lambda e: e.time, default=None)


@dataclass(slots=True, kw_only=True)
class ExperimentLog:
    """One experiment. Each entry is None when the journal does not have it.

    Of several faults on a timetable the first intent, injection and refusal count, the effect only
    once all of them had theirs, and they are undone when all are.
    """

    started: journal.ExperimentStarted
    faults: dict[str, FaultLog]
    phases: list[Phase] = field(default_factory=list)
    unsteady: journal.SteadyStateFailed | None = None
    procedure: journal.ProcedureStarted | None = None
    steps: list[journal.StepEnded] = field(default_factory=list)
    procedure_ended: journal.ProcedureEnded | None = None
    ended: bool = False

    @classmethod
    def begin(cls, started: journal.ExperimentStarted) -> "ExperimentLog":
        return cls(started=started, faults={name: FaultLog() for name in started.faults})

    @property
    def name(self) -> str:
        return self.started.experiment

    @property
    def intended(self) -> journal.FaultIntended | None:
        return _first(f.intended for f in self.faults.values())

    @property
    def injected(self) -> journal.FaultInjected | None:
        return _first(f.injected for f in self.faults.values())

    @property
    def refused(self) -> journal.FaultRefused | None:
        return _first(f.refused for f in self.faults.values())

    @property
    def unconfirmed(self) -> journal.FaultUnconfirmed | None:
        return _first(f.unconfirmed for f in self.faults.values())

    @property
    def confirmed(self) -> journal.FaultConfirmed | None:
        """The first one's moment, with the evidence of all."""
        found = [f.confirmed for f in self.faults.values() if f.confirmed is not None]
        first = _first(found)
        if first is None or len(found) < len(self.faults):
            return None
        return first.model_copy(update={"evidence": "; ".join(f.evidence for f in found)})

    @property
    def undone(self) -> Undone | None:
        """What is stuck counts before all, and then what is not whole.

        Else it is the last one's moment, with the evidence of all.
        """
        found = [f.undone for f in self.faults.values() if f.injected is not None or f.undone]
        gone = [e for e in found if isinstance(e, journal.FaultReverted)]
        stuck = _first(e for e in found if isinstance(e, journal.FaultStuck))
        missing = _first(e for e in found if isinstance(e, journal.FaultNotWhole))
        if stuck is not None or missing is not None or len(gone) < len(found) or not gone:
            return stuck or missing
        last = max(gone, key=lambda e: e.time)
        return last.model_copy(update={"evidence": "; ".join(e.evidence for e in gone)})

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


def experiment_logs(entries: Sequence[Entry]) -> tuple[ExperimentLog, ...]:
    """Experiments in the order of the journal. A phase without an end ended with the journal."""
    stories: dict[str, ExperimentLog] = {}
    open_phases: dict[tuple[str, PhaseKind], datetime] = {}

    def close(experiment: str, kind: PhaseKind, end: datetime) -> None:
        start = open_phases.pop((experiment, kind), None)
        if start is not None and experiment in stories:
            phase = Phase(experiment=experiment, kind=kind, start=start, end=end)
            stories[experiment].phases.append(phase)

    for entry in entries:
        match entry:
            case journal.ExperimentStarted():
                stories[entry.experiment] = ExperimentLog.begin(entry)
            case journal.PhaseStarted():
                open_phases[entry.experiment, entry.phase] = entry.time
            case journal.PhaseEnded():
                close(entry.experiment, entry.phase, entry.time)
            case _:
                _tell(stories, entry)
    for experiment, kind in tuple(open_phases):
        close(experiment, kind, entries[-1].time)
    return tuple(stories.values())


def _tell(stories: dict[str, ExperimentLog], entry: Entry) -> None:
    story = stories.get(getattr(entry, "experiment", ""))
    if story is None:
        return  # of the run or the load as a whole
    fault = story.faults.get(getattr(entry, "fault", ""))
    if fault is not None:
        _tell_fault(fault, entry)
    match entry:
        case journal.SteadyStateFailed():
            story.unsteady = entry
        case journal.ProcedureStarted() | journal.StepEnded() | journal.ProcedureEnded():
            _tell_procedure(story, entry)
        case journal.ExperimentEnded():
            story.ended = True


def _tell_fault(fault: FaultLog, entry: Entry) -> None:
    match entry:
        case journal.FaultIntended():
            fault.intended = entry
        case journal.FaultInjected():
            fault.injected = entry
        case journal.FaultRefused():
            fault.refused = entry
        case journal.FaultConfirmed():
            fault.confirmed = entry
        case journal.FaultUnconfirmed():
            fault.unconfirmed = entry
        case journal.FaultReverted() | journal.FaultNotWhole() | journal.FaultStuck():
            fault.undone = entry  # the last word counts: what was stuck may have been undone


def _tell_procedure(
    story: ExperimentLog,
    entry: journal.ProcedureStarted | journal.StepEnded | journal.ProcedureEnded,
) -> None:
    match entry:
        case journal.ProcedureStarted():
            story.procedure = story.procedure or entry
        case journal.StepEnded():
            story.steps.append(entry)
        case journal.ProcedureEnded():
            story.procedure_ended = entry
