"""Synthetic run directories: what a game day would have recorded, with known truth.

`python -m tests.slo.builders OUTDIR` writes some of them, each with its verdict.json.
"""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Literal

from service.gameday import FOLDER, RUNBOOK
from slo.evidence import journal
from slo.evidence.journal import Degraded, Entry, Expectation, Threshold
from slo.evidence.metrics import Measurement, Series, write_metrics
from slo.evidence.recording import read_recording
from slo.evidence.samples import Samples
from slo.indicators.slis import Indicators, Place
from slo.model import SCHEMA_VERSION, ErrorKind, Indicator, PhaseKind, Sample, Severity
from slo.observe.phases import Scope
from slo.runbook.reader import read_runbook
from slo.system.folder import read_system
from slo.verdict import verdict_json
from slo.verdict.score import score

START = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
ENDPOINTS = ("POST /score", "POST /search", "POST /attestations", "GET /attestations/{id}/related")
STATUS = {
    ErrorKind.NONE: 200,
    ErrorKind.SERVER_ERROR: 503,
}

HEALTHY: Mapping[str, float] = {
    "response_time_p95": 0.024,
    "error_rate": 0.0,
    "cpu_utilization": 0.31,
    "memory_usage": 0.44,
    "pod_availability": 1.0,
    "faiss_query_time": 0.003,
}

Answer = tuple[float, ErrorKind]  # latency in seconds, and how it failed

SYSTEM = read_system(FOLDER)


def scope(namespace: str, workload: str, *slis: str, step_s: float = 2.0) -> Scope:
    """The reference system's indicators, in a place of a test's own; all of its runbook's if none
    is named.
    """
    promised = read_runbook(RUNBOOK).objectives
    by_name = {o.name: o for o in promised}
    wanted = [replace(by_name["response_time_p95"], name=n) for n in slis if n not in by_name]
    wanted += [by_name[n] for n in slis if n in by_name] if slis else promised
    target = SYSTEM.system.target.model_copy(update={"namespace": namespace, "workload": workload})
    place = Place(
        namespace=namespace,
        workload=workload,
        kind=target.kind,
        pods=target.pods,
        selector='namespace="{namespace}"',
    )
    known = tuple(Indicators.of_system(SYSTEM.system).known(wanted))
    return Scope(place=place, slis=known, scrape_interval=timedelta(seconds=step_s))


def healthy(rng: Random, _offset: float) -> Answer:
    """Around 15 ms, p95 near 25 ms, no failures."""
    return rng.lognormvariate(-4.2, 0.3), ErrorKind.NONE


@dataclass(frozen=True, kw_only=True)
class Act:
    """One experiment. Times in seconds; offsets count from the injection, negative before it.

    `answer(rng, offset)` makes one request's outcome. `server` are Prometheus' values by SLI and
    phase; None is missing with a reason.
    """

    name: str = "kill-one"
    title: str = "Kill one pod of the API"
    answer: Callable[[Random, float], Answer] = healthy
    baseline: float = 20.0
    fault: float = 20.0
    recovery: float = 20.0
    confirmed_after: float = 0.4
    reverted_after: float = 6.0
    story: Literal["confirmed", "unconfirmed", "refused", "unsteady"] = "confirmed"
    undone: Literal["reverted", "not whole", "stuck", "unknown"] = "reverted"
    severity: Severity = Severity.SEV3
    recover_within: float = 15.0
    good_windows: int = 3
    window: float = 2.0
    degraded: tuple[Degraded, ...] | None = None
    alerts: tuple[str, ...] = ()
    steps: tuple[tuple[int, str, str], ...] | None = None  # of a procedure: line, state, reason
    procedure: str = ""  # that the plan asks for
    refusal: int = 404  # the status of a client error
    server: Mapping[tuple[str, PhaseKind], float | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A whole run. `late` are seconds by which each request starts late, at an offset from START.

    `ended_by` "" leaves the end of the journal away. `cut_at` drops what the journal says after
    that offset, as a kill would.
    """

    acts: tuple[Act, ...] = (Act(),)
    rate: float = 100.0
    seed: int = 1
    ended_by: Literal["completed", "aborted", "interrupted", ""] = "completed"
    thresholds: Mapping[str, Threshold] = field(default_factory=dict)
    late: Callable[[Random, float], float] = lambda _rng, _t: 0.0005
    sent_share: float = 1.0
    samples: bool = True
    metrics: bool = True
    runbook: str | None = None
    series: tuple[Series, ...] = ()
    cpu_share: float | None = 0.2
    cut_at: float | None = None


def build(run: Run, run_dir: Path) -> Path:
    """Write the run directory, and return it."""
    run_dir.mkdir(parents=True, exist_ok=True)
    entries, rows, measurements = _play(run)
    if run.cut_at is not None:
        limit = START + timedelta(seconds=run.cut_at)
        entries = [e for e in entries if e.time <= limit]
    text = "".join(e.model_dump_json() + "\n" for e in entries)
    (run_dir / "journal.jsonl").write_text(text, encoding="utf-8")
    book = RUNBOOK.read_text(encoding="utf-8") if run.runbook is None else run.runbook
    (run_dir / "runbook.md").write_text(book, encoding="utf-8")
    (run_dir / "system.yaml").write_bytes(SYSTEM.file.read_bytes())
    if run.samples:
        Samples.from_rows(rows).write_parquet(run_dir / "samples.parquet")
    if run.metrics:
        write_metrics(
            run_dir / "metrics.parquet", measurements, [*run.series, _series(measurements)]
        )
    event = {
        "time": START.isoformat(),
        "type": "Normal",
        "reason": "Killing",
        "kind": "Pod",
        "name": "bizra-api-5d8f-x2kqp",
        "message": "Stopping container bizra-api",
        "count": 1,
    }
    (run_dir / "events.jsonl").write_text(json.dumps(event) + "\n", encoding="utf-8")
    return run_dir


def _play(run: Run) -> tuple[list[Entry], list[Sample], list[Measurement]]:
    rng = Random(run.seed)
    entries: list[Entry] = [_started(run), journal.LoadStarted(time=_at(0), url="http://127.0.0.1")]
    rows: list[Sample] = []
    measurements: list[Measurement] = []
    now = 1.0
    for act in run.acts:
        length = act.baseline + act.fault + act.recovery
        entries += _journal(act, now)
        rows += _requests(run, act, rng, now)
        measurements += _measurements(act, now)
        now += length + 1
    scheduled = round(len(rows) / run.sent_share)
    entries.append(
        journal.LoadEnded(
            time=_at(now), scheduled=scheduled, sent=len(rows), reason="", cpu_share=run.cpu_share
        )
    )
    if run.ended_by:
        entries.append(
            journal.RunEnded(
                time=_at(now),
                ended_by=run.ended_by,
                reason="" if run.ended_by == "completed" else "Ctrl-C",
            )
        )
    return entries, rows, measurements


def _at(offset: float) -> datetime:
    return START + timedelta(seconds=offset)


def _started(run: Run) -> journal.RunStarted:
    return journal.RunStarted(
        time=START,
        schema_version=SCHEMA_VERSION,
        gameday_version="0.1.0",
        run="20260314T092653Z-smoke",
        plan="smoke",
        namespace="bizra-system",
        workload="bizra-api",
        url="http://127.0.0.1:8000",
        scenario="smoke",
        seed=run.seed,
        time_scale=1.0,
        scrape_interval_s=2.0,
        thresholds=dict(run.thresholds),
    )


def _procedure(act: Act, begin: float) -> list[Entry]:
    """As a runner that carries one out at the beginning of the recovery phase."""
    if act.steps is None:
        return []
    told = {"experiment": act.name, "procedure": "rollback-procedure"}
    return [
        journal.ProcedureStarted(time=_at(begin + 0.1), **told),
        *(
            journal.StepEnded(
                time=_at(begin + 0.2),
                line=line,
                state=state,
                exit_code=0 if state == "done" else 1,
                seconds=0.1,
                reason=reason,
                output="",
                **told,
            )
            for line, state, reason in act.steps
        ),
        journal.ProcedureEnded(time=_at(begin + 0.3), **told),
    ]


def _journal(act: Act, begin: float) -> list[Entry]:
    name = act.name
    fault, recovery = begin + act.baseline, begin + act.baseline + act.fault
    end = recovery + act.recovery
    found: list[Entry] = [
        journal.ExperimentStarted(
            time=_at(begin),
            experiment=name,
            title=act.title,
            fault="pod-kill (delete, no grace): 1 of app=bizra-api",
            procedure=act.procedure,
            expectation=Expectation(
                severity=act.severity,
                recover_within_s=act.recover_within,
                good_windows=act.good_windows,
                window_s=act.window,
                degraded=act.degraded,
                alerts=act.alerts,
            ),
        ),
        *_phase(name, PhaseKind.BASELINE, begin, fault),
    ]
    if act.story == "unsteady":
        found.append(
            journal.SteadyStateFailed(
                time=_at(fault), experiment=name, reason="1 of 3 pods is not ready"
            )
        )
    else:
        found += _phase(name, PhaseKind.FAULT, fault, recovery)
        found += _fault(act, fault)
        found += _phase(name, PhaseKind.RECOVERY, recovery, end)
        found += _procedure(act, recovery)
    found.append(journal.ExperimentEnded(time=_at(end), experiment=name))
    return sorted(found, key=lambda e: e.time)


def _phase(name: str, kind: PhaseKind, start: float, end: float) -> list[Entry]:
    return [
        journal.PhaseStarted(time=_at(start), experiment=name, phase=kind),
        journal.PhaseEnded(time=_at(end), experiment=name, phase=kind),
    ]


def _fault(act: Act, at: float) -> list[Entry]:
    name = act.name
    found: list[Entry] = [
        journal.FaultIntended(time=_at(at), experiment=name, kind="pod-kill", targets=())
    ]
    if act.story == "refused":
        text = "403 pods is forbidden"
        return [*found, journal.FaultRefused(time=_at(at), experiment=name, reason=text)]
    found.append(journal.FaultInjected(time=_at(at), experiment=name))
    if act.story == "confirmed":
        text = "bizra-api-5d8f-x2kqp: UID 0a1b2c3d is gone, and so is its endpoint"
        found.append(
            journal.FaultConfirmed(
                time=_at(at + act.confirmed_after), experiment=name, evidence=text
            )
        )
    else:
        text = "no effect was seen within 20 s"
        found.append(
            journal.FaultUnconfirmed(time=_at(at + act.fault), experiment=name, reason=text)
        )
    after = _at(at + act.reverted_after)
    if act.undone == "reverted":
        text = "bizra-api: 3 of 3 pods ready"
        found.append(journal.FaultReverted(time=after, experiment=name, evidence=text))
    elif act.undone == "not whole":
        text = "all was put back, but Deployment/bizra-api was not seen to be whole again"
        found.append(journal.FaultNotWhole(time=after, experiment=name, reason=text))
    elif act.undone == "stuck":
        text = "bizra-api still has 2 of 3 pods ready"
        found.append(journal.FaultStuck(time=after, experiment=name, reason=text))
    return found


def _requests(run: Run, act: Act, rng: Random, begin: float) -> list[Sample]:
    """Evenly spaced, so that windows hold what one expects of them."""
    length = act.baseline + act.fault + act.recovery
    injected = begin + act.baseline
    rows = []
    for i in range(int(length * run.rate)):
        offset = begin + i / run.rate
        latency, error = act.answer(rng, offset - injected)
        due = START.timestamp() + offset
        rows.append(
            Sample(
                intended_start=due,
                start=due + run.late(rng, offset),
                latency=latency,
                endpoint=ENDPOINTS[i % len(ENDPOINTS)],
                status=(STATUS | {ErrorKind.CLIENT_ERROR: act.refusal}).get(error, 0),
                error=error,
            )
        )
    return rows


def _measurements(act: Act, begin: float) -> list[Measurement]:
    if act.story == "unsteady":
        return []
    ends = {
        PhaseKind.BASELINE: begin + act.baseline,
        PhaseKind.FAULT: begin + act.baseline + act.fault,
        PhaseKind.RECOVERY: begin + act.baseline + act.fault + act.recovery,
    }
    found = []
    for phase, end in ends.items():
        for sli, usual in HEALTHY.items():
            value = act.server.get((sli, phase), usual)
            gone = "Prometheus gave no answer: cannot reach http://127.0.0.1:9090"
            found.append(
                Measurement(
                    sli=sli,
                    experiment=act.name,
                    phase=phase,
                    time=_at(end),
                    indicator=Indicator(
                        value=value,
                        count=0 if value is None else 1200,
                        missing=gone if value is None else "",
                    ),
                    coverage=0.0 if value is None else 1.0,
                    expr="synthetic",
                )
            )
    return found


def _series(measurements: list[Measurement]) -> Series:
    points = [
        (m.time.timestamp(), m.indicator.value)
        for m in measurements
        if m.sli == "cpu_utilization" and m.indicator.value is not None
    ]
    return Series(
        name="cpu_utilization",
        labels={},
        times=tuple(t for t, _ in points),
        values=tuple(v for _, v in points),
    )


def outage(
    start: float, end: float, *, share: float = 1.0, latency: float = 0.004
) -> Callable[[Random, float], Answer]:
    """Healthy, but in start <= offset < end that share of the requests fails with 503."""

    def answer(rng: Random, offset: float) -> Answer:
        good = healthy(rng, offset)
        down = start <= offset < end and rng.random() < share
        return (latency, ErrorKind.SERVER_ERROR) if down else good

    return answer


def slow(start: float, end: float, latency: float) -> Callable[[Random, float], Answer]:
    """Healthy, but in start <= offset < end every answer takes `latency` seconds longer."""

    def answer(rng: Random, offset: float) -> Answer:
        usual, error = healthy(rng, offset)
        return (usual + latency if start <= offset < end else usual), error

    return answer


EXAMPLES: Mapping[str, Run] = {
    "pass": Run(acts=(Act(answer=outage(0, 1, share=0.05)), Act(name="again"))),
    "warn": Run(acts=(Act(answer=slow(-99, 99, 0.2)),)),
    "fail": Run(acts=(Act(answer=outage(0, 99)),)),
    "inconclusive": Run(
        acts=(Act(server={("cpu_utilization", PhaseKind.RECOVERY): None}),),
    ),
    "stuck": Run(acts=(Act(undone="stuck"),)),
    "killed": Run(ended_by="", cut_at=30),
}


if __name__ == "__main__":
    for example, run in EXAMPLES.items():
        where = build(run, Path(sys.argv[1]) / example)
        verdict = score(read_recording(where))
        (where / "verdict.json").write_text(verdict_json.dump(verdict), encoding="utf-8")
        print(f"{where}: {verdict.outcome.value}, {verdict.score}: {verdict.headline}")
