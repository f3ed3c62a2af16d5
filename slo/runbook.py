"""A runbook as a specification: its objectives and severity levels, each with the line it is on.

Tables are recognised by their headers, in any runbook: key metrics by Metric, Target and Critical
Threshold; severity levels by Level (or Severity) and Response Time.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from slo.documents import DocumentError
from slo.model import Comparison, Objective, Severity, Source
from slo.mojibake import repair
from slo.slis import match
from slo.tables import Row, Table, tables
from slo.thresholds import Threshold, parse_threshold

BUNDLED_RUNBOOK = Path(__file__).with_name("runbook.md")


class RunbookError(DocumentError):
    """The runbook cannot be used; the message is one sentence with file and line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityLevel:
    """`response_time_s` is None when the runbook gives no number, e.g. "Next business day"."""

    severity: Severity
    description: str
    response_time: str
    response_time_s: float | None
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """`notes` has what a reader of results must know: repairs, and what was not understood."""

    file: str
    objectives: tuple[Objective, ...]
    severities: tuple[SeverityLevel, ...]
    notes: tuple[str, ...] = ()


def read_runbook(path: Path) -> Runbook:
    """Parse the runbook at `path`. Raises RunbookError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunbookError(f"{path}: {error.strerror}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RunbookError(f"{path}: not UTF-8 text") from error
    return parse_runbook(text, str(path))


def parse_runbook(text: str, file: str) -> Runbook:
    """The model of a runbook's text; `file` is what sources and errors call it.

    Raises RunbookError for a key metrics table that is missing or not understood.
    """
    text, damage = repair(text.replace("\r\n", "\n"))
    notes = [f"{file}: {damage}"] if damage else []
    objectives: dict[str, Objective] = {}
    severities: dict[Severity, SeverityLevel] = {}
    for table in tables(text):
        for objective in _objectives(table, file):
            if (first := objectives.get(objective.name)) is not None:
                raise RunbookError(
                    f"{file}, line {objective.source.line}: {objective.title!r} already has"
                    f" thresholds on line {first.source.line}"
                )
            objectives[objective.name] = objective
        for found in _severities(table, file):
            if isinstance(found, str):
                notes.append(found)
            else:
                severities.setdefault(found.severity, found)
    if not objectives:
        raise RunbookError(
            f"{file}: no key metrics table, which has the columns Metric, Target and"
            " Critical Threshold"
        )
    return Runbook(
        file=file,
        objectives=tuple(objectives.values()),
        severities=tuple(sorted(severities.values(), key=lambda s: s.severity.rank)),
        notes=tuple(notes),
    )


def _objectives(table: Table, file: str) -> Iterator[Objective]:
    metric, target, critical = map(table.column, ("metric", "target", "critical"))
    if metric is None or target is None or critical is None:
        return
    for row in table.rows:
        title = row.cells[metric]
        source = Source(file, row.line, table.section)
        try:
            yield _objective(title, row.cells[target], row.cells[critical], source)
        except ValueError as error:
            raise RunbookError(f"{file}, line {row.line}: {error}") from error


def _objective(title: str, target: str, critical: str, source: Source) -> Objective:
    if not title:
        raise ValueError("a metric without a name")
    good = _threshold(title, "target", target)
    bad = _threshold(title, "critical threshold", critical)
    if good.unit is not bad.unit:
        raise ValueError(f'{title}: "{target}" and "{critical}" are not of one kind')
    if good.sign is bad.sign:
        raise ValueError(f'{title}: "{target}" and "{critical}" point the same way')
    below = good.sign is Comparison.BELOW
    if (bad.value < good.value) if below else (bad.value > good.value):
        raise ValueError(f'{title}: what meets the target "{target}" is critical ("{critical}")')
    sli = match(title)
    if sli is not None and sli.unit is not good.unit:
        raise ValueError(f'{title}: "{target}" is not in a unit of {sli.name} ({sli.unit.value})')
    return Objective(
        name=sli.name if sli else _slug(title),
        title=title,
        comparison=good.sign,
        target=good.value,
        critical=bad.value,
        unit=good.unit,
        source=source,
    )


def _threshold(title: str, column: str, cell: str) -> Threshold:
    try:
        return parse_threshold(cell)
    except ValueError as error:
        raise ValueError(f"the {column} of {title}: {error}") from error


def _slug(title: str) -> str:
    return re.sub(r"\W+", "_", title.casefold()).strip("_") or "unnamed"


_LEVEL = re.compile(r"SEV\W?([1-4])", re.IGNORECASE)
_TIME = re.compile(r"[<≤]?\s*(\d+(?:\.\d+)?)\s*(s|sec|min|minute|h|hour|hr|d|day)s?", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _severities(table: Table, file: str) -> Iterator[SeverityLevel | str]:
    """Levels, and a note for each row that is none."""
    level, time = table.column("level", "severity"), table.column("response time")
    if level is None or time is None:
        return
    description = table.column("description", "definition", "meaning")
    for row in table.rows:
        found = _LEVEL.fullmatch(row.cells[level])
        if found is None:
            yield f"{file}, line {row.line}: severity {row.cells[level]!r} is not understood"
            continue
        yield SeverityLevel(
            severity=Severity(f"SEV{found[1]}"),
            description=row.cells[description] if description is not None else "",
            response_time=row.cells[time],
            response_time_s=_seconds(row, time),
            source=Source(file, row.line, table.section),
        )


def _seconds(row: Row, column: int) -> float | None:
    found = _TIME.fullmatch(row.cells[column])
    return float(found[1]) * _SECONDS[found[2][0].lower()] if found else None
