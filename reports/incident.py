"""An incident on one line: how bad it was when, what happened when, and what the alerts said.

Positions are percent of the line's width, so that it is as wide as the screen it is read on.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from reports import format as fmt
from slo.model import AlertSpell, ExperimentResult, Milestone, PhaseKind, SeveritySpan

_LANE = 3.4  # percent that a number of a moment takes
_LEAST = 0.4  # percent: a stretch that is too short to see is drawn all the same
_ROOM = 7.0  # percent that a word needs inside a stretch


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A piece of the line. `kind` names its colour, `words` what it is in full."""

    left: float
    width: float
    kind: str
    label: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A moment with its number; `left` is None where there is no time, and so no place."""

    number: int
    left: float | None
    lane: int
    name: str
    offset: str
    clock: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """`length` is the line's in words, `lanes` how many rows the numbers take."""

    length: str
    phases: tuple[Stretch, ...]
    severities: tuple[Stretch, ...]
    alerts: tuple[tuple[str, tuple[Stretch, ...]], ...]
    stations: tuple[Station, ...]
    lanes: int


def line(experiment: ExperimentResult) -> Line | None:
    """None where nothing was injected, so that there is no incident."""
    phases = [p for p in experiment.phases if p.kind is not PhaseKind.BASELINE]
    if not experiment.moments or not phases:
        return None
    scale = _Scale(min(p.start for p in phases), max(p.end for p in phases))
    # As they came; what has no time comes last.
    ordered = sorted(experiment.moments, key=lambda m: m.time or datetime.max.replace(tzinfo=UTC))
    stations = _stations(tuple(ordered), scale)
    return Line(
        length=fmt.seconds(scale.length),
        phases=tuple(
            scale.stretch(p.start, p.end, kind=p.kind.value, label=p.kind.value) for p in phases
        ),
        severities=tuple(_severity(s, scale) for s in experiment.severities),
        alerts=tuple((a.name, _alert(a, scale)) for a in experiment.alerts),
        stations=stations,
        lanes=max((s.lane for s in stations), default=0) + 1,
    )


class _Scale:
    def __init__(self, start: datetime, end: datetime) -> None:
        self._start = start
        self.length = max((end - start).total_seconds(), 1e-3)

    def at(self, moment: datetime) -> float:
        share = (moment - self._start).total_seconds() / self.length
        return round(100 * min(1.0, max(0.0, share)), 2)

    def stretch(
        self, start: datetime, end: datetime, *, kind: str, label: str, words: str = ""
    ) -> Stretch:
        left = min(self.at(start), 100 - _LEAST)
        width = round(max(_LEAST, self.at(end) - left), 2)
        a, b = (fmt.seconds((t - self._start).total_seconds()) for t in (start, end))
        told = f"{a} to {b}: {label}" + (f", {words}" if words else "")
        return Stretch(
            left=left,
            width=width,
            kind=kind,
            label=label if width > _ROOM else "",
            words=told,
        )


def _severity(span: SeveritySpan, scale: _Scale) -> Stretch:
    name = span.severity.value
    label = "no incident" if name == "none" else name
    return scale.stretch(span.start, span.end, kind=name.lower(), label=label, words=span.reason)


def _alert(spell: AlertSpell, scale: _Scale) -> tuple[Stretch, ...]:
    parts = []
    if spell.pending is not None:
        until = spell.firing or spell.end
        parts.append(scale.stretch(spell.pending, until, kind="pending", label="pending"))
    if spell.firing is not None:
        parts.append(scale.stretch(spell.firing, spell.end, kind="firing", label="firing"))
    return tuple(parts)


def _stations(moments: tuple[Milestone, ...], scale: _Scale) -> tuple[Station, ...]:
    """Numbered as given; those that would cover one another stand in different lanes."""
    injected = next((m.time for m in moments if m.name == "injected" and m.time), None)
    lanes: list[float] = []
    lane_of: dict[int, int] = {}
    timed = [(scale.at(m.time), i) for i, m in enumerate(moments) if m.time is not None]
    for left, i in sorted(timed):
        lane = next((k for k, end in enumerate(lanes) if end <= left), len(lanes))
        if lane == len(lanes):
            lanes.append(0.0)
        lanes[lane] = left + _LANE
        lane_of[i] = lane
    return tuple(
        Station(
            number=i + 1,
            left=None if m.time is None else scale.at(m.time),
            lane=lane_of.get(i, 0),
            name=m.name,
            offset=_offset(injected, m.time),
            clock="" if m.time is None else fmt.clock(m.time),
            words=m.evidence if m.time is not None else m.missing,
        )
        for i, m in enumerate(moments)
    )


def _offset(injected: datetime | None, moment: datetime | None) -> str:
    if moment is None:
        return "–"
    return fmt.offset(injected, moment) if injected is not None else fmt.clock(moment)
