"""Objectives: tables that give a metric, its target and its critical threshold."""

import re
from collections.abc import Iterator, Mapping

from slo.model import Comparison, Objective, Source, Unit
from slo.runbook.reading.line_coverage import LineCoverage
from slo.runbook.reading.markdown import Columns, Table
from slo.runbook.reading.quantities import quantity
from slo.runbook.reading.thresholds import parse_pair

_METRIC = ("metric", "indicator", "sli", "kpi", "objective", "promise", "signal", "measure")
_TARGET = ("target", "goal", "slo", "objective", "promise", "desired")
_CRITICAL = ("critical", "limit", "alarm", "breach", "red", "page", "unacceptable")
_SHARED = {Unit.RATIO, Unit.SECONDS}


def promised(table: Columns) -> tuple[int, int, int] | None:
    """Metric, target and critical threshold, if the table has all three."""
    metric = table.column(*_METRIC)
    target = table.column(*_TARGET, apart_from=(metric,))
    critical = table.column(*_CRITICAL, apart_from=(metric, target))
    if metric is None or target is None or critical is None:
        return None
    return metric, target, critical


def objectives(
    table: Table, coverage: LineCoverage, seen: dict[str, Objective]
) -> Iterator[Objective]:
    """The rows that can be read; the others are refused with their reason. `seen` by name."""
    columns = Columns(table)
    found = promised(columns)
    if found is None:
        return
    metric, target, critical = found
    coverage.understood(table.line, table.line + 1)
    coverage.leave_columns(columns)
    for row in table.rows:
        source = coverage.source(table, row.line)
        cells = row.cells[metric], row.cells[target], row.cells[critical]
        try:
            objective = _objective(*cells, source, seen)
        except ValueError as error:
            shown = " | ".join(row.cells)
            coverage.refuse(table, "objective", str(error), text=shown, lines=(row.line, row.line))
            continue
        seen[objective.name] = objective
        coverage.understood(row.line, row.line)
        yield objective


def _objective(
    title: str, target: str, critical: str, source: Source, seen: Mapping[str, Objective]
) -> Objective:
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
    if (bad.value < good.value) if below else (bad.value > good.value):
        raise ValueError(f'{title}: what meets the target "{target}" is critical ("{critical}")')
    meant = quantity(title)
    if meant is not None and meant.unit is not good.unit:
        # Memory in GiB is a promise too, only not one that our indicator measures.
        if good.unit in _SHARED:
            raise ValueError(
                f'{title}: "{target}" is not in a unit of {meant.name} ({meant.unit.value})'
            )
        meant = None
    name = meant.name if meant else _slug(title)
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


def _slug(title: str) -> str:
    return re.sub(r"\W+", "_", title.casefold()).strip("_") or "unnamed"
