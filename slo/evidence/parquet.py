"""Parquet and Arrow without pandas, which pyarrow imports when asked in other ways: 1 s a start."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray


def read_table(path: Path) -> pa.Table:
    """Raises OSError for a missing file, pyarrow.ArrowException for one that is no Parquet."""
    with pq.ParquetFile(path) as file:
        return file.read()


def numbers(column: "pa.ChunkedArray[Any]") -> NDArray[Any]:
    """A column of numbers without gaps, of its own type, to be read only."""
    parts = [np.from_dlpack(chunk) for chunk in column.chunks if len(chunk)]
    if not parts:
        return np.empty(0, dtype=column.type.to_pandas_dtype())
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
