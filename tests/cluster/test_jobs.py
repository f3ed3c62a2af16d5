"""Jobs and CronJobs: the pure plans by tables of cases, then both against the API server."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cluster.controllers import cronjob, job
from service.cluster.controllers.objects import CRON_JOBS, JOBS
from service.cluster.kube import PODS
from tests.cluster.ground import Ground, eventually
from tests.cluster.objects import NOW, at, condition, meta, pod, template

Json = dict[str, Any]


def a_job(**spec: Any) -> Json:
    body = {"completions": 1, "template": template(), **spec}
    return {"metadata": meta("once"), "spec": body, "status": {"startTime": at(-60)}}


def attempt(phase: str, index: int | None = None, *, name: str = "p", age_s: float = 600) -> Json:
    notes = {} if index is None else {job.INDEX: str(index)}
    return pod(name, phase=phase, age_s=age_s, annotations=notes)


@pytest.mark.parametrize(
    ("why", "spec", "pods", "create", "ended"),
    [
        ("the first", {}, [], 1, None),
        ("one runs", {}, [attempt("Running")], 0, None),
        ("done", {}, [attempt("Succeeded")], 0, "CompletionsReached"),
        ("again after a failure", {}, [attempt("Failed")], 1, None),
        ("not at once", {}, [attempt("Failed", age_s=5)], 0, None),
        ("and later each time", {}, [attempt("Failed"), attempt("Failed", age_s=15)], 0, None),
        ("no second try", {"backoffLimit": 0}, [attempt("Failed")], 0, "BackoffLimitExceeded"),
        ("two at a time", {"completions": 5, "parallelism": 2},
         [attempt("Succeeded"), attempt("Running")], 1, None),
        ("no more than are left", {"completions": 5, "parallelism": 2},
         [attempt("Succeeded")] * 4, 1, None),
        ("suspended", {"suspend": True}, [], 0, None),
        ("too long", {"activeDeadlineSeconds": 60}, [attempt("Running")], 0, "DeadlineExceeded"),
        ("not yet too long", {"activeDeadlineSeconds": 61}, [attempt("Running")], 0, None),
        ("a work queue", {"completions": None, "parallelism": 3}, [], 3, None),
        ("the queue is empty", {"completions": None, "parallelism": 3},
         [attempt("Succeeded"), attempt("Running")], 0, None),
        ("and all have seen it", {"completions": None, "parallelism": 3}, [attempt("Succeeded")],
         0, "CompletionsReached"),
    ],
)  # fmt: skip
def test_the_next_step_of_a_job(
    why: str, spec: Json, pods: list[Json], create: int, ended: str | None
) -> None:
    step = job.plan(a_job(**spec), pods, NOW)
    assert len(step.create) == create, why
    assert (step.ended[1] if step.ended else None) == ended, why


def test_a_job_says_when_to_look_again() -> None:
    assert job.plan(a_job(), [attempt("Failed", age_s=4)], NOW).again_s == 6
    limited = a_job(activeDeadlineSeconds=90)
    assert job.plan(limited, [attempt("Running")], NOW).again_s == 30
    assert job.plan(a_job(), [attempt("Running")], NOW).again_s is None


def test_restarts_in_place_are_attempts_too() -> None:
    own = template()
    own["spec"]["restartPolicy"] = "OnFailure"
    running = attempt("Running")
    running["status"]["containerStatuses"] = [{"restartCount": 2}]
    assert job.plan(a_job(template=own, backoffLimit=3), [running], NOW).ended is None
    step = job.plan(a_job(template=own, backoffLimit=2), [running], NOW)
    assert step.ended is not None
    assert step.ended[1] == "BackoffLimitExceeded"


def test_an_indexed_job_fills_its_gaps() -> None:
    spec = {"completionMode": "Indexed", "completions": 5, "parallelism": 3}
    pods = [attempt("Succeeded", 0), attempt("Running", 2), attempt("Failed", 1)]
    made = a_job(**spec)
    assert job.plan(made, pods, NOW).create == (1, 3)
    assert job.new_status(made, pods, job.Plan(), NOW)["completedIndexes"] == "0"
    body = job.pod_body(made, 3)
    assert body["metadata"]["annotations"][job.INDEX] == "3"
    assert body["spec"]["hostname"] == "once-3"
    assert body["spec"]["containers"][0]["env"][-1]["name"] == "JOB_COMPLETION_INDEX"


@given(st.sets(st.integers(0, 40)))
def test_ranges_say_the_same_indexes(indexes: set[int]) -> None:
    found = set()
    for part in filter(None, job.ranges(indexes).split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    assert found == indexes


# --- CronJob ------------------------------------------------------------------------------------


def a_cron_job(schedule: str = "*/5 * * * *", last_s: float = -600, **spec: Any) -> Json:
    """Last served so many seconds from NOW, a Sunday noon."""
    body = {"schedule": schedule, "jobTemplate": {"spec": {"template": template()}}, **spec}
    return {"metadata": meta("tick"), "spec": body, "status": {"lastScheduleTime": at(last_s)}}


def moment(hour: int, minute: int = 0, day: int = 26) -> datetime:
    return datetime(2025, 1, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("why", "made", "latest", "passed", "following"),
    [
        ("one came", a_cron_job(last_s=-300), moment(12), 0, moment(12, 5)),
        ("none came", a_cron_job(last_s=0), None, 0, moment(12, 5)),
        ("the latest of several", a_cron_job(last_s=-900), moment(12), 2, moment(12, 5)),
        ("no more than the deadline back", a_cron_job(last_s=-900, startingDeadlineSeconds=200),
         moment(12), 0, moment(12, 5)),
        ("a macro", a_cron_job("@hourly"), moment(12), 0, moment(13)),
        ("a daily one", a_cron_job("30 2 * * *"), None, 0, moment(2, 30, 27)),
        ("in its own zone", a_cron_job("0 14 * * *", timeZone="Europe/Berlin"), None, 0,
         moment(13)),
        ("by name of the day", a_cron_job("0 9 * * mon"), None, 0, moment(9, 0, 27)),
        ("with a question mark", a_cron_job("0 13 ? * *"), None, 0, moment(13)),
        ("every so often", a_cron_job("@every 90m", last_s=-60), None, 0, moment(13, 29)),
    ],
)  # fmt: skip
def test_when_a_job_is_due(
    why: str, made: Json, latest: Any, passed: int, following: datetime
) -> None:
    assert cronjob.due(made, NOW) == cronjob.Due(latest, passed, following), why


@pytest.mark.parametrize(
    ("spec", "reason", "text"),
    [
        ({"schedule": "* * *"}, "UnparseableSchedule", 'unparseable schedule: "\\* \\* \\*"'),
        ({"schedule": "99 * * * *"}, "UnparseableSchedule", "unparseable schedule"),
        ({"schedule": "0 0 30 2 *"}, "UnparseableSchedule", "."),
        ({"timeZone": "Mars/Olympus"}, "UnknownTimeZone", "unknown time zone Mars/Olympus"),
    ],
)
def test_a_schedule_that_cannot_be_read_says_so(spec: Json, reason: str, text: str) -> None:
    with pytest.raises(cronjob.ScheduleError, match=text) as caught:
        cronjob.due(a_cron_job(**spec), NOW)
    assert caught.value.reason == reason


def test_an_hour_that_is_skipped_or_comes_twice_is_served_once() -> None:
    """Berlin turned its clocks forward on 30 March 2025, and back on 26 October."""
    spec = {"schedule": "30 2 * * *", "timeZone": "Europe/Berlin"}
    for after in (datetime(2025, 3, 28, 12, tzinfo=UTC), datetime(2025, 10, 24, 12, tzinfo=UTC)):
        found = [at for at, _ in zip(cronjob.times(spec, after), range(4), strict=False)]
        for earlier, later in pairwise(found):
            assert timedelta(hours=22) <= later - earlier <= timedelta(hours=26)


def test_the_job_of_a_time_is_named_after_it() -> None:
    made = cronjob.job_for(a_cron_job(timeZone="Europe/Berlin"), moment(12))
    assert made["metadata"]["name"] == f"tick-{int(moment(12).timestamp()) // 60}"
    note = made["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"]
    assert note == "2025-01-26T13:00:00+01:00"


def test_history_keeps_the_youngest() -> None:
    jobs = []
    for number in range(6):
        one = a_job()
        one["metadata"]["name"] = f"j{number}"
        kind = "Failed" if number % 2 else "Complete"
        one["status"] = {"startTime": at(number), "conditions": [condition(kind, value=True)]}
        jobs.append(one)
    found = cronjob.outlived(a_cron_job(successfulJobsHistoryLimit=2), jobs)
    assert [j["metadata"]["name"] for j in found] == ["j0", "j1", "j3"]


# --- against the API server ---------------------------------------------------------------------


def once(**container: Any) -> Json:
    """A template of pods that may end."""
    made = template(**container)
    made["spec"]["restartPolicy"] = "Never"
    return made


@pytest.mark.slow
def test_an_indexed_job_runs_to_its_end_and_goes(ground: Ground) -> None:
    spec = {"completions": 3, "parallelism": 2, "completionMode": "Indexed"}
    ground.create(JOBS, "once", {**spec, "template": once(image="ends")})
    waited = ground.kubectl("wait", "job/once", "--for=condition=Complete", "--timeout=20s")
    assert waited.returncode == 0, waited.stderr
    assert ground.get(JOBS, "once")["status"]["completedIndexes"] == "0-2"
    shown = ground.kubectl("describe", "job", "once").stdout
    assert "Completed Indexes:  0-2" in shown, shown
    assert "Job completed" in shown
    ground.patch(JOBS, "once", {"spec": {"ttlSecondsAfterFinished": 0}})
    eventually(lambda: not ground.all(JOBS) and not ground.all(PODS))


@pytest.mark.slow
def test_a_suspended_job_waits(ground: Ground) -> None:
    ground.create(JOBS, "later", {"suspend": True, "template": once()})
    eventually(lambda: "Suspended" in ground.kubectl("describe", "job", "later").stdout)
    assert not ground.all(PODS)
    ground.patch(JOBS, "later", {"spec": {"suspend": False}})
    eventually(lambda: len(ground.all(PODS)) == 1)
    ground.patch(JOBS, "later", {"spec": {"suspend": True}})
    eventually(lambda: not ground.all(PODS))
    assert "startTime" not in ground.get(JOBS, "later")["status"]


@pytest.mark.slow
def test_a_cron_job_starts_jobs_by_its_schedule_and_policy(ground: Ground) -> None:
    endless = {"spec": {"template": once()}}
    spec = {"schedule": "@every 1s", "concurrencyPolicy": "Forbid", "suspend": True}
    ground.create(CRON_JOBS, "tick", {**spec, "jobTemplate": endless})
    made = ground.kubectl("create", "job", "by-hand", "--from=cronjob/tick")
    assert made.returncode == 0, made.stderr

    def described() -> str:
        return ground.kubectl("describe", "cj", "tick").stdout

    eventually(lambda: "Active Jobs:         by-hand" in described())
    ground.patch(CRON_JOBS, "tick", {"spec": {"suspend": False}})
    eventually(lambda: "JobAlreadyActive" in described())
    assert [j["metadata"]["name"] for j in ground.all(JOBS)] == ["by-hand"]
    ground.patch(CRON_JOBS, "tick", {"spec": {"concurrencyPolicy": "Replace"}})

    def named_by_time() -> list[str]:
        names = [j["metadata"]["name"] for j in ground.all(JOBS)]
        return names if all(n.startswith("tick-") for n in names) else []

    (first, *_) = eventually(named_by_time)
    shown = eventually(lambda: f"Created job {first}" in (text := described()) and text)
    assert "Deleted job by-hand" in shown
    ground.patch(CRON_JOBS, "tick", {"spec": {"schedule": "never"}})
    eventually(lambda: "UnparseableSchedule" in described())
    ground.kubectl("delete", "cj", "tick")
    eventually(lambda: not ground.all(JOBS) and not ground.all(PODS))
