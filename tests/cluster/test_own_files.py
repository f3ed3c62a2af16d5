"""Only a cluster's own files are ever removed, whatever directory the environment names."""

from pathlib import Path

import pytest

from service.cluster import embedded
from service.cluster.agent.files import remove_tree
from service.cluster.embedded import EmbeddedError
from service.cluster.layout import Layout, write_layout
from service.cluster.own_files import foreign, remove


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """What a killed cluster leaves."""
    directory = tmp_path / "cluster"
    directory.mkdir()
    write_layout(Layout(directory, 64, 1))
    (directory / "state.db").write_text("objects")
    (directory / "pods/node-1").mkdir(parents=True)
    return directory


@pytest.mark.parametrize("name", ["images.yaml", "notes.txt", "pods", "cluster.json"])
@pytest.mark.parametrize("command", [embedded.up, embedded.down])
def test_a_directory_with_files_of_somebody_else_is_refused_and_left_as_it_was(
    tmp_path: Path, name: str, command: type
) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(EmbeddedError, match="GAMEDAY_CLUSTER_DIR"):
        command(directory=tmp_path)
    assert (tmp_path / name).read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_file_is_no_directory_of_a_cluster(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(EmbeddedError, match="is not a directory"):
        embedded.down(path)
    assert path.read_text() == "mine"


def test_down_removes_what_a_killed_cluster_left(left: Path) -> None:
    assert embedded.down(left)
    assert not left.exists()
    assert not embedded.down(left)


def test_a_file_that_a_person_put_beside_the_clusters_own_stays(left: Path) -> None:
    (left / "notes.txt").write_text("mine")
    assert embedded.down(left)
    assert [p.name for p in left.iterdir()] == ["notes.txt"]


def test_links_are_removed_and_not_followed(left: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("mine")
    (left / "volumes").symlink_to(kept)
    (left / "pods/node-1/data").symlink_to(kept)
    mode = kept.stat().st_mode
    remove(left)
    assert not left.exists()
    assert (kept / "file").read_text() == "mine"
    assert kept.stat().st_mode == mode


def test_a_tree_that_is_a_link_loses_the_link_alone(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    remove_tree(tmp_path / "link")
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept/file").read_text() == "mine"


def test_an_absent_and_an_empty_directory_may_become_a_clusters(tmp_path: Path) -> None:
    assert foreign(tmp_path) == ""
    assert foreign(tmp_path / "new") == ""
