"""Job: pods until enough of them have succeeded, or too many have failed.

Simple on purpose: completions and parallelism, backoffLimit, activeDeadlineSeconds,
ttlSecondsAfterFinished. No indexed completion, no pod failure policy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.cluster.controllers.objects import (
    JOBS,
    active,
    deleting,
    is_true,
    labels,
    moment,
    name,
    namespace,
    owner_reference,
    phase,
    pod_of_template,
    ready,
    selects,
    status,
    timestamp,
    with_condition,
)
from service.cluster.controllers.runtime import Cluster, Controller
from service.cluster.informer import Key
from service.cluster.kube import PODS, Json


@dataclass(frozen=True, slots=True)
class Plan:
    """Pods to create and to delete; the condition that ends the job, with its reason."""

    create: int = 0
    delete: tuple[Json, ...] = ()
    ended: tuple[str, str, str] | None = None  # Complete or Failed, reason, message


def plan(job: Json, pods: Sequence[Json], now: datetime) -> Plan:
    spec = job["spec"]
    parallelism = 1 if spec.get("parallelism") is None else int(spec["parallelism"])
    completions = spec.get("completions")
    limit = 6 if spec.get("backoffLimit") is None else int(spec["backoffLimit"])
    running = tuple(pod for pod in pods if active(pod))
    succeeded = sum(phase(pod) == "Succeeded" for pod in pods)
    failed = sum(phase(pod) == "Failed" for pod in pods)
    deadline_s, started = spec.get("activeDeadlineSeconds"), status(job).get("startTime")
    if failed > limit:
        text = "Job has reached the specified backoff limit"
        return Plan(delete=running, ended=("Failed", "BackoffLimitExceeded", text))
    if deadline_s and started and moment(started) + timedelta(seconds=deadline_s) <= now:
        text = "Job was active longer than specified deadline"
        return Plan(delete=running, ended=("Failed", "DeadlineExceeded", text))
    if completions is None:  # a work queue: the first success ends it, once the others have ended
        if succeeded:
            done = ("Complete", "CompletionsReached", "Reached expected number of succeeded pods")
            return Plan(ended=None if running else done)
        wanted = parallelism
    else:
        if succeeded >= completions:
            text = "Reached expected number of succeeded pods"
            return Plan(delete=running, ended=("Complete", "CompletionsReached", text))
        wanted = min(parallelism, completions - succeeded)
    if spec.get("suspend"):
        return Plan(delete=running)
    return Plan(max(0, wanted - len(running)), running[wanted:])


def new_status(job: Json, pods: Sequence[Json], step: Plan, now: datetime) -> Json:
    running = [pod for pod in pods if active(pod)]
    fresh: Json = {
        "active": len(running),
        "ready": sum(map(ready, running)),
        "succeeded": sum(phase(pod) == "Succeeded" for pod in pods),
        "failed": sum(phase(pod) == "Failed" for pod in pods),
        "startTime": status(job).get("startTime") or timestamp(now),
        "conditions": status(job).get("conditions") or [],
    }
    if step.ended is not None:
        kind, reason, text = step.ended
        told = {"type": kind, "status": "True", "reason": reason, "message": text}
        fresh["conditions"] = with_condition(fresh["conditions"], told, now)
        if kind == "Complete":
            fresh["completionTime"] = timestamp(now)
    return fresh


class Jobs(Controller):
    name = "job-controller"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._jobs = self.watch(JOBS)
        self.watch_owned(PODS, JOBS)

    def reconcile(self, key: Key) -> float | None:
        job = self._jobs.get(key[1], key[0])
        if job is None or deleting(job):
            return None
        now = self.cluster.now()
        if is_true(job, "Complete") or is_true(job, "Failed"):
            return self._expire(job, now)
        selector = job["spec"].get("selector") or {"matchLabels": {"controller-uid": _uid(job)}}
        pods = self.cluster.claim(job, JOBS, PODS, lambda pod: selects(selector, labels(pod)))
        step = plan(job, pods, now)
        tell = self.cluster.events
        for _ in range(step.create):
            created = self.cluster.create(PODS, self._pod(job), namespace(job))
            text = f"Created pod: {name(created)}"
            tell.normal(self.name, JOBS, job, "SuccessfulCreate", text)
        for pod in step.delete:
            self.cluster.delete(PODS, pod)
            tell.normal(self.name, JOBS, job, "SuccessfulDelete", f"Deleted pod: {name(pod)}")
        if step.ended is not None:
            kind, reason, text = step.ended
            if kind == "Complete":
                tell.normal(self.name, JOBS, job, "Completed", "Job completed")
            else:
                tell.warning(self.name, JOBS, job, reason, text)
        pods = self.cluster.claim(job, JOBS, PODS, lambda pod: selects(selector, labels(pod)))
        self.cluster.patch_status(JOBS, job, new_status(job, pods, step, now))
        limit_s: int | None = job["spec"].get("activeDeadlineSeconds")
        return limit_s

    def _expire(self, job: Json, now: datetime) -> float | None:
        ttl_s = job["spec"].get("ttlSecondsAfterFinished")
        if ttl_s is None:
            return None
        ended = max(moment(c["lastTransitionTime"]) for c in status(job)["conditions"])
        left = (ended + timedelta(seconds=ttl_s) - now).total_seconds()
        if left > 0:
            return left
        self.cluster.delete(JOBS, job)
        return None

    @staticmethod
    def _pod(job: Json) -> Json:
        pod = pod_of_template(job["spec"]["template"])
        own = {
            "batch.kubernetes.io/job-name": name(job),
            "job-name": name(job),
            "batch.kubernetes.io/controller-uid": _uid(job),
            "controller-uid": _uid(job),
        }
        pod["metadata"]["labels"] = {**pod["metadata"].get("labels", {}), **own}
        pod["metadata"]["generateName"] = f"{name(job)}-"
        pod["metadata"]["ownerReferences"] = [owner_reference(job, JOBS)]
        return pod


def _uid(job: Json) -> str:
    value: str = job["metadata"]["uid"]
    return value
