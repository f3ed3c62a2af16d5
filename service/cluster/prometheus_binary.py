"""The Prometheus binary: from PATH, else the distribution's package unpacked into a cache.

Unpacked rather than installed, so that no service starts and nothing needs root.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

PACKAGE = "prometheus"
FETCH_TIMEOUT_S = 300
INSTALL_HINT = (
    "Prometheus is missing and could not be fetched: install the package 'prometheus', or put"
    " prometheus and promtool on PATH"
)


class PrometheusMissingError(Exception):
    """No binary, and no way to get one; the message is one sentence."""


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "gameday" / "prometheus"


def find_prometheus() -> Path | None:
    """A binary that runs: from $PROMETHEUS_BINARY, PATH, or the cache."""
    on_path = os.environ.get("PROMETHEUS_BINARY") or shutil.which("prometheus")
    candidates = [Path(on_path)] if on_path else []
    candidates.append(_cache() / "usr/bin/prometheus")
    return next((p for p in candidates if _runs(p)), None)


def _runs(binary: Path) -> bool:
    try:
        done = subprocess.run(
            [str(binary), "--version"], capture_output=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def fetch_prometheus() -> Path:
    """The binary, fetched with apt-get if need be. Raises PrometheusMissingError."""
    found = find_prometheus()
    if found is not None:
        return found
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise PrometheusMissingError(INSTALL_HINT)
    _cache().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_cache().parent) as name:
        work = Path(name)
        if not (_download(work, []) or _download(work, _private_lists(work))):
            raise PrometheusMissingError(INSTALL_HINT)
        package = next(work.glob("*.deb"))
        _apt(["dpkg-deb", "-x", str(package), str(work / "root")], work)
        shutil.rmtree(_cache(), ignore_errors=True)
        (work / "root").rename(_cache())
    found = find_prometheus()
    if found is None:
        raise PrometheusMissingError(INSTALL_HINT)
    return found


def _download(work: Path, options: list[str]) -> bool:
    """With the package lists of the machine, or with lists of our own (fetched first)."""
    if options:
        _apt(["apt-get", *options, "update"], work)
    _apt(["apt-get", *options, "download", PACKAGE], work)
    return any(work.glob("*.deb"))


def _private_lists(work: Path) -> list[str]:
    """Options that keep apt's state below `work`, which needs no root."""
    for part in ("state/lists/partial", "cache/archives/partial"):
        (work / part).mkdir(parents=True, exist_ok=True)
    return [
        "-o",
        f"Dir::State={work / 'state'}",
        "-o",
        f"Dir::Cache={work / 'cache'}",
        "-o",
        "Dir::State::status=/var/lib/dpkg/status",
        "-o",
        "APT::Sandbox::User=",
    ]


def _apt(command: list[str], work: Path) -> None:
    """Run a package command; whether it helped is seen from what it left."""
    try:
        subprocess.run(command, cwd=work, capture_output=True, timeout=FETCH_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return
