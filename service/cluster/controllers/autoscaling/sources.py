"""One metric of spec.metrics: what it is called, what it asks for, what its status shows.

Pure, over readings that are handed in. Texts are the real controller's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from service.cluster.controllers.autoscaling.replicas import (
    MetricError,
    Readings,
    Situation,
    Wanted,
    by_average,
    by_utilization,
    milli,
)
from service.cluster.kube import Json


@dataclass(frozen=True, slots=True)
class Source:
    """`kind` is Resource, ContainerResource or Pods; `label` names it in messages."""

    kind: str
    metric: str
    container: str
    target: Json
    body: Json

    @property
    def label(self) -> str:
        match self.kind:
            case "Pods":
                return f"pods metric {self.metric}"
            case "ContainerResource":
                named = f"{self.metric} container resource"
            case _:
                named = f"{self.metric} resource"
        share = "averageUtilization" in self.target
        return f"{named} utilization (percentage of request)" if share else named

    @property
    def failure(self) -> str:
        """The reason when it cannot be had."""
        return f"FailedGet{self.kind}Metric"

    @property
    def doing(self) -> str:
        """What failed, in the words before the error itself."""
        if self.kind == "Pods":
            return "failed to get pods metric value"
        share = "averageUtilization" in self.target
        where = "container " if self.kind == "ContainerResource" else ""
        return f"failed to get {self.metric} {where}{'utilization' if share else 'usage'}"


def source_of(metric: Json) -> Source:
    """Raises MetricError for a type that is not supported."""
    kind = metric["type"]
    if kind not in ("Resource", "ContainerResource", "Pods"):
        raise MetricError(f"metric source type {kind} is not supported by this cluster")
    body = metric[kind[:1].lower() + kind[1:]]
    named = body["metric"]["name"] if kind == "Pods" else body["name"]
    return Source(kind, named, body.get("container", ""), body["target"], body)


Read = Callable[[Source], Readings]


def wanted(source: Source, read: Read, seen: Situation) -> tuple[Wanted, Json]:
    """Replicas, and the entry of status.currentMetrics. Raises MetricError."""
    try:
        found = _replicas(source, read(source), seen)
    except MetricError as error:
        raise MetricError(f"{source.doing}: {error}") from error
    value: Json = {"averageValue": quantity(found.average_milli, source.metric)}
    if found.utilization is not None:
        value["averageUtilization"] = found.utilization
    body: Json = {"name": source.metric, "current": value}
    if source.kind == "Pods":
        body = {"metric": source.body["metric"], "current": value}
    elif source.kind == "ContainerResource":
        body["container"] = source.container
    return found, {"type": source.kind, source.kind[:1].lower() + source.kind[1:]: body}


def _nothing(source: Source) -> str:
    if source.kind == "Pods":
        return f"unable to get metric {source.metric}: no metrics returned from custom metrics API"
    return (
        f"unable to get metrics for resource {source.metric}: no metrics returned from resource"
        " metrics API"
    )


def _replicas(source: Source, readings: Readings, seen: Situation) -> Wanted:
    if not readings:
        raise MetricError(_nothing(source))
    resource = "" if source.kind == "Pods" else source.metric
    if (percent := source.target.get("averageUtilization")) is not None:
        return by_utilization(
            readings, seen, resource=resource, percent=percent, container=source.container
        )
    target = milli(source.target["averageValue"])
    return by_average(readings, seen, target_milli=target, resource=resource)


def quantity(thousandths: int, metric: str = "") -> str:
    """As kubectl shows it: "250m", "3", and whole bytes of memory."""
    if metric == "memory":
        return str(thousandths // 1000)
    if thousandths % 1000:
        return f"{thousandths}m"
    return str(Decimal(thousandths) / 1000)
