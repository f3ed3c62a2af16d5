"""metrics.parquet: what Prometheus said, once per phase and as series for charts.

One table for both: rows of kind "measurement" have experiment, phase, count, coverage, reason and
expression; rows of kind "point" have labels (JSON) and a value at a time. The same values always
give the same bytes.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from slo.evidence.parquet import read_table
from slo.model import Indicator, PhaseKind

CLOCK = "clock_skew"
"""Prometheus' clock minus ours in seconds, at a time of ours."""

REDUNDANCY = "pods_available_share"
"""Available pods as share of the desired ones, at each scrape."""

ALERTS = "ALERTS"
"""Prometheus' own series of alerts: 1 at each moment at which one is pending or firing."""

RULES = "alert_rules"
"""One series for each alerting rule: its value is its `for` in seconds, its labels those of the
alerts it makes. Empty labels and a value of 0 say that Prometheus was asked and has none."""


class MetricsError(Exception):
    """metrics.parquet cannot be read; the message names the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One SLI in one phase by the server's view.

    `coverage` is the share of the expected scrapes that are there, in [0, 1]; `expr` is the PromQL
    that gave the value, evaluated at `time`. `buckets` is the histogram behind a quantile, (upper
    edge, cumulative count); `slack` by how much a reading may be off; `resets` how often counters
    began anew. `warnings` are what Prometheus said beside its answers.
    """

    sli: str
    experiment: str
    phase: PhaseKind
    time: datetime
    indicator: Indicator
    coverage: float
    expr: str
    buckets: tuple[tuple[float, float], ...] = ()
    slack: float | None = None
    resets: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line of a chart; `times` in seconds since the epoch, UTC."""

    name: str
    labels: dict[str, str]
    times: tuple[float, ...]
    values: tuple[float, ...]


_COLUMNS: list[tuple[str, pa.DataType]] = [
    ("kind", pa.string()),
    ("name", pa.string()),
    ("experiment", pa.string()),
    ("phase", pa.string()),
    ("labels", pa.string()),
    ("time", pa.timestamp("us", tz="UTC")),
    ("value", pa.float64()),
    ("count", pa.int64()),
    ("coverage", pa.float64()),
    ("missing", pa.string()),
    ("expr", pa.string()),
]
_LATER: list[tuple[str, pa.DataType]] = [
    ("buckets", pa.list_(pa.list_(pa.float64()))),
    ("slack", pa.float64()),
    ("resets", pa.int64()),
    ("warnings", pa.list_(pa.string())),
]
"""Columns that files of earlier versions do not have: none of them, or the last one."""

_SCHEMA = pa.schema(_COLUMNS + _LATER)
_EARLIER = (pa.schema(_COLUMNS), pa.schema(_COLUMNS + _LATER[:-1]))


def write_metrics(
    path: Path, measurements: Sequence[Measurement], series: Sequence[Series]
) -> None:
    """Write both in the order given."""
    rows = [_measurement_row(m) for m in measurements]
    for line in series:
        labels = json.dumps(line.labels, sort_keys=True)
        rows.extend(
            _row("point", line.name, labels=labels, time=_microseconds(time), value=value)
            for time, value in zip(line.times, line.values, strict=True)
        )
    pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), path, compression="zstd")


def _microseconds(time: float) -> int:
    return round(time * 1_000_000)


def _row(kind: str, name: str, **columns: object) -> dict[str, object]:
    return {field.name: None for field in _SCHEMA} | {"kind": kind, "name": name} | columns


def _measurement_row(measurement: Measurement) -> dict[str, object]:
    return _row(
        "measurement",
        measurement.sli,
        experiment=measurement.experiment,
        phase=measurement.phase.value,
        time=measurement.time,
        value=measurement.indicator.value,
        count=measurement.indicator.count,
        coverage=measurement.coverage,
        missing=measurement.indicator.missing,
        expr=measurement.expr,
        buckets=[list(edge) for edge in measurement.buckets],
        slack=measurement.slack,
        resets=measurement.resets,
        warnings=list(measurement.warnings),
    )


def read_metrics(path: Path) -> tuple[tuple[Measurement, ...], tuple[Series, ...]]:
    """What write_metrics wrote. Raises MetricsError."""
    try:
        table = read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise MetricsError(f"{path}: not a readable Parquet file") from error
    if table.schema.remove_metadata() not in (_SCHEMA, *_EARLIER):
        raise MetricsError(f"{path}: not the columns of metrics.parquet")
    # Without its time zone, which is UTC: pyarrow asks pandas what a zone is, and that takes long.
    clock = table["time"].cast(pa.timestamp("us"))
    rows = table.set_column(table.schema.get_field_index("time"), "time", clock).to_pylist()
    try:
        measurements = tuple(_measurement(r) for r in rows if r["kind"] == "measurement")
        series = tuple(_series([r for r in rows if r["kind"] == "point"]))
    except (TypeError, ValueError, KeyError) as error:
        raise MetricsError(f"{path}: {error}") from error
    return measurements, series


def _measurement(row: dict[str, object]) -> Measurement:
    value, time = row["value"], _time(row)
    for number in (value, row["coverage"], row.get("slack")):
        if isinstance(number, float) and not math.isfinite(number):
            raise ValueError(f"{row['name']} in {row['phase']} of {row['experiment']} is {number}")
    return Measurement(
        sli=str(row["name"]),
        experiment=str(row["experiment"]),
        phase=PhaseKind(str(row["phase"])),
        time=time,
        indicator=Indicator(
            value=value if isinstance(value, float) else None,
            count=int(str(row["count"])),
            missing=str(row["missing"]),
        ),
        coverage=float(str(row["coverage"])),
        expr=str(row["expr"]),
        buckets=tuple((float(le), float(n)) for le, n in _list(row.get("buckets"))),
        slack=_maybe(row.get("slack")),
        resets=int(str(row.get("resets") or 0)),
        warnings=tuple(str(text) for text in _list(row.get("warnings"))),
    )


def _time(row: dict[str, object]) -> datetime:
    time = row["time"]
    if not isinstance(time, datetime):
        raise TypeError(f"a {row['kind']} has no time")
    return time.replace(tzinfo=UTC)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _maybe(value: object) -> float | None:
    return value if isinstance(value, float) else None


def _series(rows: Iterable[dict[str, object]]) -> Iterable[Series]:
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in rows:
        time = _time(row)
        key = str(row["name"]), str(row["labels"])
        found.setdefault(key, []).append((time.timestamp(), float(str(row["value"]))))
    for (name, labels), points in found.items():
        times, values = zip(*points, strict=True)
        yield Series(name=name, labels=json.loads(labels), times=times, values=values)
