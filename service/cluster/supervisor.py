"""Starts the parts of an embedded cluster, keeps them running, and ends them together.

`python -m service.cluster.supervisor DIR`: detached from whoever started it. It ends on SIGTERM,
or when the process that owns the cluster ends; nothing of the cluster is left then.
"""

import argparse
import logging
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from service.cluster.layout import Layout, read_layout
from service.cluster.own_files import remove
from service.cluster.processes import ProcessId, write_records

log = logging.getLogger("supervisor")

END_WITHIN_S = 15.0
RESTART_AFTER_S = 0.5


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    arguments: list[str]


def parts(layout: Layout) -> list[Part]:
    """In the order of starting. They are ended the other way round, the controllers first."""
    directory, pki = layout.directory, layout.directory / "pki"
    api = Part(
        "apiserver",
        [
            "service.cluster.apiserver",
            f"--host={layout.api_host}",
            f"--port={layout.api_port}",
            f"--dir={directory}",
            f"--service-cidr={layout.service_cidr}",
        ],
    )
    agents = [
        Part(
            name,
            [
                "service.cluster.agent",
                f"--kubeconfig={pki / 'agent.kubeconfig'}",
                f"--node-name={name}",
                f"--node-ip={address}",
                f"--pod-cidr={network}",
                f"--dir={directory}",
                f"--cgroup={layout.cgroup_of(name)}",
                f"--neo4j={layout.neo4j}",
                *([f"--isolation={layout.isolation}"] if layout.isolation else []),
            ],
        )
        for name, address, network in layout.nodes
    ]
    proxy = [
        "service.cluster.proxy",
        f"--kubeconfig={pki / 'proxy.kubeconfig'}",
        f"--node-ip={layout.nodes[0][1]}",
    ]
    controllers = [
        "service.cluster.controllers",
        f"--kubeconfig={pki / 'controllers.kubeconfig'}",
    ]
    return [api, *agents, Part("proxy", proxy), Part("controllers", controllers)]


class Supervisor:
    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._parts = parts(layout)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._ended_at: dict[str, float] = {}
        self._stopping = False

    def run(self, owner: int | None) -> None:
        """Until a signal comes or the owner ends."""
        watched = os.pidfd_open(owner) if owner else None
        read, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        for part in self._parts:
            self._start(part)
        descriptors = [read] if watched is None else [read, watched]
        while not self._stopping:
            ready, _, _ = select.select(descriptors, [], [], RESTART_AFTER_S)
            if read in ready:
                os.read(read, 4096)
            if watched in ready:
                log.info("the owner has ended")
                break
            self._keep_running()
        self._stop()

    def _on_signal(self, *_: object) -> None:
        self._stopping = True

    def _start(self, part: Part) -> None:
        logs = self._layout.directory / "logs"
        logs.mkdir(exist_ok=True)
        with (logs / f"{part.name}.log").open("ab") as file:
            self._running[part.name] = subprocess.Popen(
                [sys.executable, "-P", "-m", *part.arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd="/",
            )
        self._record()

    def _record(self) -> None:
        found = {name: ProcessId.of(p.pid) for name, p in self._running.items()}
        own = ProcessId.of(os.getpid())
        records = {"supervisor": own, **found}
        write_records(
            self._layout.directory / "processes.json",
            {name: record for name, record in records.items() if record is not None},
        )

    def _keep_running(self) -> None:
        for part in self._parts:
            process = self._running[part.name]
            if process.poll() is None:
                continue
            since = self._ended_at.setdefault(part.name, time.monotonic())
            if time.monotonic() - since >= RESTART_AFTER_S:
                log.warning("%s ended with %s: starting it again", part.name, process.returncode)
                del self._ended_at[part.name]
                self._start(part)

    def _stop(self) -> None:
        """Controllers and proxy first, so that nothing is made anew; the API server last."""
        for part in reversed(self._parts):
            process = self._running[part.name]
            process.terminate()
            try:
                process.wait(END_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        remove(self._layout.directory)


def main() -> None:
    parser = argparse.ArgumentParser(prog="service.cluster.supervisor")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--owner", type=int)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    Supervisor(read_layout(options.directory)).run(options.owner)


if __name__ == "__main__":
    main()
