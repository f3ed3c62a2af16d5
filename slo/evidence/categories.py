"""A column of strings of which there are few: positions in a sorted tuple of names.

Ten million endpoints as strings are ten million objects; as positions they are an array.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Categories:
    """`codes` are positions in `names`, which are sorted and each there once."""

    codes: NDArray[np.int32]
    names: tuple[str, ...]

    @classmethod
    def of(cls, values: Iterable[str]) -> "Categories":
        listed = list(values)
        names = sorted(set(listed))
        place = {name: i for i, name in enumerate(names)}
        return cls(np.array([place[v] for v in listed], dtype=np.int32), tuple(names))

    @classmethod
    def from_arrow(cls, column: "pa.ChunkedArray[Any]") -> "Categories":
        """Of a dictionary-encoded column without nulls, whatever the order of its dictionaries."""
        if len(column) == 0:
            return cls.of(())
        chunks = cast("list[pa.DictionaryArray[Any, Any]]", column.unify_dictionaries().chunks)
        found = [str(name) for name in chunks[0].dictionary.to_pylist()]
        names = sorted(set(found))
        place = np.array([names.index(name) for name in found], dtype=np.int32)
        codes = [place[np.from_dlpack(chunk.indices)] for chunk in chunks]
        return cls(np.concatenate(codes), tuple(names))

    def to_arrow(self) -> "pa.DictionaryArray[Any, Any]":
        """Equal labels give equal arrays: names stand in the order in which they first come."""
        used, first = np.unique(self.codes, return_index=True)
        order = used[np.argsort(first)]
        place = np.zeros(len(self.names), dtype=np.int32)
        place[order] = np.arange(order.size, dtype=np.int32)
        names = pa.array([self.names[i] for i in order], type=pa.string())
        return pa.DictionaryArray.from_arrays(place[self.codes], names)

    def __len__(self) -> int:
        return int(self.codes.size)

    def __iter__(self) -> Iterator[str]:
        return iter(self.tolist())

    def tolist(self) -> list[str]:
        return [self.names[code] for code in self.codes]

    def __getitem__(self, chosen: Any) -> "Categories":
        """Those that a mask, a slice or an array of positions chooses."""
        return Categories(self.codes[chosen], self.names)

    def used(self) -> "Categories":
        """The same values, without names that none of them has."""
        codes, places = np.unique(self.codes, return_inverse=True)
        if codes.size == len(self.names):
            return self
        return Categories(places.astype(np.int32), tuple(self.names[code] for code in codes))

    def are(self, name: str) -> NDArray[np.bool_]:
        """Which of them are that one."""
        code = self.names.index(name) if name in self.names else -1
        same: NDArray[np.bool_] = self.codes == code
        return same
