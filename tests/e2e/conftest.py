"""A cluster of its own for the end-to-end tests, and the command as a user types it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.cluster import embedded

GAMEDAY = str(Path(sys.executable).parent / "gameday")

PLAN = """\
name: short
seed: 3
target:
  {namespace: bizra-system, workload: bizra-api, service: bizra-api-internal, port: 8000}
prometheus: {service: prometheus-service, port: 9090, scrape_interval: 2s}
load: {scenario: smoke}
objectives: {error_rate: {target: 1%, critical: 2%}}  # what so few requests can show
experiments:
  - name: pod-delete
    title: One pod goes
    fault: {kind: pod-kill, how: delete, select: {labels: {app: bizra-api}, count: 1}}
    baseline: 10s
    duration: 10s
    recovery: 10s
    expect: {severity: SEV3, recover_within: 9s}
"""


@dataclass(frozen=True)
class Command:
    """`gameday` with a working directory and a cluster directory of its own."""

    directory: Path
    cluster: Path

    @property
    def env(self) -> dict[str, str]:
        return {**os.environ, "GAMEDAY_CLUSTER_DIR": str(self.cluster), "COLUMNS": "100"}

    def __call__(self, *arguments: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [GAMEDAY, *arguments],
            cwd=self.directory,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [GAMEDAY, *arguments],
            cwd=self.directory,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def write_plan(self, old: str = "", new: str = "") -> Path:
        assert old in PLAN
        path = self.directory / "plan.yaml"
        path.write_text(PLAN.replace(old, new) if old else PLAN)
        return path

    @property
    def latest(self) -> Path:
        return self.directory / "runs/latest"

    @property
    def proofs(self) -> Path:
        return self.directory / "runs/latest-proofs"


def eventually(condition: Callable[[], bool], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def cluster_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("cluster") / "cluster"
    try:
        yield directory
    finally:
        embedded.down(directory)


@pytest.fixture
def gameday(tmp_path: Path, cluster_directory: Path) -> Command:
    return Command(tmp_path, cluster_directory)
