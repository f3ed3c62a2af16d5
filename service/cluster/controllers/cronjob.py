"""CronJob: a Job at each time of a schedule, as kube-controller-manager's cronjob controller v2.

Names of Jobs follow from the scheduled minute, so that no time is served twice.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from service.cluster.controllers.autoscaling.metrics import duration
from service.cluster.controllers.objects import (
    CRON_JOBS,
    JOBS,
    controlled_by,
    deleting,
    is_true,
    moment,
    name,
    namespace,
    owner_reference,
    status,
    timestamp,
    uid,
)
from service.cluster.controllers.runtime import Cluster, Controller
from service.cluster.informer import Key
from service.cluster.kube import ConflictError, Json

MANY_MISSED = 100
_SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"
_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_LATE_S = 0.1  # after the time itself, so that it has certainly come


class ScheduleError(Exception):
    """The schedule or its time zone cannot be read: `reason` and the event's text."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def times(spec: Json, after: datetime) -> Iterator[datetime]:
    """The schedule's moments after that one, in UTC, without end. Raises ScheduleError."""
    schedule, zone = spec["schedule"].strip(), spec.get("timeZone")
    try:
        where = ZoneInfo(zone) if zone else UTC
    except (KeyError, ValueError, OSError) as error:
        text = f'invalid timeZone: "{zone}": unknown time zone {zone}'
        raise ScheduleError("UnknownTimeZone", text) from error
    if match := re.fullmatch(r"@every\s+(\S+)", schedule):
        step = duration(match[1])
        if step < timedelta(seconds=1):
            raise ScheduleError("UnparseableSchedule", f'unparseable schedule: "{schedule}"')
        return (after + step * n for n in _from_one())
    expression = _MACROS.get(schedule, schedule).replace("?", "*").upper()
    try:
        found = CronSim(expression, after.astimezone(where))
    except CronSimError as error:
        text = f'unparseable schedule: "{schedule}" : {error}'
        raise ScheduleError("UnparseableSchedule", text) from error
    return (at.astimezone(UTC) for at in found)


def _from_one() -> Iterator[int]:
    number = 0
    while True:
        number += 1
        yield number


@dataclass(frozen=True, slots=True)
class Due:
    """The latest time that has come and was not served, how many were passed, and the next."""

    at: datetime | None
    passed: int
    next: datetime


def due(cron_job: Json, now: datetime) -> Due:
    """Raises ScheduleError."""
    spec = cron_job["spec"]
    since = moment(
        status(cron_job).get("lastScheduleTime") or cron_job["metadata"]["creationTimestamp"]
    )
    if (deadline_s := spec.get("startingDeadlineSeconds")) is not None:
        since = max(since, now - timedelta(seconds=deadline_s))
    latest, passed = None, 0
    for at in times(spec, since):
        if at > now:
            return Due(latest, max(0, passed - 1), at)
        latest, passed = at, passed + 1
    raise ScheduleError("UnparseableSchedule", f'"{spec["schedule"]}" never comes')


def ended(job: Json) -> str | None:
    """Complete, Failed, or None while it goes on."""
    return next((kind for kind in ("Complete", "Failed") if is_true(job, kind)), None)


def outlived(cron_job: Json, jobs: Sequence[Json]) -> list[Json]:
    """Ended Jobs beyond the limits of history, oldest first."""
    found = []
    for kind, field, default in (
        ("Complete", "successfulJobsHistoryLimit", 3),
        ("Failed", "failedJobsHistoryLimit", 1),
    ):
        limit = cron_job["spec"].get(field)
        kept = [job for job in jobs if ended(job) == kind]
        kept.sort(key=lambda j: (status(j).get("startTime") or "", name(j)))
        found += kept[: max(0, len(kept) - (default if limit is None else limit))]
    return found


def job_for(cron_job: Json, at: datetime) -> Json:
    """The Job of a scheduled time."""
    template = cron_job["spec"]["jobTemplate"]
    given = template.get("metadata") or {}
    zone = cron_job["spec"].get("timeZone")
    local = at.astimezone(ZoneInfo(zone)) if zone else at
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"{name(cron_job)}-{int(at.timestamp()) // 60}",
            "namespace": namespace(cron_job),
            "labels": given.get("labels") or {},
            "annotations": {
                **(given.get("annotations") or {}),
                _SCHEDULED_AT: local.isoformat().replace("+00:00", "Z"),
            },
            "ownerReferences": [owner_reference(cron_job, CRON_JOBS)],
        },
        "spec": template["spec"],
    }


def _reference(job: Json) -> Json:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": name(job),
        "namespace": namespace(job),
        "uid": uid(job),
        "resourceVersion": job["metadata"]["resourceVersion"],
    }


class CronJobs(Controller):
    name = "cronjob-controller"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._cron_jobs = self.watch(CRON_JOBS)
        self._jobs = self.watch_owned(JOBS, CRON_JOBS)

    def reconcile(self, key: Key) -> float | None:
        cron_job = self._cron_jobs.get(key[1], key[0])
        if cron_job is None or deleting(cron_job):
            return None
        now = self.cluster.now()
        jobs = [job for job in self._jobs.list(key[0]) if controlled_by(job, cron_job)]
        active, fields = self._look_after(cron_job, jobs)
        wait = None
        if not cron_job["spec"].get("suspend"):
            try:
                found = due(cron_job, now)
            except ScheduleError as error:
                self._tell(cron_job, error.reason, str(error), warning=True)
            else:
                wait = (found.next - now).total_seconds() + _LATE_S
                if found.at is not None and self._is_in_time(cron_job, found, now):
                    active = self._start(cron_job, found.at, jobs, active, fields)
        fields["active"] = [_reference(job) for job in active] or None
        if (status(cron_job).get("active") or None) == fields["active"]:
            del fields["active"]
        self.cluster.patch_status(CRON_JOBS, cron_job, fields)
        return wait

    def _look_after(self, cron_job: Json, jobs: Sequence[Json]) -> tuple[list[Json], Json]:
        """The Jobs that go on, and what the status is to say of those that ended since."""
        fields: Json = {}
        known = {ref["uid"] for ref in status(cron_job).get("active") or []}
        for job in jobs:
            kind = ended(job)
            if kind is None:
                continue
            if uid(job) in known:
                text = f"Saw completed job: {name(job)}, condition: {kind}"
                self._tell(cron_job, "SawCompletedJob", text)
            done = status(job).get("completionTime")
            last = fields.get("lastSuccessfulTime", status(cron_job).get("lastSuccessfulTime"))
            if kind == "Complete" and done and (last is None or moment(done) > moment(last)):
                fields["lastSuccessfulTime"] = done
        for job in outlived(cron_job, jobs):
            self._remove(cron_job, job)
        return [job for job in jobs if ended(job) is None and not deleting(job)], fields

    def _is_in_time(self, cron_job: Json, found: Due, now: datetime) -> bool:
        if found.passed > MANY_MISSED:
            text = (
                f"too many missed start times: {found.passed}. Set or decrease"
                " .spec.startingDeadlineSeconds or check clock skew"
            )
            self._tell(cron_job, "TooManyMissedTimes", text, warning=True)
        deadline_s = cron_job["spec"].get("startingDeadlineSeconds")
        assert found.at is not None
        if deadline_s is not None and found.at + timedelta(seconds=deadline_s) < now:
            text = f"Missed scheduled time to start a job: {format_datetime(found.at)}"
            self._tell(cron_job, "MissSchedule", text, warning=True)
            return False
        return True

    def _start(
        self,
        cron_job: Json,
        at: datetime,
        jobs: Sequence[Json],
        active: list[Json],
        fields: Json,
    ) -> list[Json]:
        """Create the Job of that time as the concurrency policy allows; the Jobs that go on."""
        body = job_for(cron_job, at)
        if name(body) in map(name, jobs):
            fields["lastScheduleTime"] = timestamp(at)
            return active
        policy = cron_job["spec"].get("concurrencyPolicy", "Allow")
        if policy == "Forbid" and active:
            text = "Not starting job because prior execution is running and concurrency policy is"
            self._tell(cron_job, "JobAlreadyActive", f"{text} Forbid")
            return active
        if policy == "Replace":
            for job in active:
                self._remove(cron_job, job)
            active = []
        try:
            job = self.cluster.create(JOBS, body, namespace(cron_job))
        except ConflictError:  # made by us before a restart
            return active
        self._tell(cron_job, "SuccessfulCreate", f"Created job {name(job)}")
        fields["lastScheduleTime"] = timestamp(at)
        return [*active, job]

    def _remove(self, cron_job: Json, job: Json) -> None:
        if not deleting(job):
            self.cluster.delete(JOBS, job)
            self._tell(cron_job, "SuccessfulDelete", f"Deleted job {name(job)}")

    def _tell(self, cron_job: Json, why: str, text: str, *, warning: bool = False) -> None:
        events = self.cluster.events
        tell = events.warning if warning else events.normal
        tell(self.name, CRON_JOBS, cron_job, why, text)
