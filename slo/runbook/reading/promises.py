"""Objectives: tables that give a metric, its target and its critical threshold."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from slo.model import Comparison, Objective, Source, Unit
from slo.runbook.reading.line_coverage import LineCoverage
from slo.runbook.reading.markdown import Columns, Row, Table
from slo.runbook.reading.quantities import quantity
from slo.runbook.reading.thresholds import not_a_threshold, opposite, parse_pair

_METRIC = (
    *("metric", "indicator", "sli", "kpi", "objective", "promise", "signal", "measure"),
    *("slo", "resource"),
)
_TARGET = ("target", "goal", "slo", "objective", "promise", "desired", "good", "healthy", "normal")
_CRITICAL = ("critical", "limit", "alarm", "breach", "red", "page", "unacceptable")
_WARNING = ("warning", "warn", "yellow", "amber", "degraded")
_SHARED = {Unit.RATIO, Unit.SECONDS}


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which columns say what. `warned`: `target` is where the warning begins, on the bad side.

    Without `critical` the one threshold is both: a target, or (`alarm`) where something is wrong.
    """

    metric: int
    target: int
    critical: int | None
    warned: bool = False
    alarm: bool = False


def promised(table: Columns) -> _Columns | None:
    """The columns of a metric and its thresholds, if the headers are those of such a table."""
    metric = table.column(*_METRIC)
    if metric is None:
        return None
    target = table.column(*_TARGET, apart_from=(metric,))
    # A column of alerts names them; it is no threshold.
    critical = table.column(*_CRITICAL, apart_from=(metric, target))
    if target is not None and critical is not None:
        return _Columns(metric, target, critical)
    if target is not None:
        return _Columns(metric, target, None)
    warning = table.column(*_WARNING, apart_from=(metric,))
    if warning is not None and critical is not None:
        return _Columns(metric, warning, critical, warned=True)
    alarm = table.column("threshold", "limit", apart_from=(metric,))
    return _Columns(metric, alarm, None, alarm=True) if alarm is not None else None


def objectives(
    table: Table, coverage: LineCoverage, seen: dict[str, Objective]
) -> Iterator[Objective]:
    """The rows that can be read; the others are refused with their reason. `seen` by name."""
    columns = Columns(table)
    found = promised(columns)
    classic = found is not None and not found.warned and found.critical is not None
    if found is None or not (classic or _evident(found, table)):
        return
    coverage.understood(table.line, table.line + 1)
    coverage.leave_columns(columns)
    further = _further([row.cells[found.metric] for row in table.rows])
    for row in table.rows:
        source = coverage.source(table, row.line)
        title = row.cells[found.metric]
        own_name = _slug(title) if title in further else ""
        try:
            objective = _objective(title, _pair(found, row), source, seen, own_name)
        except ValueError as error:
            shown = " | ".join(row.cells)
            coverage.refuse(table, "objective", str(error), text=shown, lines=(row.line, row.line))
            continue
        seen[objective.name] = objective
        coverage.understood(row.line, row.line)
        yield objective


def _evident(columns: _Columns, table: Table) -> bool:
    """Do at least half of the cells hold thresholds? Words such as "SLO" head other tables too."""
    read = 0
    for row in table.rows:
        try:
            parse_pair(*_pair(columns, row))
        except ValueError:
            continue
        read += 1
    return bool(read) and 2 * read >= len(table.rows)


def _pair(columns: _Columns, row: Row) -> tuple[str, str]:
    """The cells of target and critical threshold as if the table had both."""
    target = row.cells[columns.target]
    if columns.critical is not None:
        critical = row.cells[columns.critical]
        return (opposite(target), critical) if columns.warned else (target, critical)
    if columns.alarm:
        return opposite(target), target
    return target, opposite(target)


def _objective(
    title: str,
    cells: tuple[str, str],
    source: Source,
    seen: Mapping[str, Objective],
    own_name: str,
) -> Objective:
    """By its `own_name` where it has one, else by that of what its title means.

    `cells` are the target and the critical threshold.
    """
    target, critical = cells
    if not title:
        raise ValueError("a metric without a name")
    try:
        good, bad = parse_pair(target, critical)
    except ValueError as error:
        which, _, why = str(error).partition(": ")
        raise ValueError(f"the {which} of {title}: {why}") from error
    if good.unit is not bad.unit:
        raise ValueError(f'{title}: "{target}" and "{critical}" are not of one kind')
    if good.sign is bad.sign:
        raise ValueError(f'{title}: "{target}" and "{critical}" point the same way')
    below = good.sign is Comparison.BELOW
    # "At most 5" and "more than 5" meet: nothing lies between them.
    apart = not math.isclose(bad.value, good.value)
    if apart and ((bad.value < good.value) if below else (bad.value > good.value)):
        raise ValueError(f'{title}: what meets the target "{target}" is critical ("{critical}")')
    meant = quantity(title)
    if meant is not None and good.unit is Unit.COUNT:
        raise ValueError(f"the target of {title}: {not_a_threshold(target)}")
    if meant is not None and meant.unit is not good.unit:
        # Memory in GiB is a promise too, only not one that our indicator measures.
        if good.unit in _SHARED:
            raise ValueError(
                f'{title}: "{target}" is not in a unit of {meant.name} ({meant.unit.value})'
            )
        meant = None
    name = own_name or (meant.name if meant else _slug(title))
    if (first := seen.get(name)) is not None:
        raise ValueError(f"{title!r} already has thresholds on line {first.source.line}")
    return Objective(
        name=name,
        title=title,
        comparison=good.sign,
        target=good.value,
        critical=bad.value,
        unit=good.unit,
        source=source,
    )


def _further(titles: Iterable[str]) -> set[str]:
    """Titles that end with the whole title of another row of the table.

    "Search Error Rate" beside "Error Rate" is a promise about a part, under a name of its own.
    """
    meant: dict[str, list[str]] = {}
    for title in titles:
        if (found := quantity(title)) is not None:
            meant.setdefault(found.name, []).append(title)
    return {
        title
        for said in meant.values()
        for title in said
        if _slug(title).endswith(f"_{_slug(min(said, key=len))}")
    }


def _slug(title: str) -> str:
    return re.sub(r"\W+", "_", title.casefold()).strip("_") or "unnamed"
