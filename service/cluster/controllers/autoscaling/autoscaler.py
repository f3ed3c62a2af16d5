"""HorizontalPodAutoscaler v2: looks every 15 seconds, and says what it saw and did."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from service.cluster.controllers.autoscaling import behavior, targets
from service.cluster.controllers.autoscaling.behavior import Change, Memory, Recommendation
from service.cluster.controllers.autoscaling.metrics import PodMetrics, PodUsage, pod_usage
from service.cluster.controllers.autoscaling.replicas import (
    TOLERANCE,
    MetricError,
    Reading,
    Situation,
    Tolerance,
)
from service.cluster.controllers.autoscaling.sources import Read, Source, source_of, wanted
from service.cluster.controllers.autoscaling.targets import Target
from service.cluster.controllers.objects import (
    AUTOSCALERS,
    labels,
    name,
    namespace,
    status,
    timestamp,
    with_condition,
)
from service.cluster.controllers.runtime import Cluster, Controller
from service.cluster.informer import Key, key_of
from service.cluster.kube import CONFIGMAPS, PODS, ApiError, Json

SYNC_S = 15.0
_NOT_KNOWN = -1


@dataclass(frozen=True, slots=True)
class Asked:
    """What all metrics together ask for; `label` names the one that asks for most."""

    replicas: int
    label: str
    metrics: list[Json]
    condition: tuple[str, str, str]  # ScalingActive: status, reason, message
    error: str = ""


def combine(
    results: Sequence[tuple[int, str, Json] | tuple[Source | None, str]], current: int
) -> Asked:
    """Of the metrics (replicas, label, status entry) or (source, error): the most that is asked.

    A metric that is missing never lets the others take replicas away.
    """
    good = [r for r in results if len(r) == 3]  # noqa: PLR2004
    bad = [r for r in results if len(r) == 2]  # noqa: PLR2004
    entries = [r[2] for r in good]
    best = max(good, key=lambda r: r[0], default=None)
    if best is None or (bad and best[0] < current):
        source, why = bad[0]
        reason = source.failure if source else "InvalidMetricSourceType"
        text = f"the HPA was unable to compute the replica count: {why}"
        told = f"invalid metrics ({len(bad)} invalid out of {len(results)}), first error is: {why}"
        return Asked(_NOT_KNOWN, "", entries, ("False", reason, text), told)
    text = f"the HPA was able to successfully calculate a replica count from {best[1]}"
    return Asked(best[0], best[1], entries, ("True", "ValidMetricFound", text))


def tolerance_of(spec: Json) -> Tolerance:
    given = spec.get("behavior") or {}

    def side(direction: str) -> float:
        value = (given.get(direction) or {}).get("tolerance")
        return TOLERANCE if value is None else float(value)

    return Tolerance(up=side(behavior.UP), down=side(behavior.DOWN))


class Autoscalers(Controller):
    name = "horizontal-pod-autoscaler"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._autoscalers = cluster.informer(AUTOSCALERS)
        self._autoscalers.on_change(self._changed)
        self._pods = cluster.informer(PODS)
        self._pod_metrics = PodMetrics(cluster.kube, cluster.informer(CONFIGMAPS))
        self._memories: dict[str, Memory] = defaultdict(Memory)
        self._generations: dict[Key, int] = {}

    def _changed(self, kind: str, autoscaler: Json) -> None:
        """Its own status must not make it look again before the time."""
        key, generation = key_of(autoscaler), autoscaler["metadata"].get("generation", 0)
        if kind == "DELETED":
            self._generations.pop(key, None)
            self._memories.pop(autoscaler["metadata"]["uid"], None)
        elif self._generations.get(key) != generation:
            self._generations[key] = generation
            self.queue.add(key)

    def reconcile(self, key: Key) -> float | None:
        autoscaler = self._autoscalers.get(key[1], key[0])
        if autoscaler is None:
            return None
        _Look(self.cluster, autoscaler, self._memories[autoscaler["metadata"]["uid"]]).take(
            self._pods.list(key[0]), self._pod_metrics
        )
        return SYNC_S


class _Look:
    """One look at one autoscaler."""

    def __init__(self, cluster: Cluster, autoscaler: Json, memory: Memory) -> None:
        self._cluster, self._autoscaler, self._memory = cluster, autoscaler, memory
        self._now = cluster.now()
        self._conditions: list[Json] = list(status(autoscaler).get("conditions") or [])
        self._usage: dict[str, PodUsage] | None = None

    def take(self, pods: list[Json], pod_metrics: PodMetrics) -> None:
        spec, home = self._autoscaler["spec"], namespace(self._autoscaler)
        try:
            target = targets.find(self._cluster, spec["scaleTargetRef"], home)
        except ApiError as error:
            self._event("Warning", "FailedGetScale", error.message)
            text = (
                f"the HPA controller was unable to get the target's current scale: {error.message}"
            )
            self._condition("AbleToScale", "False", "FailedGetScale", text)
            self._write({})
            return
        text = "the HPA controller was able to get the target's current scale"
        self._condition("AbleToScale", "True", "SucceededGetScale", text)
        current = int(target.scale["spec"].get("replicas") or 0)
        mine = [p for p in pods if target.exact and target.exact.items() <= labels(p).items()]

        def read(source: Source) -> dict[str, Reading]:
            if source.kind == "Pods":
                return pod_metrics.read(source.metric, mine, home, target.selector, self._now)
            if self._usage is None:
                self._usage = pod_usage(self._cluster.kube, home, target.selector)
            found = {
                pod: usage.reading(source.metric, source.container)
                for pod, usage in self._usage.items()
            }
            return {pod: reading for pod, reading in found.items() if reading is not None}

        least, most = spec.get("minReplicas", 1), spec["maxReplicas"]
        metrics = status(self._autoscaler).get("currentMetrics") or []
        if current == 0 and least != 0:
            text = "scaling is disabled since the replica count of the target is zero"
            self._condition("ScalingActive", "False", "ScalingDisabled", text)
            desired, why = 0, ""
        elif current > most:
            desired, why = most, "Current number of replicas above Spec.MaxReplicas"
        elif current < least:
            desired, why = least, "Current number of replicas below Spec.MinReplicas"
        else:
            asked = self._ask(mine, current, read)
            metrics = asked.metrics
            if asked.replicas == _NOT_KNOWN:
                self._event("Warning", "FailedComputeMetricsReplicas", asked.error)
                self._write({"currentReplicas": current, "currentMetrics": metrics})
                return
            desired = self._limit(asked.replicas, current)
            above = f"{asked.label} above target"
            why = above if asked.replicas > current else "All metrics below target"
        if desired != current:
            desired = self._rescale(target, current, desired, why)
        fields: Json = {
            "currentReplicas": current,
            "desiredReplicas": desired,
            "currentMetrics": metrics,
        }
        if desired != current:
            fields["lastScaleTime"] = timestamp(self._now)
        self._write(fields)

    def _ask(self, pods: list[Json], current: int, read: Read) -> Asked:
        tolerance = tolerance_of(self._autoscaler["spec"])
        seen = Situation(pods, current, self._now, tolerance)
        results: list[tuple[int, str, Json] | tuple[Source | None, str]] = []
        for metric in self._autoscaler["spec"].get("metrics") or []:
            source = None
            try:
                source = source_of(metric)
                found, entry = wanted(source, read, seen)
            except MetricError as error:
                results.append((source, str(error)))
                reason = source.failure if source else "InvalidMetricSourceType"
                self._event("Warning", reason, str(error))
            else:
                results.append((found.replicas, source.label, entry))
        asked = combine(results, current)
        self._condition("ScalingActive", *asked.condition)
        return asked

    def _limit(self, asked: int, current: int) -> int:
        spec, memory = self._autoscaler["spec"], self._memory
        if not memory.recommended:  # what is there now was wanted until now
            memory.recommended.append(Recommendation(self._now, current))
        found = behavior.normalise(asked, current, spec, self._now, memory)
        memory.recommended.append(Recommendation(self._now, asked))
        keep = timedelta(seconds=behavior.longest_period_s(spec.get("behavior")))
        memory.forget(self._now - keep)
        self._condition("AbleToScale", "True", *found.able)
        self._condition("ScalingLimited", str(found.limited), *found.limit)
        return found.replicas

    def _rescale(self, target: Target, current: int, desired: int, why: str) -> int:
        body = {**target.scale, "spec": {"replicas": desired}}
        named, home = name(target.scale), namespace(self._autoscaler)
        try:
            self._cluster.kube.replace(target.resource, named, body, home, sub="scale")
        except ApiError as error:
            text = f"New size: {desired}; reason: {why}; error: {error.message}"
            self._event("Warning", "FailedRescale", text)
            text = f"the HPA controller was unable to update the target scale: {error.message}"
            self._condition("AbleToScale", "False", "FailedUpdateScale", text)
            return current
        self._event("Normal", "SuccessfulRescale", f"New size: {desired}; reason: {why}")
        text = f"the HPA controller was able to update the target scale to {desired}"
        self._condition("AbleToScale", "True", "SucceededRescale", text)
        self._memory.changes.append(Change(self._now, desired - current))
        return desired

    def _condition(self, kind: str, value: str, reason: str, text: str) -> None:
        told = {"type": kind, "status": value, "reason": reason, "message": text}
        self._conditions = with_condition(self._conditions, told, self._now)

    def _event(self, kind: str, reason: str, text: str) -> None:
        events = self._cluster.events
        tell = events.normal if kind == "Normal" else events.warning
        tell(Autoscalers.name, AUTOSCALERS, self._autoscaler, reason, text)

    def _write(self, fields: Json) -> None:
        order = {"AbleToScale": 0, "ScalingActive": 1, "ScalingLimited": 2}
        conditions = sorted(self._conditions, key=lambda c: order.get(c["type"], 9))
        generation = self._autoscaler["metadata"].get("generation", 0)
        fresh = {**fields, "conditions": conditions, "observedGeneration": generation}
        self._cluster.patch_status(AUTOSCALERS, self._autoscaler, fresh)
