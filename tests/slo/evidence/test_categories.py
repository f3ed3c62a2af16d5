"""Columns of labels: the same strings after any way through positions and files."""

import tempfile
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.evidence.categories import Categories
from slo.evidence.samples import Samples, read_parquet
from slo.model import ErrorKind

strings = st.lists(st.sampled_from(["GET /b", "POST /a", "GET /ü", ""]))


@settings(deadline=None)
@given(strings)
def test_labels_are_the_strings_they_were_made_of(values: list[str]) -> None:
    found = Categories.of(values)
    assert found.tolist() == list(found) == values
    assert list(found.names) == sorted(set(values))
    assert found.are("GET /b").tolist() == [v == "GET /b" for v in values]
    assert not found.are("nowhere").any()
    assert found[found.are("")].tolist() == [""] * values.count("")


@settings(deadline=None)
@given(strings, strings)
def test_dictionaries_in_any_order_are_read_alike(one: list[str], two: list[str]) -> None:
    """As the parts of a file have them: each with a dictionary of its own."""
    column = pa.chunked_array([Categories.of(part).to_arrow() for part in (one, two)], CODED)
    assert Categories.from_arrow(column).tolist() == one + two


CODED = pa.dictionary(pa.int32(), pa.string())


def samples(n: int, seed: int) -> Samples:
    rng = np.random.default_rng(seed)
    due = np.sort(rng.random(n))
    return Samples(
        due,
        due,
        rng.random(n),
        Categories(rng.integers(0, 2, n, dtype=np.int32), ("GET /a", "GET /b", "never")),
        np.full(n, 200, dtype=np.int16),
        Categories.of([ErrorKind.NONE.value] * n),
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 200), st.integers(0, 99))
def test_samples_come_back_from_a_file_and_give_the_same_bytes(n: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, again = Path(folder) / "one.parquet", Path(folder) / "two.parquet"
        before = samples(n, seed)
        before.write_parquet(path)
        after = read_parquet(path)
        for field in fields(Samples):
            assert getattr(after, field.name).tolist() == getattr(before, field.name).tolist()
        after.write_parquet(again)
        assert again.read_bytes() == path.read_bytes()


def test_files_of_several_row_groups_and_plain_strings_are_read(tmp_path: Path) -> None:
    """As another tool would write them."""
    before = samples(100, 1)
    before.write_parquet(tmp_path / "one.parquet")
    table = pq.read_table(tmp_path / "one.parquet")
    plain = table.set_column(3, "endpoint", pa.array(before.endpoint.tolist()))
    pq.write_table(plain, tmp_path / "other.parquet", row_group_size=7)
    assert read_parquet(tmp_path / "other.parquet").endpoint.tolist() == before.endpoint.tolist()


def test_a_file_that_lacks_a_column_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"start": [1.0]}), tmp_path / "bad.parquet")
    with pytest.raises(ValueError, match=r"bad\.parquet"):
        read_parquet(tmp_path / "bad.parquet")


def test_a_file_with_gaps_is_refused(tmp_path: Path) -> None:
    samples(3, 1).write_parquet(tmp_path / "bad.parquet")
    table = pq.read_table(tmp_path / "bad.parquet")
    gap = pa.array([0.1, None, 0.2])
    pq.write_table(table.set_column(2, "latency", gap), tmp_path / "bad.parquet")
    with pytest.raises(ValueError, match=r"bad\.parquet has gaps"):
        read_parquet(tmp_path / "bad.parquet")


@settings(deadline=None)
@given(st.permutations(range(12)))
def test_ordering_is_by_intended_start(order: list[int]) -> None:
    before = samples(12, 3)
    shuffled = Samples(*(getattr(before, f.name)[np.array(order)] for f in fields(Samples)))
    assert shuffled.ordered().latency.tolist() == before.latency.tolist()
    assert shuffled.ordered().endpoint.tolist() == before.endpoint.tolist()
