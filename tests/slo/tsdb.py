"""A real Prometheus over synthetic series: written as OpenMetrics, backfilled, served."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.parts import prometheus, promtool

STEP_S = 2.0


class Series:
    """Samples in OpenMetrics text; one per scrape, at times that the caller chooses."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {}

    def add(
        self, name: str, labels: dict[str, str], times: list[float], value: Callable[[float], float]
    ) -> None:
        inside = ",".join(f'{k}="{v}"' for k, v in labels.items())
        lines = self._lines.setdefault(name, [])
        lines += [f"{name}{{{inside}}} {value(t)} {t:.3f}" for t in times]

    def text(self) -> str:
        lines = [line for lines in self._lines.values() for line in lines]
        return "\n".join([*lines, "# EOF", ""])


@contextmanager
def serving(series: Series, folder: Path) -> Iterator[str]:
    """The address of a Prometheus that has these series."""
    source = folder / "series.txt"
    source.write_text(series.text())
    subprocess.run(
        [promtool(), "tsdb", "create-blocks-from", "openmetrics", source, folder / "data"],
        check=True,
        capture_output=True,
    )
    with running("global: {}\n", folder) as url:
        yield url


@contextmanager
def running(config: str, folder: Path, *options: str) -> Iterator[str]:
    """The address of a Prometheus with this configuration, its data in folder/data."""
    file = folder / "prometheus.yml"
    file.write_text(config)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [
            prometheus(),
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--storage.tsdb.retention.time=1y",
            *options,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, "Prometheus ended"
        try:
            if httpx.get(f"{url}/-/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError("Prometheus was not ready within 30 s")
