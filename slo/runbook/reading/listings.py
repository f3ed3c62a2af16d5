"""Tables that list things: severities, scaling thresholds, backups, windows, people, parts."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from slo.model import Severity
from slo.runbook.durations import seconds
from slo.runbook.model import (
    Alert,
    Backup,
    Bound,
    Component,
    Contact,
    Dashboard,
    MaintenanceWindow,
    ScalingRule,
    SeverityLevel,
)
from slo.runbook.reading.line_coverage import LineCoverage
from slo.runbook.reading.markdown import Columns, Row, Table
from slo.runbook.reading.thresholds import parse_threshold

_LEVEL = re.compile(r"(?:SEV|SEVERITY|PRIORITY|P|S)?[\W_]*([0-5])", re.IGNORECASE)


@dataclass
class Listings:
    """What the tables of one runbook gave, in their order."""

    severities: list[SeverityLevel] = field(default_factory=list)
    scaling: list[ScalingRule] = field(default_factory=list)
    backups: list[Backup] = field(default_factory=list)
    windows: list[MaintenanceWindow] = field(default_factory=list)
    dashboards: list[Dashboard] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)
    components: list[Component] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)

    def read(self, table: Table, coverage: LineCoverage) -> None:
        """The first kind of listing that the headers are those of, if any is."""
        for kind in _KINDS:
            columns = Columns(table)
            reader = kind(self, columns, coverage)
            if reader is None:
                continue
            coverage.leave_columns(columns)
            coverage.understood(table.line, table.line + 1)
            for row in table.rows:
                try:
                    reader(row)
                except ValueError as error:
                    coverage.refuse(
                        table,
                        "row",
                        str(error),
                        text=" | ".join(row.cells),
                        lines=(row.line, row.line),
                    )
                else:
                    coverage.understood(row.line, row.line)
            return


_Reader = Callable[[Row], None]


def _cell(row: Row, column: int | None) -> str:
    return row.cells[column] if column is not None else ""


def _severities(to: Listings, columns: Columns, coverage: LineCoverage) -> _Reader | None:
    level = columns.column("level", "severity", "priority", "sev")
    time = columns.column("response", "respond", "acknowledge", "reaction", "time to respond")
    if level is None or time is None:
        return None
    description = columns.column("description", "definition", "mean", "what", "impact", "example")
    escalation = columns.column("escalation", "escalate", "notify", "who", "page")
    base = _lowest(columns.table, level)

    def read(row: Row) -> None:
        label = row.cells[level]
        found = _LEVEL.match(label)
        rank = int(found[1]) - base if found and not label[found.end() :][:1].isalnum() else -1
        if not 0 <= rank < len(Severity) - 1:
            raise ValueError(f"severity {label!r} is not understood")
        severity = list(Severity)[rank]
        if any(s.severity is severity for s in to.severities):
            raise ValueError(f"severity {label!r} was described before")
        to.severities.append(
            SeverityLevel(
                severity=severity,
                description=_cell(row, description),
                response_time=row.cells[time],
                response_time_s=seconds(row.cells[time]),
                source=coverage.source(columns.table, row.line),
                label=label,
                escalation=_cell(row, escalation),
            )
        )

    return read


def _lowest(table: Table, level: int) -> int:
    """0 where the levels count from P0, else 1."""
    numbers = [int(m[1]) for row in table.rows if (m := _LEVEL.match(row.cells[level]))]
    return min([1, *numbers])


def _scaling(to: Listings, columns: Columns, coverage: LineCoverage) -> _Reader | None:
    metric = columns.column("metric", "resource", "signal", "trigger")
    up = columns.column("scale up", "scale out", "scale-up", "scale-out", "up ", "upscale")
    down = columns.column("scale down", "scale in", "scale-down", "scale-in", "down", "downscale")
    if metric is None or up is None:
        return None
    cooldown = columns.column("cooldown", "cool-down", "cool down", "stabili", "delay", "wait")

    def read(row: Row) -> None:
        to.scaling.append(
            ScalingRule(
                metric=row.cells[metric],
                up=_bound(row.cells[up]),
                down=_bound(_cell(row, down)) if _cell(row, down).strip(" -–—") else None,
                cooldown_s=seconds(_cell(row, cooldown)),
                source=coverage.source(columns.table, row.line),
            )
        )

    return read


def _bound(cell: str) -> Bound:
    found = parse_threshold(cell)
    return Bound(comparison=found.sign, value=found.value, unit=found.unit, text=cell)


def _backups(to: Listings, columns: Columns, coverage: LineCoverage) -> _Reader | None:
    component = columns.column(
        "component", "system", "service", "data", "what", "store", "asset", "database"
    )
    frequency = columns.column(
        "frequency", "schedule", "interval", "how often", "every", "backup", apart_from=(component,)
    )
    retention = columns.column("retention", "kept", "keep", "retain", "how long")
    if component is None or frequency is None or retention is None:
        return None
    location = columns.column("location", "where", "destination", "target", "stored", "storage")

    def read(row: Row) -> None:
        if not row.cells[component]:
            raise ValueError("a backup of nothing")
        to.backups.append(
            Backup(
                component=row.cells[component],
                frequency=row.cells[frequency],
                interval_s=seconds(row.cells[frequency]),
                retention=row.cells[retention],
                retention_s=seconds(row.cells[retention]),
                location=_cell(row, location),
                source=coverage.source(columns.table, row.line),
            )
        )

    return read


def _windows(to: Listings, columns: Columns, coverage: LineCoverage) -> _Reader | None:
    day = columns.column("day", "when", "date", "window", "frequency")
    time = columns.column("time", "start", "from", "hour", apart_from=(day,))
    duration = columns.column("duration", "length", "how long")
    if day is None or time is None or duration is None:
        return None
    purpose = columns.column("purpose", "what", "reason", "work", "activity", "scope")

    def read(row: Row) -> None:
        to.windows.append(
            MaintenanceWindow(
                day=row.cells[day],
                time=row.cells[time],
                duration=row.cells[duration],
                duration_s=seconds(row.cells[duration]),
                purpose=_cell(row, purpose),
                source=coverage.source(columns.table, row.line),
            )
        )

    return read


def _dashboards(to: Listings, columns: Columns, coverage: LineCoverage) -> _Reader | None:
    name = columns.column("dashboard", "board", "panel")
    url = columns.column("url", "link", "address", "path", "uid")
    if name is None or url is None:
        return None
    purpose = columns.column("purpose", "description", "shows", "what", "use")

    def read(row: Row) -> None:
        to.dashboards.append(
            Dashboard(
                name=row.cells[name],
                url=row.cells[url],
                purpose=_cell(row, purpose),
                source=coverage.source(columns.table, row.line),
            )
        )

    return read


def _contacts(to: Listings, columns: Columns, coverage: LineCoverage) -> _Reader | None:
    role = columns.column("role", "team", "who", "name", "person", "rotation")
    contact = columns.column(
        "contact", "email", "e-mail", "phone", "slack", "channel", "reach", apart_from=(role,)
    )
    if role is None or contact is None:
        return None
    availability = columns.column("availability", "available", "hours", "when")

    def read(row: Row) -> None:
        to.contacts.append(
            Contact(
                role=row.cells[role],
                contact=row.cells[contact],
                availability=_cell(row, availability),
                source=coverage.source(columns.table, row.line),
            )
        )

    return read


def _alerts(to: Listings, columns: Columns, coverage: LineCoverage) -> _Reader | None:
    name = columns.column("alert", "name", "rule")
    expr = columns.column("expr", "promql", "query", "condition", "rule", apart_from=(name,))
    if (
        name is None
        or expr is None
        or not columns.table.headers[name].casefold().startswith("alert")
    ):
        return None
    wait = columns.column("for", "duration", "pending", "hold")
    severity = columns.column("severity", "level", "priority", apart_from=(name, expr, wait))

    def read(row: Row) -> None:
        if not re.search(r"[<>=(]", row.cells[expr]):
            raise ValueError(f"{row.cells[expr]!r} is not an expression")
        label = _cell(row, severity)
        source = coverage.source(columns.table, row.line)
        to.alerts.append(
            Alert(
                name=row.cells[name],
                expr=row.cells[expr],
                for_text=_cell(row, wait),
                for_s=seconds(_cell(row, wait)),
                labels=(("severity", label),) if label else (),
                annotations=(),
                group="",
                source=source,
                expr_source=source,
                end_line=row.line,
            )
        )

    return read


def _components(to: Listings, columns: Columns, coverage: LineCoverage) -> _Reader | None:
    name = columns.column("component", "service", "system", "part", "dependency")
    if name != 0 or len(columns.table.headers) < 2:  # noqa: PLR2004 - a list of names says nothing
        return None

    columns.asked.update(range(len(columns.table.headers)))

    def read(row: Row) -> None:
        if not row.cells[0]:
            raise ValueError("a component without a name")
        to.components.append(
            Component(
                name=row.cells[0],
                description="; ".join(c for c in row.cells[1:] if c),
                source=coverage.source(columns.table, row.line),
            )
        )

    return read


_KINDS = (
    _severities,
    _scaling,
    _backups,
    _windows,
    _dashboards,
    _alerts,
    _contacts,
    _components,
)
