"""The index file: the same each time it is made, mapped, searched; a bad one is refused."""

import subprocess
import sys
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.api.build_index import document, documents
from service.api.embedding import DIMENSIONS, embed
from service.api.index import IndexFileError, build, load


def test_a_text_query_finds_the_document_it_quotes(index_path: Path) -> None:
    index = load(index_path)
    for number in (0, 42, 599):
        nearest = index.search(embed(document(number)), 3)
        assert nearest[0].id == number
        assert nearest[0].distance == pytest.approx(0.0, abs=1e-5)
        assert [n.distance for n in nearest] == sorted(n.distance for n in nearest)


def test_probing_all_lists_gives_the_exact_neighbours(index_path: Path) -> None:
    rows = documents(0, 600)
    query = embed("the harvest of the coast repays patience")
    exact = np.argsort(((rows - query) ** 2).sum(axis=1))[:10]
    found = load(index_path, nprobe=1000).search(query, 10)
    assert [n.id for n in found] == exact.tolist()


def test_the_index_is_mapped_not_read(index_path: Path) -> None:
    index = load(index_path)
    maps = Path("/proc/self/maps").read_text()
    assert str(index_path) in maps
    assert index.size == 600


def test_nprobe_comes_from_the_file_unless_it_is_set(index_path: Path) -> None:
    assert load(index_path).nprobe == 8
    assert load(index_path, nprobe=2).nprobe == 2


def test_the_same_build_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        command = [sys.executable, "-m", "service.api.build_index", str(tmp_path / name)]
        subprocess.run([*command, "--vectors", "300", "--nlist", "4"], check=True)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(IndexFileError, match=r"main\.index: no such index file"):
        load(tmp_path / "main.index")


def test_a_file_cut_short_anywhere_is_refused(
    index_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = index_path.read_bytes()
    cut = tmp_path_factory.mktemp("cut") / "cut.index"

    @given(st.integers(0, len(whole) - 1))
    @settings(max_examples=40, deadline=None)
    def refused(length: int) -> None:
        cut.unlink(missing_ok=True)
        cut.write_bytes(whole[:length])
        with pytest.raises(IndexFileError):
            load(cut)

    refused()


def test_an_index_of_another_kind_is_refused(tmp_path: Path) -> None:
    flat = faiss.IndexFlatL2(DIMENSIONS)
    faiss.write_index(flat, str(tmp_path / "flat"))
    with pytest.raises(IndexFileError, match="IndexIVFFlat is needed"):
        load(tmp_path / "flat")
    narrow = faiss.IndexIVFFlat(faiss.IndexFlatL2(4), 4, 1)
    faiss.write_index(narrow, str(tmp_path / "narrow"))
    with pytest.raises(IndexFileError, match="needs 768 dimensions"):
        load(tmp_path / "narrow")


def test_rebuilding_leaves_a_mapped_index_intact(tmp_path: Path) -> None:
    path = tmp_path / "main.index"
    build(path, documents, count=100, nlist=2, nprobe=2, seed=1, threads=1)
    index = load(path)
    before = index.search(embed(document(7)), 5)
    build(path, documents, count=50, nlist=1, nprobe=1, seed=1, threads=1)
    assert index.search(embed(document(7)), 5) == before
    assert load(path).size == 50
