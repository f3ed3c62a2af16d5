"""How many replicas a metric asks for: the arithmetic of the HorizontalPodAutoscaler.

Pure. The rules are those of the reference (kubernetes.io, "Horizontal Pod Autoscaling", algorithm
details): pods that end or have failed are left out, CPU of pods that have just started is not
believed, and what is not known is assumed so that it dampens the change. Usage is in thousandths:
millicores, thousandths of a byte, thousandths of a metric.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kubernetes.utils.quantity import parse_quantity

from service.cluster.controllers.objects import condition, deleting, moment, name, phase, status
from service.cluster.kube import Json

TOLERANCE = 0.1
CPU_INITIALIZATION = timedelta(minutes=5)
INITIAL_READINESS_DELAY = timedelta(seconds=30)
_FULL_PERCENT = 100


class MetricError(Exception):
    """The metric gives no number of replicas now; the message is the real controller's."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One pod's usage, when it was measured, and over how long a time."""

    milli: int
    at: datetime
    window: timedelta = timedelta(seconds=60)


Readings = Mapping[str, Reading]  # by the pod's name


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far off the target nothing is done, upwards and downwards."""

    up: float = TOLERANCE
    down: float = TOLERANCE

    def covers(self, ratio: float) -> bool:
        return 1 - self.down <= ratio <= 1 + self.up


@dataclass(frozen=True, slots=True)
class Situation:
    """The pods that the target selects, and how many it has now."""

    pods: Sequence[Json]
    current: int
    now: datetime
    tolerance: Tolerance = Tolerance()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Replicas; the usage seen: of requests in percent (None: no such target), per pod."""

    replicas: int
    utilization: int | None
    average_milli: int


@dataclass(frozen=True, slots=True)
class _Groups:
    ready: int
    unready: frozenset[str]
    missing: frozenset[str]
    ignored: frozenset[str]


def milli(quantity: object) -> int:
    """A quantity such as "250m" or "1Gi" in thousandths, rounded up as the real one does."""
    thousandths: int = math.ceil(parse_quantity(quantity) * 1000)  # type: ignore[no-untyped-call]
    return thousandths


def _groups(pods: Sequence[Json], readings: Readings, now: datetime, *, cpu: bool) -> _Groups:
    ready, unready, missing, ignored = 0, set(), set(), set()
    for pod in pods:
        if deleting(pod) or phase(pod) == "Failed":
            ignored.add(name(pod))
        elif phase(pod) == "Pending":
            unready.add(name(pod))
        elif (reading := readings.get(name(pod))) is None:
            missing.add(name(pod))
        elif cpu and _starting(pod, reading, now):
            unready.add(name(pod))
        else:
            ready += 1
    return _Groups(ready, frozenset(unready), frozenset(missing), frozenset(ignored))


def _starting(pod: Json, reading: Reading, now: datetime) -> bool:
    """CPU of a pod's start says nothing of its load."""
    readiness, begun = condition(pod, "Ready"), status(pod).get("startTime")
    if readiness is None or begun is None:
        return True
    unready, since = readiness["status"] == "False", moment(readiness["lastTransitionTime"])
    if moment(begun) + CPU_INITIALIZATION > now:
        return unready or reading.at < since + reading.window
    return unready and moment(begun) + INITIAL_READINESS_DELAY > since


def by_utilization(
    readings: Readings, seen: Situation, *, resource: str, percent: int, container: str = ""
) -> Wanted:
    """For a target in percent of what the pods request. Raises MetricError."""
    groups = _groups(seen.pods, readings, seen.now, cpu=resource == "cpu")
    usage = _believed(readings, groups)
    requests = {name(p): _requested(p, resource, container) for p in seen.pods}

    def ratio_of(found: Mapping[str, int]) -> tuple[float, int, int]:
        used = [found[p] for p in found if p in requests]
        asked = sum(requests[p] for p in found if p in requests)
        if not asked:
            raise MetricError("no metrics returned matched known pods")
        utilization = sum(used) * 100 // asked
        return utilization / percent, utilization, sum(used) // len(used)

    ratio, utilization, average = ratio_of(usage)
    high = max(_FULL_PERCENT, percent)
    replicas = _replicas(
        usage,
        groups,
        seen,
        ratio,
        again=lambda found: ratio_of(found)[0],
        assumed={p: requests[p] * high // 100 for p in groups.missing},
    )
    return Wanted(replicas, utilization, average)


def by_average(
    readings: Readings, seen: Situation, *, target_milli: int, resource: str = ""
) -> Wanted:
    """For a target per pod; `resource` is "" for metrics other than resources."""
    groups = _groups(seen.pods, readings, seen.now, cpu=resource == "cpu")
    usage = _believed(readings, groups)

    def ratio_of(found: Mapping[str, int]) -> float:
        return (sum(found.values()) // len(found)) / target_milli

    replicas = _replicas(
        usage,
        groups,
        seen,
        ratio_of(usage),
        again=ratio_of,
        assumed=dict.fromkeys(groups.missing, target_milli),
    )
    return Wanted(replicas, None, sum(usage.values()) // len(usage))


def _believed(readings: Readings, groups: _Groups) -> dict[str, int]:
    left_out = groups.ignored | groups.unready
    usage = {pod: reading.milli for pod, reading in readings.items() if pod not in left_out}
    if not usage:
        raise MetricError("did not receive metrics for targeted pods (pods might be unready)")
    return usage


def _replicas(
    usage: dict[str, int],
    groups: _Groups,
    seen: Situation,
    ratio: float,
    *,
    again: Callable[[Mapping[str, int]], float],
    assumed: Mapping[str, int],
) -> int:
    """`assumed` is the usage of pods without a reading when the others say: fewer."""
    counts_unready = bool(groups.unready) and ratio > 1
    if not counts_unready and not groups.missing:
        return seen.current if seen.tolerance.covers(ratio) else _ceil(ratio * groups.ready)
    if ratio < 1:
        usage = {**usage, **assumed}
    elif ratio > 1:
        usage = {**usage, **dict.fromkeys(groups.missing, 0)}
    if counts_unready:
        usage = {**usage, **dict.fromkeys(groups.unready, 0)}
    new = again(usage)
    if seen.tolerance.covers(new) or (ratio < 1 < new) or (new < 1 < ratio):
        return seen.current
    replicas = _ceil(new * len(usage))
    turned = (new < 1 and replicas > seen.current) or (new > 1 and replicas < seen.current)
    return seen.current if turned else replicas


def _ceil(value: float) -> int:
    return math.ceil(round(value, 9))  # 3 * 1.2 is not more than 3.6


def _requested(pod: Json, resource: str, container: str) -> int:
    total = 0
    containers = [*pod["spec"]["containers"], *_sidecars(pod)]
    for one in containers:
        if container and one["name"] != container:
            continue
        asked = ((one.get("resources") or {}).get("requests") or {}).get(resource)
        if asked is None:
            raise MetricError(
                f"missing request for {resource} in container {one['name']} of Pod {name(pod)}"
            )
        total += milli(asked)
    return total


def _sidecars(pod: Json) -> list[Json]:
    inits = pod["spec"].get("initContainers") or []
    return [c for c in inits if c.get("restartPolicy") == "Always"]
