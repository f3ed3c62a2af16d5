"""Tables that list things: severities, scaling thresholds, backups, windows, people, parts."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from slo.model import Severity
from slo.runbook.durations import seconds
from slo.runbook.model import (
    Alert,
    AlertInWords,
    Backup,
    Bound,
    Component,
    Contact,
    Dashboard,
    MaintenanceWindow,
    RecoveryTarget,
    ScalingRule,
    SeverityLevel,
)
from slo.runbook.promql import PromQLError, parse
from slo.runbook.reading.line_coverage import LineCoverage
from slo.runbook.reading.markdown import Columns, Row, Table
from slo.runbook.reading.masks import without_placeholders
from slo.runbook.reading.thresholds import parse_threshold
from slo.runbook.reading.vocabulary import in_english

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
    alerts_in_words: list[AlertInWords] = field(default_factory=list)
    recovery: list[RecoveryTarget] = field(default_factory=list)

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
    time = columns.column(
        "response",
        "respond",
        "initial response",
        "first response",
        "time to respond",
        "reaction",
        "acknowledg",
        "ack",
        "time to ack",
    )
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
                response_time_s=_seconds(row.cells[time]),
                source=coverage.source(columns.table, row.line),
                label=label,
                escalation=_cell(row, escalation),
            )
        )

    return read


_BACKUP = re.compile(r"back[ -]?up|snapshot|sicherung|sauvegarde|respaldo|copia", re.IGNORECASE)


def _seconds(cell: str) -> float | None:
    return seconds(in_english(cell))


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
                cooldown_s=_seconds(_cell(row, cooldown)),
                source=coverage.source(columns.table, row.line),
            )
        )

    return read


def _bound(cell: str) -> Bound:
    found = parse_threshold(cell)
    return Bound(comparison=found.sign, value=found.value, unit=found.unit, text=cell)


def _backups(to: Listings, columns: Columns, coverage: LineCoverage) -> _Reader | None:
    component = columns.column(
        *("component", "system", "service", "backup type", "data", "what", "store", "asset"),
        *("database", "type", "backup"),
    )
    frequency = columns.column(
        "frequency", "schedule", "interval", "how often", "every", "backup", apart_from=(component,)
    )
    retention = columns.column("retention", "kept", "keep", "retain", "how long")
    if component is None or retention is None:
        return None
    if frequency is None:
        # "Component, strategy, retention" is of backups if it says so, or stands below that word.
        frequency = columns.column("strategy", "method", "how", "type", apart_from=(component,))
        said = f"{columns.table.section} {' '.join(columns.table.headers)}"
        if frequency is None or not _BACKUP.search(said):
            return None
    location = columns.column("location", "where", "destination", "target", "stored", "storage")

    def read(row: Row) -> None:
        if not row.cells[component]:
            raise ValueError("a backup of nothing")
        to.backups.append(
            Backup(
                component=row.cells[component],
                frequency=row.cells[frequency],
                interval_s=_seconds(row.cells[frequency]),
                retention=row.cells[retention],
                retention_s=_seconds(row.cells[retention]),
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
                duration_s=_seconds(row.cells[duration]),
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
    expr = columns.column("expr", "promql", "query", "rule", apart_from=(name,))
    loose = expr is None
    if loose:
        expr = columns.column("condition", "threshold", "trigger", "fires", apart_from=(name,))
    if name is None or expr is None or not columns.english[name].startswith("alert"):
        return None
    wait = columns.column("for", "duration", "pending", "hold")
    severity = columns.column("severity", "level", "priority", apart_from=(name, expr, wait))

    def read(row: Row) -> None:
        label = _cell(row, severity)
        source = coverage.source(columns.table, row.line)
        if loose and not _is_promql(row.cells[expr]):
            to.alerts_in_words.append(
                AlertInWords(
                    name=row.cells[name], condition=row.cells[expr], severity=label, source=source
                )
            )
            return
        if not re.search(r"[<>=(]", row.cells[expr]):
            raise ValueError(f"{row.cells[expr]!r} is not an expression")
        to.alerts.append(
            Alert(
                name=row.cells[name],
                expr=row.cells[expr],
                for_text=_cell(row, wait),
                for_s=_seconds(_cell(row, wait)),
                labels=(("severity", label),) if label else (),
                annotations=(),
                group="",
                source=source,
                expr_source=source,
                end_line=row.line,
            )
        )

    return read


def _is_promql(cell: str) -> bool:
    """A comparison that parses and names a metric: "> 26h" and "5 % of requests" do not."""
    try:
        parse(without_placeholders(cell))
    except PromQLError:
        return False
    return bool(re.search(r"[A-Za-z_:]{3}", cell))


def _recovery(to: Listings, columns: Columns, coverage: LineCoverage) -> _Reader | None:
    rpo = columns.column("rpo", "recovery point")
    rto = columns.column("rto", "recovery time")
    if rpo is None or rto is None:
        return None
    name = columns.column("service", "system", "component", "data", "tier", "scenario", "what")
    tier = columns.column("tier", "class", "priority", apart_from=(name,))

    def read(row: Row) -> None:
        said = [_cell(row, name), f"tier {row.cells[tier]}" if tier is not None else ""]
        to.recovery.append(
            RecoveryTarget(
                name=", ".join(filter(None, said)),
                rpo=row.cells[rpo],
                rpo_s=_seconds(row.cells[rpo]),
                rto=row.cells[rto],
                rto_s=_seconds(row.cells[rto]),
                source=coverage.source(columns.table, row.line),
            )
        )

    return read


# What tells that a table describes the parts of a system, and does not count or price them.
_DESCRIBES = (
    *("description", "purpose", "role", "function", "responsib", "technology", "tech", "what"),
    *("port", "image", "version", "replica", "namespace", "type", "stack", "language", "location"),
    *("host", "url", "endpoint", "address", "repo", "criticality", "tier", "depends", "impact"),
)


def _components(to: Listings, columns: Columns, coverage: LineCoverage) -> _Reader | None:
    name = columns.column("component", "service", "system", "part", "dependency")
    if name != 0 or columns.column(*_DESCRIBES, apart_from=(0,)) is None:
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
    _recovery,
    _severities,
    _scaling,
    _backups,
    _windows,
    _dashboards,
    _alerts,
    _contacts,
    _components,
)
