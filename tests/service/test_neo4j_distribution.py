"""Fetching Neo4j: by hash, from the user's repository, or one sentence that says why not."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from service.images.neo4j import distribution
from service.images.neo4j.distribution import File, Neo4jMissingError
from service.images.process import free_port

JAR = b"not really a jar"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Maven repository on this machine, which jgo's settings name as its only one."""
    root = tmp_path / "repository"
    root.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(root))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        name_repository(tmp_path, monkeypatch, server.server_port)
        yield root
        server.shutdown()


def name_repository(home: Path, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    (home / ".config").mkdir()
    settings = f"[repositories]\ncentral = http://127.0.0.1:{port}\n"
    (home / ".config/jgo.conf").write_text(settings)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))


def pin(monkeypatch: pytest.MonkeyPatch, folder: Path, sha256: str) -> None:
    """One file stands for the server, another one for the shell."""
    lists = folder / "pinned"
    lists.mkdir()
    (lists / "server-5.txt").write_text(f"# a\norg.neo4j.app:neo4j-server:5.0.1 {sha256}\n")
    (lists / "shell.txt").write_text(f"# b\norg.neo4j.app:neo4j-server:5.0.1 {sha256}\n")
    monkeypatch.setattr(distribution, "PINNED", lists)


def publish(root: Path) -> None:
    folder = root / "org/neo4j/app/neo4j-server/5.0.1"
    folder.mkdir(parents=True)
    (folder / "neo4j-server-5.0.1.jar").write_bytes(JAR)


def test_a_file_of_another_hash_is_refused(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(repository)
    pin(monkeypatch, tmp_path, hashlib.sha256(b"another").hexdigest())
    with pytest.raises(Neo4jMissingError, match="is not the file that was pinned"):
        distribution.fetch()
    assert distribution.find() is None


def test_a_repository_without_the_file_is_named_in_one_sentence(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin(monkeypatch, tmp_path, hashlib.sha256(JAR).hexdigest())
    with pytest.raises(Neo4jMissingError, match=r"connect this machine to it, or name a mirror"):
        distribution.fetch()
    assert list(repository.iterdir()) == []


def test_no_repository_at_all_is_the_same_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_repository(tmp_path, monkeypatch, free_port())
    pin(monkeypatch, tmp_path, hashlib.sha256(JAR).hexdigest())
    with pytest.raises(Neo4jMissingError, match=r"neo4j-server:5.0.1 is not to be had"):
        distribution.fetch()


@pytest.mark.parametrize("series", distribution.SERIES)
def test_every_file_is_pinned_by_its_hash(series: str) -> None:
    files = distribution.pinned(f"server-{series}") + distribution.pinned("shell")
    assert len(files) > 200
    assert all(len(f.sha256) == 64 for f in files)
    assert distribution.version_of(series).startswith(f"{series}.")
    linux = "io.netty:netty-transport-native-epoll:4.1.1.Final:linux-x86_64"
    assert File(linux, "").name == "netty-transport-native-epoll-4.1.1.Final-linux-x86_64.jar"
