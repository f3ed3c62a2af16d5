"""The vector index: the one module that knows FAISS.

IVF with a Flat quantiser, 768 dimensions, L2 (SYSTEM.md, "Vector index"). The file is mapped, not
read: the inverted lists stay in the page cache, which all pods on a machine share.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import faiss
import numpy as np
import numpy.typing as npt

from service.api.embedding import DIMENSIONS, Vector

faiss.omp_set_num_threads(1)  # parallel across requests, not within one: pods share the cores


class IndexFileError(ValueError):
    """The index file cannot be served; the message names the file and says why."""


class Neighbour(NamedTuple):
    """`distance` is the squared Euclidean distance, as FAISS reports for L2."""

    id: int
    distance: float


class VectorIndex:
    """A mapped, read-only index. `search` may be called from several threads at once."""

    def __init__(self, index: Any) -> None:
        self._index = index

    @property
    def size(self) -> int:
        """Number of vectors."""
        return int(self._index.ntotal)

    @property
    def nprobe(self) -> int:
        """Number of inverted lists read for each query."""
        return int(self._index.nprobe)

    def search(self, vector: Vector, k: int) -> list[Neighbour]:
        """The k nearest of the probed lists, nearest first; fewer if those lists hold fewer."""
        distances, ids = self._index.search(vector.reshape(1, DIMENSIONS), k)
        return [
            Neighbour(int(i), float(d))
            for i, d in zip(ids[0], distances[0], strict=True)
            if i >= 0  # -1 fills the places for which nothing was found
        ]


def load(path: Path, *, nprobe: int | None = None) -> VectorIndex:
    """Map the index file.

    Raises IndexFileError when it is missing, damaged (also when cut short: reading a mapping past
    the end of its file would kill the process later), or no IVF index with 768 dimensions and L2.
    """
    if not path.is_file():
        raise IndexFileError(f"{path}: no such index file")
    try:
        mapped = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
    except RuntimeError as error:
        raise IndexFileError(f"{path}: not a readable FAISS index") from error
    index: Any = mapped  # the stubs know too little
    if not isinstance(mapped, faiss.IndexIVFFlat):
        raise IndexFileError(f"{path}: {type(mapped).__name__}, but an IndexIVFFlat is needed")
    if index.d != DIMENSIONS or index.metric_type != faiss.METRIC_L2:
        raise IndexFileError(
            f"{path}: needs {DIMENSIONS} dimensions and L2, has {index.d} dimensions"
        )
    lists: Any = faiss.downcast_InvertedLists(index.invlists)
    if isinstance(lists, faiss.OnDiskInvertedLists):
        if lists.totsize > path.stat().st_size:
            raise IndexFileError(f"{path}: cut short, {lists.totsize} bytes of vectors expected")
        lists.prefetch_nthread = 0  # the default starts 32 threads for each query
    if index.ntotal == 0 or lists.compute_ntotal() != index.ntotal:
        raise IndexFileError(f"{path}: empty, or its lists do not hold the {index.ntotal} vectors")
    if nprobe is not None:
        index.nprobe = min(nprobe, index.nlist)
    return VectorIndex(index)


def build(
    path: Path,
    vectors: Callable[[int, int], npt.NDArray[np.float32]],
    *,
    count: int,
    nlist: int,
    nprobe: int,
    seed: int,
    threads: int,
) -> None:
    """Train on and add `count` vectors, write to a neighbour of `path`, then rename over it.

    `vectors(start, stop)` gives rows start..stop-1, shape (stop - start, 768). The rename leaves
    the mappings of running pods intact.
    """
    quantizer = faiss.IndexFlatL2(DIMENSIONS)
    index = faiss.IndexIVFFlat(quantizer, DIMENSIONS, nlist, faiss.METRIC_L2)
    index.cp.seed = seed
    index.cp.niter = 10
    index.cp.min_points_per_centroid = 1
    index.nprobe = min(nprobe, nlist)
    with _threads(threads):
        rows = vectors(0, count)
        index.train(rows)
        index.add(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    faiss.write_index(index, str(partial))
    partial.replace(path)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(1)
