"""Job: pods until enough of them have succeeded, or too many have failed.

Completions and parallelism, indexed or not, backoffLimit with the back-off between attempts,
activeDeadlineSeconds, ttlSecondsAfterFinished, suspend. No pod failure policy, no success policy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.cluster.controllers.objects import (
    JOBS,
    active,
    annotations,
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

BACK_OFF, LONGEST_BACK_OFF = timedelta(seconds=10), timedelta(minutes=6)
INDEX = "batch.kubernetes.io/job-completion-index"


@dataclass(frozen=True, slots=True)
class Plan:
    """Pods to create (their indexes, None where there are none) and to delete; how the job ended.

    `again_s` says after how many seconds to look again for a back-off or a deadline.
    """

    create: tuple[int | None, ...] = ()
    delete: tuple[Json, ...] = ()
    ended: tuple[str, str, str] | None = None  # Complete or Failed, reason, message
    again_s: float | None = None


def indexed(job: Json) -> bool:
    return bool(job["spec"].get("completionMode") == "Indexed")


def index_of(pod: Json) -> int:
    """-1 for a pod without one."""
    return int(annotations(pod).get(INDEX, "-1"))


def completed(job: Json, pods: Sequence[Json]) -> set[int]:
    """The indexes that are done."""
    done = {index_of(pod) for pod in pods if phase(pod) == "Succeeded"}
    return {index for index in done if 0 <= index < (job["spec"].get("completions") or 0)}


def ranges(indexes: set[int]) -> str:
    """As status.completedIndexes has it: "0,2-4"."""
    found: list[list[int]] = []
    for index in sorted(indexes):
        if found and found[-1][1] == index - 1:
            found[-1][1] = index
        else:
            found.append([index, index])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in found)


def plan(job: Json, pods: Sequence[Json], now: datetime) -> Plan:
    spec = job["spec"]
    limit = 6 if spec.get("backoffLimit") is None else int(spec["backoffLimit"])
    running = tuple(pod for pod in pods if active(pod))
    failed = [pod for pod in pods if phase(pod) == "Failed"]
    if len(failed) > limit or _restarted_too_often(job, running, limit):
        text = "Job has reached the specified backoff limit"
        return Plan(delete=running, ended=("Failed", "BackoffLimitExceeded", text))
    left_s = _left_s(job, now)
    if left_s is not None and left_s <= 0:
        text = "Job was active longer than specified deadline"
        return Plan(delete=running, ended=("Failed", "DeadlineExceeded", text))
    succeeded = sum(phase(pod) == "Succeeded" for pod in pods)
    completions = spec.get("completions")
    done = ("Complete", "CompletionsReached", "Reached expected number of succeeded pods")
    if completions is None and succeeded:  # a work queue: the others may end in their own time
        return Plan(ended=None if running else done)
    finished = len(completed(job, pods)) if indexed(job) else succeeded
    if completions is not None and finished >= completions:
        return Plan(delete=running, ended=done)
    if spec.get("suspend"):
        return Plan(delete=running)
    parallelism = 1 if spec.get("parallelism") is None else int(spec["parallelism"])
    wanted = parallelism if completions is None else min(parallelism, completions - finished)
    missing = max(0, wanted - len(running))
    pause_s = _pause_s(failed, now) if missing else 0.0
    waits = [wait for wait in (pause_s or None, left_s) if wait is not None]
    again_s = min(waits, default=None)
    if pause_s > 0:
        return Plan(delete=running[wanted:], again_s=again_s)
    return Plan(_next(job, pods, missing), running[wanted:], again_s=again_s)


def _next(job: Json, pods: Sequence[Json], missing: int) -> tuple[int | None, ...]:
    if not indexed(job):
        return (None,) * missing
    taken = completed(job, pods) | {index_of(pod) for pod in pods if active(pod)}
    free = [index for index in range(job["spec"]["completions"]) if index not in taken]
    return tuple(free[:missing])


def _restarted_too_often(job: Json, running: Sequence[Json], limit: int) -> bool:
    """With restartPolicy OnFailure, restarts of containers are the attempts."""
    if job["spec"]["template"]["spec"].get("restartPolicy") != "OnFailure":
        return False
    restarts = sum(
        one.get("restartCount", 0)
        for pod in running
        for one in status(pod).get("containerStatuses") or []
    )
    return bool(restarts >= max(1, limit))


def _left_s(job: Json, now: datetime) -> float | None:
    """Seconds until activeDeadlineSeconds are over."""
    limit_s, started = job["spec"].get("activeDeadlineSeconds"), status(job).get("startTime")
    if limit_s is None or job["spec"].get("suspend"):
        return None
    begun = moment(started) if started else now
    left_s: float = (begun + timedelta(seconds=limit_s) - now).total_seconds()
    return left_s


def _pause_s(failed: Sequence[Json], now: datetime) -> float:
    """Seconds until the next attempt: ten after the first failure, then twice as many each time."""
    if not failed:
        return 0.0
    wait = min(BACK_OFF * 2 ** min(len(failed) - 1, 10), LONGEST_BACK_OFF)
    until: datetime = max(map(_failed_at, failed)) + wait
    return max(0.0, (until - now).total_seconds())


def _failed_at(pod: Json) -> datetime:
    ends = [
        one["state"]["terminated"]["finishedAt"]
        for one in status(pod).get("containerStatuses") or []
        if "finishedAt" in ((one.get("state") or {}).get("terminated") or {})
    ]
    return max(map(moment, [*ends, pod["metadata"]["creationTimestamp"]]))


def new_status(job: Json, pods: Sequence[Json], step: Plan, now: datetime) -> Json:
    running = [pod for pod in pods if active(pod)]
    suspended = bool(job["spec"].get("suspend"))
    begun = status(job).get("startTime") or timestamp(now)
    fresh: Json = {
        "active": len(running),
        "ready": sum(map(ready, running)),
        "succeeded": sum(phase(pod) == "Succeeded" for pod in pods),
        "failed": sum(phase(pod) == "Failed" for pod in pods),
        "conditions": status(job).get("conditions") or [],
    }
    if not suspended:
        fresh["startTime"] = begun
    elif status(job).get("startTime"):
        fresh["startTime"] = None
    if indexed(job):
        done = completed(job, pods)
        fresh |= {"succeeded": len(done), "completedIndexes": ranges(done)}
    if suspended != is_true(job, "Suspended"):
        reason, text = ("JobSuspended", "suspended") if suspended else ("JobResumed", "resumed")
        told = {"type": "Suspended", "status": str(suspended), "reason": reason}
        fresh["conditions"] = with_condition(
            fresh["conditions"], {**told, "message": f"Job {text}"}, now
        )
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
        selector = job["spec"]["selector"]
        pods = self.cluster.claim(job, JOBS, PODS, lambda pod: selects(selector, labels(pod)))
        step = plan(job, pods, now)
        tell = self.cluster.events
        for index in step.create:
            created = self.cluster.create(PODS, pod_body(job, index), namespace(job))
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
        fresh = new_status(job, pods, step, now)
        if bool(job["spec"].get("suspend")) != is_true(job, "Suspended"):
            word = "Suspended" if job["spec"].get("suspend") else "Resumed"
            tell.normal(self.name, JOBS, job, word, f"Job {word.lower()}")
        self.cluster.patch_status(JOBS, job, fresh)
        return step.again_s

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


def pod_body(job: Json, index: int | None) -> Json:
    """A pod of the job, for that index if it is indexed."""
    pod = pod_of_template(job["spec"]["template"])
    metadata, spec = pod["metadata"], pod["spec"]
    metadata["ownerReferences"] = [owner_reference(job, JOBS)]
    metadata["generateName"] = f"{name(job)}-"
    if index is None:
        return pod
    metadata["generateName"] = f"{name(job)}-{index}-"
    for notes in ("annotations", "labels"):
        metadata[notes] = {**metadata.get(notes, {}), INDEX: str(index)}
    spec["hostname"] = f"{name(job)}-{index}"
    field = {"fieldRef": {"fieldPath": f"metadata.annotations['{INDEX}']"}}
    for container in [*spec["containers"], *spec.get("initContainers", [])]:
        own = {"name": "JOB_COMPLETION_INDEX", "valueFrom": field}
        container["env"] = [*(container.get("env") or []), own]
    return pod
