"""Synthetic run directories with known truth, for truth.py: each scene is a service with a story.

A run has one experiment with 20 s each of baseline, fault and recovery, and everything that a real
run leaves behind. What is random is drawn from the generator handed in, so a seed gives the same
directories again.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.gameday import RUNBOOK
from slo.evidence import journal
from slo.evidence.categories import Categories
from slo.evidence.metrics import CLOCK, RULES, Measurement, Series, write_metrics
from slo.evidence.samples import Samples
from slo.model import SCHEMA_VERSION, ErrorKind, Indicator, PhaseKind, Severity

Rng = np.random.Generator
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

START = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
PHASE_S = 20.0
FAULT, RECOVERY, END = PHASE_S, 2 * PHASE_S, 3 * PHASE_S
ENDPOINTS = ("POST /score", "POST /search", "POST /attestations", "GET /attestations/{id}/related")
SHARES = (0.45, 0.3, 0.1, 0.15)
EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, float("inf"))
CALM = {"cpu_utilization": 0.31, "memory_usage": 0.44, "pod_availability": 1.0}


class Truth(StrEnum):
    """What the service was, in truth; what may be said of it follows.

    HEALTHY met every target outside of the fault, and the fault did no more than the plan allows.
    TARGET missed one and nothing critical. BREACH passed a critical threshold, or did worse than
    the plan allows. UNKNOWN cannot be known from what was recorded. BORDERLINE lies so close to a
    critical threshold that no promise is made.
    """

    HEALTHY = "healthy"
    TARGET = "target missed"
    BREACH = "critical breach"
    UNKNOWN = "evidence missing"
    BORDERLINE = "borderline"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Columns of the requests, and what else the directory says.

    `t` is when each request was due, in seconds from the start; `latency` counts from its start,
    `late` is the start minus due. `severity` None: no promise about it. `lost` names what is
    missing of the directory.
    """

    truth: Truth
    t: Floats
    endpoint: NDArray[np.intp]
    latency: Floats
    failed: Flags
    late: Floats
    severity: Severity | None = Severity.NONE
    expected: Severity = Severity.SEV3
    recover_within: float = 15.0
    kind: ErrorKind = ErrorKind.SERVER_ERROR
    cpu_share: float = 0.25
    unsent: int = 0
    skew: float = 0.02
    resets: int = 0
    lost: frozenset[str] = field(default=frozenset())


def healthy(rng: Rng, *, least: float = 90, most: float = 200) -> Scene:
    """Median 8 to 20 ms, p95 well below 100 ms, at most 3 of 10,000 failing."""
    rate = rng.uniform(least, most)
    t = np.sort(rng.uniform(0, END, rng.poisson(rate * END)))
    median, sigma = rng.uniform(0.008, 0.02), rng.uniform(0.2, 0.5)
    return Scene(
        truth=Truth.HEALTHY,
        t=t,
        endpoint=rng.choice(len(ENDPOINTS), t.size, p=SHARES),
        latency=rng.lognormal(np.log(median), sigma, t.size),
        failed=rng.random(t.size) < rng.uniform(0, 0.0003),
        late=rng.exponential(0.0008, t.size),
    )


def during(scene: Scene, start: float, end: float) -> Flags:
    return (scene.t >= start) & (scene.t < end)


def fails(scene: Scene, rng: Rng, where: Flags, share: float) -> Scene:
    return replace(scene, failed=scene.failed | (where & (rng.random(scene.t.size) < share)))


def slows(scene: Scene, where: Flags, seconds: float) -> Scene:
    return replace(scene, latency=scene.latency + np.where(where, seconds, 0.0))


def heavy_tail(rng: Rng) -> Scene:
    """Pareto from 5 ms: p95 between 35 and 85 ms, now and then seconds."""
    scene = healthy(rng)
    p95, scale = rng.uniform(0.035, 0.085), 0.005
    shape = np.log(20) / np.log(p95 / scale)
    latency = scale * (1 + rng.pareto(shape, scene.t.size))
    return replace(scene, latency=np.minimum(latency, 9.0))


def two_modes(rng: Rng) -> Scene:
    """A slow mode of 1 to 3.5 %, which leaves p95 alone."""
    scene = healthy(rng)
    slow = rng.random(scene.t.size) < rng.uniform(0.01, 0.035)
    return slows(scene, slow, rng.uniform(0.3, 1.5))


def two_modes_bad(rng: Rng) -> Scene:
    """A slow mode of 8 to 30 % past the critical response time, all along."""
    scene = healthy(rng)
    slow = rng.random(scene.t.size) < rng.uniform(0.08, 0.3)
    found = slows(scene, slow, rng.uniform(0.55, 1.5))
    return replace(found, truth=Truth.BREACH, severity=Severity.SEV2)


def slow(rng: Rng) -> Scene:
    """All along between target and critical."""
    scene = healthy(rng)
    found = slows(scene, during(scene, 0, END), rng.uniform(0.12, 0.35))
    return replace(found, truth=Truth.TARGET, severity=Severity.SEV3)


def too_slow(rng: Rng) -> Scene:
    """All along past critical."""
    scene = healthy(rng)
    found = slows(scene, during(scene, 0, END), rng.uniform(0.55, 2.0))
    return replace(found, truth=Truth.BREACH, severity=Severity.SEV2)


def failing(rng: Rng) -> Scene:
    """Twice the critical error rate or more, from some moment on to the end."""
    scene, share = healthy(rng), float(np.exp(rng.uniform(np.log(0.02), 0)))
    where = during(scene, rng.choice([0.0, FAULT]), END)
    found = fails(scene, rng, where, share)
    sure = share < 0.4 or share > 0.6
    severity = (Severity.SEV1 if share > 0.5 else Severity.SEV2) if sure else None
    return replace(found, truth=Truth.BREACH, severity=severity, expected=Severity.SEV1)


def partly_failing(rng: Rng) -> Scene:
    """One endpoint is away for most of the fault, the others are not; the plan allows no such."""
    scene = healthy(rng)
    which = int(rng.choice([1, 3]))
    where = during(scene, FAULT + 2, FAULT + rng.uniform(12, 19)) & (scene.endpoint == which)
    return replace(fails(scene, rng, where, 1.0), truth=Truth.BREACH, severity=Severity.SEV2)


def outage(rng: Rng) -> Scene:
    """Down for 7 to 15 s of the fault where the plan expects no more than SEV3."""
    scene = healthy(rng)
    where = during(scene, FAULT + 1, FAULT + 1 + rng.uniform(7, 15))
    found = fails(scene, rng, where, rng.uniform(0.75, 1.0))
    return replace(found, truth=Truth.BREACH, severity=Severity.SEV1)


def allowed_outage(rng: Rng) -> Scene:
    """As bad, but the plan expects a SEV1 and gives it time."""
    return replace(outage(rng), truth=Truth.HEALTHY, expected=Severity.SEV1, recover_within=25.0)


def not_recovered(rng: Rng) -> Scene:
    """Down from the fault to the end; the plan expects a SEV1, but also an end to it."""
    scene = healthy(rng)
    found = fails(scene, rng, during(scene, FAULT + rng.uniform(0, 9), END), rng.uniform(0.6, 1))
    return replace(found, truth=Truth.BREACH, severity=Severity.SEV1, expected=Severity.SEV1)


def flapping(rng: Rng) -> Scene:
    """Up and down by turns of 1 to 3 s through the fault."""
    scene = healthy(rng)
    turn = rng.uniform(1.0, 3.0)
    down = ((scene.t - FAULT) // turn).astype(int) % 2 == 0
    found = fails(scene, rng, during(scene, FAULT, RECOVERY - 1) & down, 1.0)
    return replace(found, truth=Truth.BREACH, severity=Severity.SEV1)


def blip(rng: Rng) -> Scene:
    """A fraction of a second in which some fail: too short and too small for an incident."""
    scene = healthy(rng, least=150, most=250)
    at = FAULT + rng.uniform(0, 10)
    return fails(scene, rng, during(scene, at, at + 0.1), 0.1)


def few(rng: Rng) -> Scene:
    """1 to 5 requests a second: well, but nobody can know."""
    return replace(healthy(rng, least=1, most=5), truth=Truth.UNKNOWN)


def few_and_failing(rng: Rng) -> Scene:
    """As few, and a fifth or more fail."""
    scene = healthy(rng, least=1, most=5)
    found = fails(scene, rng, during(scene, 0, END), rng.uniform(0.2, 1))
    return replace(found, truth=Truth.BREACH, severity=None)


def gap(rng: Rng) -> Scene:
    """Something of the evidence is not there."""
    lost = str(
        rng.choice(
            ["samples", "metrics", "server", "half of the server", "end", "effect", "unsent"]
        )
    )
    scene = replace(healthy(rng), truth=Truth.UNKNOWN, severity=None, lost=frozenset({lost}))
    if lost != "unsent":
        return scene
    hole = during(scene, at := rng.uniform(0, 40), at + rng.uniform(8, 20))
    kept = ~hole
    columns = {n: getattr(scene, n)[kept] for n in ("t", "endpoint", "latency", "failed", "late")}
    return replace(scene, **columns, unsent=int(hole.sum()))


def skewed(rng: Rng) -> Scene:
    """Prometheus' clock is off by 3 s to 5 min: its windows are other ones."""
    skew = rng.uniform(3, 300) * rng.choice([-1, 1])
    return replace(healthy(rng), truth=Truth.UNKNOWN, severity=None, skew=float(skew))


def saturated(rng: Rng) -> Scene:
    """The generator ran out of CPU; what looks slow is its own queue."""
    scene = healthy(rng)
    queue = rng.uniform(0.3, 1.5)
    return replace(
        scene,
        truth=Truth.UNKNOWN,
        severity=None,
        latency=scene.latency + rng.exponential(queue, scene.t.size),
        late=scene.late + rng.exponential(queue, scene.t.size),
        cpu_share=float(rng.uniform(0.93, 1.0)),
    )


def resets(rng: Rng) -> Scene:
    """Containers restart: the server's counters begin anew, and lose a little."""
    return replace(healthy(rng), resets=int(rng.integers(1, 9)))


def borderline(rng: Rng) -> Scene:
    """An error rate within a fifth of the critical one, all along."""
    scene = healthy(rng)
    found = fails(scene, rng, during(scene, 0, END), 0.01 * rng.uniform(0.8, 1.2))
    return replace(found, truth=Truth.BORDERLINE, severity=None, expected=Severity.SEV1)


SCENES: dict[str, Callable[[Rng], Scene]] = {
    "healthy": healthy,
    "heavy tail": heavy_tail,
    "two modes": two_modes,
    "blip": blip,
    "counter resets": resets,
    "allowed outage": allowed_outage,
    "slow": slow,
    "too slow": too_slow,
    "two modes, bad": two_modes_bad,
    "failing": failing,
    "partly failing": partly_failing,
    "outage": outage,
    "flapping": flapping,
    "not recovered": not_recovered,
    "few, failing": few_and_failing,
    "few samples": few,
    "gaps": gap,
    "clock skew": skewed,
    "saturated generator": saturated,
    "borderline": borderline,
}


def write(scene: Scene, run_dir: Path) -> Path:
    """The run directory."""
    run_dir.mkdir(parents=True)
    text = "".join(e.model_dump_json() + "\n" for e in _journal(scene))
    (run_dir / "journal.jsonl").write_text(text, encoding="utf-8")
    (run_dir / "runbook.md").write_bytes(RUNBOOK.read_bytes())
    if "samples" not in scene.lost:
        _samples(scene).write_parquet(run_dir / "samples.parquet")
    if "metrics" not in scene.lost:
        write_metrics(run_dir / "metrics.parquet", _measurements(scene), _series(scene))
    (run_dir / "events.jsonl").write_text("", encoding="utf-8")
    (run_dir / "truth.json").write_text(json.dumps(scene.truth) + "\n", encoding="utf-8")
    return run_dir


def _samples(scene: Scene) -> Samples:
    due = START.timestamp() + scene.t
    return Samples(
        intended_start=due,
        start=due + scene.late,
        latency=scene.latency,
        endpoint=Categories.of(ENDPOINTS[i] for i in scene.endpoint),
        status=np.where(scene.failed, 503, 200).astype(np.int16),
        error=Categories.of(
            np.where(scene.failed, scene.kind.value, ErrorKind.NONE.value).tolist()
        ),
    )


def _at(offset: float) -> datetime:
    return START + timedelta(seconds=offset)


def _journal(scene: Scene) -> list[journal.Entry]:
    name = "e"
    found: list[journal.Entry] = [
        journal.RunStarted(
            time=_at(0),
            schema_version=SCHEMA_VERSION,
            gameday_version="0.1.0",
            run="truth",
            plan="truth",
            namespace="n",
            workload="w",
            url="http://127.0.0.1",
            scenario="truth",
            seed=0,
            time_scale=1.0,
            scrape_interval_s=2.0,
            thresholds={},
        ),
        journal.ExperimentStarted(
            time=_at(0),
            experiment=name,
            title="Synthetic",
            fault="synthetic",
            expectation=journal.Expectation(
                severity=scene.expected,
                recover_within_s=scene.recover_within,
                good_windows=3,
                window_s=2.0,
            ),
        ),
    ]
    edges = {
        PhaseKind.BASELINE: (0.0, FAULT),
        PhaseKind.FAULT: (FAULT, RECOVERY),
        PhaseKind.RECOVERY: (RECOVERY, END),
    }
    for phase, (start, end) in edges.items():
        found.append(journal.PhaseStarted(time=_at(start), experiment=name, phase=phase))
        if phase is PhaseKind.FAULT:
            found += _fault(scene, name)
        found.append(journal.PhaseEnded(time=_at(end), experiment=name, phase=phase))
    sent = int(scene.t.size)
    found += [
        journal.ExperimentEnded(time=_at(END), experiment=name),
        journal.LoadEnded(
            time=_at(END),
            scheduled=sent + scene.unsent,
            sent=sent,
            reason="",
            cpu_share=scene.cpu_share,
        ),
    ]
    if "end" not in scene.lost:
        found.append(journal.RunEnded(time=_at(END), ended_by="completed"))
    return found


def _fault(scene: Scene, name: str) -> list[journal.Entry]:
    done: journal.Entry = journal.FaultConfirmed(
        time=_at(FAULT + 0.4), experiment=name, evidence="its UID is gone"
    )
    if "effect" in scene.lost:
        done = journal.FaultUnconfirmed(
            time=_at(FAULT + 19), experiment=name, reason="no effect was seen"
        )
    return [
        journal.FaultIntended(time=_at(FAULT), experiment=name, kind="synthetic", targets=()),
        journal.FaultInjected(time=_at(FAULT), experiment=name),
        done,
        journal.FaultReverted(time=_at(FAULT + 19), experiment=name, evidence="all pods ready"),
    ]


def _measurements(scene: Scene) -> list[Measurement]:
    found = []
    for i, phase in enumerate(PhaseKind):
        inside = during(scene, i * PHASE_S, (i + 1) * PHASE_S)
        missing = "server" in scene.lost or ("half of the server" in scene.lost and i == 2)
        for sli in ("response_time_p95", "error_rate", *CALM, "faiss_query_time"):
            value, count, edges = _measured(scene, sli, inside)
            gone = missing or value is None
            reason = "scrape gap: Prometheus has 31% of the scrapes" if missing else "no traffic"
            found.append(
                Measurement(
                    sli=sli,
                    experiment="e",
                    phase=phase,
                    time=_at((i + 1) * PHASE_S),
                    indicator=Indicator(
                        value=None if gone else value,
                        count=0 if gone else count,
                        missing=reason if gone else "",
                    ),
                    coverage=0.31 if missing else 1.0,
                    expr="synthetic",
                    buckets=() if gone else edges,
                    resets=0 if gone else scene.resets,
                )
            )
    return found


def _measured(
    scene: Scene, sli: str, inside: Flags
) -> tuple[float | None, int, tuple[tuple[float, float], ...]]:
    """As the server would have counted it: without what it lost when its counters began anew."""
    kept = inside & (np.arange(inside.size) % 50 >= scene.resets)
    count = int(kept.sum())
    if sli in CALM:
        return CALM[sli], 10, ()
    if count == 0:
        return None, 0, ()
    if sli == "error_rate":
        return float(scene.failed[kept].mean()), count, ()
    times = scene.latency[kept] if sli == "response_time_p95" else scene.latency[kept] / 20
    edges = tuple((le, float((times <= le).sum())) for le in EDGES)
    return float(np.quantile(times, 0.95)), count, edges


def _series(scene: Scene) -> list[Series]:
    at = (_at(END).timestamp(),)
    return [
        Series(name=CLOCK, labels={}, times=at, values=(scene.skew,)),
        Series(name=RULES, labels={}, times=at, values=(0.0,)),
        Series(
            name=RULES,
            labels={"alertname": "HighErrorRate", "severity": "critical"},
            times=at,
            values=(300.0,),
        ),
    ]
