"""Samples as columns: every request of a run, in files and in memory.

While a run goes on, the load workers append rows to `samples-N.csv` (no header, the columns of
slo.model.Sample); at its end they become one `samples.parquet`, ordered by intended start.
"""

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from slo.evidence.categories import Categories
from slo.evidence.parquet import numbers, read_table
from slo.latency_rule import OWN_FAULTS
from slo.model import ErrorKind, Sample

RAW = "samples-*.csv"
BESIDE = "beside"
"""The folder, in that of a run, of what other services were asked: beside/NAME/samples-N.csv."""

SEPARATOR = " » "
"""In an endpoint: "search » GET /items" is one of the service search, loaded beside the target."""

_SCHEMA = pa.schema(
    [
        ("intended_start", pa.float64()),
        ("start", pa.float64()),
        ("latency", pa.float64()),
        ("endpoint", pa.dictionary(pa.int32(), pa.string())),
        ("status", pa.int16()),
        ("error", pa.dictionary(pa.int32(), pa.string())),
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Columns of equal length. Times in seconds since the epoch (UTC), latency in seconds.

    The labels of `error` are those of ErrorKind.
    """

    intended_start: NDArray[np.float64]
    start: NDArray[np.float64]
    latency: NDArray[np.float64]
    endpoint: Categories
    status: NDArray[np.int16]
    error: Categories

    def __len__(self) -> int:
        return int(self.intended_start.size)

    @classmethod
    def from_rows(cls, rows: Iterable[Sample]) -> "Samples":
        """Ordered by intended start; rows that tie keep their order."""
        listed = sorted(rows, key=lambda r: r.intended_start)
        columns: list[list[Any]] = [list(c) for c in zip(*listed, strict=True)] or [[]] * 6
        due, start, latency, endpoint, status, error = columns
        return cls(
            np.array(due, dtype=np.float64),
            np.array(start, dtype=np.float64),
            np.array(latency, dtype=np.float64),
            Categories.of(endpoint),
            np.array(status, dtype=np.int16),
            Categories.of(ErrorKind(e).value for e in error),
        )

    def ordered(self) -> "Samples":
        """By intended start; those that tie keep their order."""
        due = self.intended_start
        if bool((due[1:] >= due[:-1]).all()):
            return self
        return self._chosen(np.argsort(due, kind="stable"))

    def _chosen(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> "Samples":
        return Samples(*(getattr(self, f.name)[which] for f in fields(self)))

    def of_the_service(self) -> "Samples":
        """Those that say something about the service: without the generator's own faults."""
        own = self._own_faults()
        return self._chosen(~own) if own.any() else self

    def not_made(self) -> NDArray[np.float64]:
        """When the others were due, which the generator did not send, or spoiled; ascending."""
        return np.sort(self.intended_start[self._own_faults()])

    def _own_faults(self) -> NDArray[np.bool_]:
        own = np.zeros(len(self), dtype=np.bool_)
        for kind in OWN_FAULTS:
            own |= self.error.are(kind.value)
        return own

    def window(self, start: datetime, end: datetime) -> "Samples":
        """Those with start <= intended start < end."""
        due = self.intended_start
        return self._chosen((due >= start.timestamp()) & (due < end.timestamp()))

    def write_parquet(self, path: Path) -> None:
        """Equal samples give equal bytes."""
        columns = [getattr(self, f.name) for f in fields(self)]
        arrays = [c.to_arrow() if isinstance(c, Categories) else pa.array(c) for c in columns]
        table = pa.table(arrays, names=[f.name for f in fields(self)]).cast(_SCHEMA)
        pq.write_table(table, path, compression="zstd")


def read_parquet(path: Path) -> Samples:
    """Raises OSError for a missing file, ValueError for one that is not of this form."""
    try:
        table = read_table(path).cast(_SCHEMA)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ValueError(f"{path.name} is damaged, or no Parquet file of samples") from error
    if any(column.null_count for column in table.columns):
        raise ValueError(f"{path.name} has gaps in its columns")
    for name in ("intended_start", "start", "latency"):
        if not np.isfinite(numbers(table.column(name))).all():
            raise ValueError(f"{path.name}: the column {name} has values that are no times")
    columns: list[Any] = []
    for field in _SCHEMA:
        column = table.column(field.name)
        if pa.types.is_dictionary(field.type):
            columns.append(Categories.from_arrow(column))
        else:
            columns.append(numbers(column))
    return Samples(*columns)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no time")
    return value


def read_raw(run_dir: Path) -> Samples:
    """The workers' files, merged. A last line that a crash cut short is left out.

    Endpoints of services that were loaded beside the target have the service before them.

    Raises ValueError, with file and line, for any other line that is not a sample.
    """
    rows: list[Sample] = []
    for path in sorted(run_dir.glob(RAW)):
        rows.extend(_raw_rows(path))
    for path in sorted((run_dir / BESIDE).glob(f"*/{RAW}")):
        service = path.parent.name
        rows.extend(
            row._replace(endpoint=f"{service}{SEPARATOR}{row.endpoint}") for row in _raw_rows(path)
        )
    return Samples.from_rows(rows)


def _raw_rows(path: Path) -> Iterator[Sample]:
    *lines, _torn = path.read_text(encoding="utf-8").split("\n")
    for number, row in enumerate(csv.reader(lines), start=1):
        try:
            due, start, latency, endpoint, status, error = row
            yield Sample(
                _number(due),
                _number(start),
                _number(latency),
                endpoint,
                int(status),
                ErrorKind(error),
            )
        except ValueError as reason:
            raise ValueError(f"{path.name}, line {number}: not a sample: {reason}") from reason
