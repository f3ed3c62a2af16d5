"""cAdvisor's samples at a kubelet's pace, and at none."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from service.cluster.agent.cadvisor import Cadvisor, Sample
from service.cluster.agent.cgroups import Usage
from service.cluster.agent.container import Container
from service.cluster.agent.usage import Running

POD = {"metadata": {"uid": "u", "namespace": "n", "name": "p"}}


def at(seconds: float, *, cpu_s: float, restarts: int = 0) -> Running:
    spec = {"name": "c", "image": "busybox:1"}
    container = Container(spec, "u", Path("/nowhere"), restarts=restarts)
    usage = Usage(cpu_s=cpu_s, memory=1, working_set=1, rss=1, cache=0)
    worker = cast("Any", SimpleNamespace(pod=POD))
    return Running(worker, container, 0.0, seconds, usage)


def seen(samples: list[Sample]) -> list[tuple[float, float]]:
    """When, and how many CPU seconds."""
    return [(s.seen, dict(s.values)["container_cpu_usage_seconds"]) for s in samples]


def test_who_asks_more_often_gets_the_same_samples_again() -> None:
    exporter = Cadvisor(15)
    told = [seen(exporter.samples([at(t, cpu_s=t)])) for t in (100.0, 102.0, 114.0, 115.0)]
    assert told == [[(100, 100)], [(100, 100)], [(100, 100)], [(115, 115)]]


def test_a_container_that_was_started_again_is_another_one() -> None:
    exporter = Cadvisor(15)
    assert seen(exporter.samples([at(100, cpu_s=9)])) == [(100, 9)]
    assert seen(exporter.samples([at(101, cpu_s=1, restarts=1)])) == [(101, 1)]
    assert exporter.samples([]) == []


def test_without_a_pace_every_look_is_new() -> None:
    exporter = Cadvisor()
    assert seen(exporter.samples([at(100, cpu_s=1)])) == [(100, 1)]
    assert seen(exporter.samples([at(100.5, cpu_s=2)])) == [(100.5, 2)]
