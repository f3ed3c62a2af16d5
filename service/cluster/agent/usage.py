"""What a running container uses: of its control group, else summed over its processes."""

import contextlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import psutil

from service.cluster.agent.cgroups import Usage
from service.cluster.agent.container import Container
from service.cluster.agent.worker import PodWorker


@dataclass(frozen=True, slots=True)
class Running:
    """A container that runs now; `born` and `seen` are in seconds since the epoch."""

    pod: PodWorker
    container: Container
    born: float
    seen: float
    usage: Usage | None


def running(workers: Iterable[PodWorker]) -> Iterator[Running]:
    for worker in workers:
        for container in worker.containers:
            process = container.process
            if process is not None:
                with contextlib.suppress(psutil.Error):
                    born = psutil.Process(process.pid).create_time()
                    usage = _usage(container, process.pid)
                    yield Running(worker, container, born, time.time(), usage)


def _usage(container: Container, shim: int) -> Usage | None:
    if container.group is not None:
        return container.group.usage()
    spent, used = 0.0, 0
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(shim).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                # With what their ended children used, or the counter would run backwards.
                spent += sum(process.cpu_times()[:4])
                used += process.memory_info().rss
    return Usage(spent, used, used, rss=used, cache=0)
