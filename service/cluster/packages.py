"""Programs of the distribution: from PATH, else its packages unpacked into the user's cache.

Unpacked rather than installed, so that no service starts and nothing needs root:

    binary = REDIS.find()                      what is there, or None
    binary = REDIS.fetch(say=print)            fetched if need be

The cache has a folder for each package. Its usr/bin has the programs; where they need libraries
that the machine lacks, these lie beside them, and usr/bin has scripts that name them.
"""

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

FETCH_TIMEOUT_S = 300
_ASK_TIMEOUT_S = 20
_LIBRARY_PATH = "LD_LIBRARY_PATH"
_NUMBERS = re.compile(r"\d+(?:\.\d+)+")


class PackageMissingError(Exception):
    """A program is not there and cannot be fetched; the message is one sentence."""


def user_cache() -> Path:
    """Where this user's unpacked programs lie."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "gameday"


@dataclass(frozen=True, slots=True)
class Package:
    """Programs that are had together.

    The first of `programs` speaks for all: it stands in one folder with the others, and its
    --version is at least `minimum`. `debian` names the packages that have them; the first gives
    its name to the folder in the cache. `variable` is an environment variable that may name the
    first program.
    """

    name: str
    programs: tuple[str, ...]
    debian: tuple[str, ...]
    minimum: tuple[int, ...] = ()
    variable: str = ""

    @property
    def folder(self) -> Path:
        """Where its programs stand once they were fetched."""
        return user_cache() / self.debian[0] / "usr/bin"

    @property
    def hint(self) -> str:
        version = f" {self.minimum[0]} or newer" if self.minimum else ""
        what = " and ".join(self.programs) if len(self.programs) > 1 else "it"
        return (
            f"{self.name}{version} is missing and could not be fetched: install the package"
            f" '{self.debian[0]}', or put {what} on PATH"
        )

    def find(self, path: str | None = None) -> Path | None:
        """The first program: from its variable, `path` (the PATH if None), or the cache."""
        named = os.environ.get(self.variable) if self.variable else None
        if named and self._version_suits(Path(named)):
            return Path(named)
        on_path = shutil.which(self.programs[0], path=path)
        folders = [Path(on_path).parent, self.folder] if on_path else [self.folder]
        return next((f / self.programs[0] for f in folders if self._suits(f)), None)

    def fetch(self, say: Callable[[str], None] = lambda _: None) -> Path:
        """The first program, fetched with apt-get if need be. Raises PackageMissingError."""
        found = self.find()
        if found is not None:
            return found
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            raise PackageMissingError(self.hint)
        say(f"fetching {self.name} …")
        user_cache().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=user_cache()) as name:
            work, target = Path(name), self.folder.parents[1]
            if self._unpack(work, own_lists=False) or self._unpack(work, own_lists=True):
                shutil.rmtree(target, ignore_errors=True)
                with contextlib.suppress(OSError):  # another process was quicker
                    (work / "root").rename(target)
        found = self.find()
        if found is None:
            raise PackageMissingError(self.hint)
        return found

    def _suits(self, folder: Path, libraries: str = "") -> bool:
        there = all(os.access(folder / p, os.X_OK) for p in self.programs)
        return there and self._version_suits(folder / self.programs[0], libraries)

    def _version_suits(self, binary: Path, libraries: str = "") -> bool:
        """Whether it runs, and is new enough."""
        env = os.environ | ({_LIBRARY_PATH: libraries} if libraries else {})
        try:
            done = subprocess.run(
                [str(binary), "--version"],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_ASK_TIMEOUT_S,
                check=False,
                env=env,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        version = _NUMBERS.search(done.stdout)
        numbers = tuple(int(n) for n in version[0].split(".")) if version else ()
        return done.returncode == 0 and numbers >= self.minimum

    def _unpack(self, work: Path, *, own_lists: bool) -> bool:
        """Into work/root. With package lists of the machine, or of our own (fetched first)."""
        root, apt = work / "root", ["apt-get", *_options(work, own_lists=own_lists)]
        if own_lists:
            _run([*apt, "update"], work)
        _run([*apt, "download", *self.debian], work)
        _extract(work, root)
        if self._suits(root / "usr/bin"):
            return True
        only = ["--yes", "--no-install-recommends", "--download-only"]
        _run([*apt, *only, "install", *self.debian], work)
        _extract(work / "cache/archives", root)
        folders = sorted({p.parent.relative_to(root) for p in root.rglob("*.so*")})
        if not self._suits(root / "usr/bin", _joined(root, folders)):
            return False
        self._name_libraries(root, folders)
        return True

    def _name_libraries(self, root: Path, folders: list[Path]) -> None:
        """Put scripts in the programs' place, which start them with the libraries of the cache."""
        target = self.folder.parents[1]
        (root / "usr/bin").rename(root / "usr/programs")
        (root / "usr/bin").mkdir()
        for program in self.programs:
            script = root / "usr/bin" / program
            real = shlex.quote(str(target / "usr/programs" / program))
            libraries = shlex.quote(_joined(target, folders))
            script.write_text(f'#!/bin/sh\n{_LIBRARY_PATH}={libraries} exec {real} "$@"\n')
            script.chmod(0o755)


def _options(work: Path, *, own_lists: bool) -> list[str]:
    """Options that keep what apt writes below `work`, which needs no root."""
    (work / "cache/archives/partial").mkdir(parents=True, exist_ok=True)
    values = [f"Dir::Cache={work / 'cache'}", "APT::Sandbox::User=", "Debug::NoLocking=1"]
    if own_lists:
        (work / "state/lists/partial").mkdir(parents=True, exist_ok=True)
        values += [f"Dir::State={work / 'state'}", "Dir::State::status=/var/lib/dpkg/status"]
    return [word for value in values for word in ("-o", value)]


def _extract(folder: Path, root: Path) -> None:
    for package in folder.glob("*.deb"):
        _run(["dpkg-deb", "-x", str(package), str(root)], folder)


def _joined(root: Path, folders: list[Path]) -> str:
    return ":".join(str(root / folder) for folder in folders)


def _run(command: list[str], work: Path) -> None:
    """Run a package command; whether it helped is seen from what it left."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(command, cwd=work, capture_output=True, timeout=FETCH_TIMEOUT_S, check=False)


PROMETHEUS = Package(
    "Prometheus", ("prometheus", "promtool"), ("prometheus",), variable="PROMETHEUS_BINARY"
)
# From 6 on it has the TLS, the ACLs and the answers that clients count on.
REDIS = Package("Redis", ("redis-server", "redis-cli"), ("redis-server", "redis-tools"), (6,))
WGET = Package("GNU Wget", ("wget",), ("wget",))
PACKAGES = (PROMETHEUS, REDIS, WGET)
