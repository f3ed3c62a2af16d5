"""Verdicts written by hand, as a real run would give them: pass, warn, fail, inconclusive, hostile.

`python -m tests.reports.examples OUTDIR` writes their reports, to be looked at.
"""

import math
import random
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from slo.model import (
    SCHEMA_VERSION,
    Check,
    Comparison,
    EndpointResult,
    ExperimentResult,
    Indicator,
    Interval,
    LoadResult,
    Objective,
    ObjectiveResult,
    Outcome,
    Phase,
    PhaseKind,
    Severity,
    Source,
    Timeline,
    TimelineMark,
    Unit,
    Verdict,
    View,
)

START = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
FILE, SECTION = "runbook.md", "System overview > Key metrics"

RESPONSE_TIME = Objective(
    name="response_time_p95",
    title="Response time (p95)",
    comparison=Comparison.BELOW,
    target=0.1,
    critical=0.5,
    unit=Unit.SECONDS,
    source=Source(FILE, 57, SECTION),
)
ERROR_RATE = Objective(
    name="error_rate",
    title="Error rate",
    comparison=Comparison.BELOW,
    target=0.001,
    critical=0.01,
    unit=Unit.RATIO,
    source=Source(FILE, 58, SECTION),
)
CPU = Objective(
    name="cpu_utilization",
    title="CPU utilisation",
    comparison=Comparison.BELOW,
    target=0.6,
    critical=0.85,
    unit=Unit.RATIO,
    source=Source(FILE, 59, SECTION),
)
MEMORY = Objective(
    name="memory_usage",
    title="Memory usage",
    comparison=Comparison.BELOW,
    target=0.7,
    critical=0.9,
    unit=Unit.RATIO,
    source=Source(FILE, 60, SECTION),
)
AVAILABILITY = Objective(
    name="pod_availability",
    title="Pod availability",
    comparison=Comparison.ABOVE,
    target=0.999,
    critical=0.99,
    unit=Unit.RATIO,
    source=Source(FILE, 61, SECTION),
)
FAISS = Objective(
    name="faiss_query_time",
    title="FAISS query time",
    comparison=Comparison.BELOW,
    target=0.05,
    critical=0.2,
    unit=Unit.SECONDS,
    source=Source(FILE, 62, SECTION),
)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def phases(
    experiment: str, begin: float, fault: float, recovery: float, end: float
) -> tuple[Phase, ...]:
    edges = (begin, fault, recovery, end)
    return tuple(
        Phase(experiment=experiment, kind=kind, start=at(a), end=at(b))
        for kind, a, b in zip(PhaseKind, edges, edges[1:], strict=False)
    )


def result(
    experiment: str,
    phase: PhaseKind,
    objective: Objective,
    view: View,
    value: float | None,
    *,
    count: int = 900,
    spread: float = 0.06,
    missing: str = "",
    judged: bool | None = None,
) -> ObjectiveResult:
    """One result with the outcome that its value deserves."""
    judged = phase is not PhaseKind.FAULT if judged is None else judged
    if value is None:
        outcome, reason, span = Outcome.INCONCLUSIVE, missing, None
    else:
        below = objective.comparison is Comparison.BELOW
        good = value < objective.target if below else value > objective.target
        broken = value > objective.critical if below else value < objective.critical
        outcome = Outcome.PASS if good else Outcome.FAIL if broken else Outcome.WARN
        reason = {
            Outcome.PASS: "the target holds",
            Outcome.WARN: "between the target and the critical threshold",
            Outcome.FAIL: "past the critical threshold",
        }[outcome]
        span = (
            Interval(
                low=value * (1 - spread),
                high=value * (1 + spread) if value else 3 / count,  # the rule of three
                confidence=0.95,
            )
            if view is View.CLIENT
            else None
        )
    return ObjectiveResult(
        experiment=experiment,
        phase=phase,
        objective=objective,
        view=view,
        indicator=Indicator(
            value=value, count=count if value is not None else 0, interval=span, missing=missing
        ),
        outcome=outcome,
        judged=judged,
        reason=reason,
    )


Values = tuple[float | None, float | None, float | None]


def table(
    experiment: str,
    p95: Values,
    errors: Values,
    availability: Values,
    *,
    server: bool = True,
) -> tuple[ObjectiveResult, ...]:
    """All six objectives in all three phases; without the server's view if Prometheus was away."""
    gone = "Prometheus did not answer for the last 41 s of the window (connection refused)"
    rows = []
    for i, phase in enumerate(PhaseKind):
        there = server or phase is PhaseKind.BASELINE
        scale = (1.0, 1.7, 1.1)[i]
        for objective, values, view in (
            (RESPONSE_TIME, p95, View.CLIENT),
            (RESPONSE_TIME, tuple(None if v is None else v * 0.93 for v in p95), View.SERVER),
            (ERROR_RATE, errors, View.CLIENT),
            (ERROR_RATE, tuple(None if v is None else v * 0.5 for v in errors), View.SERVER),
            (CPU, (0.31 * scale,) * 3, View.SERVER),
            (MEMORY, (0.42, 0.44, 0.43), View.SERVER),
            (AVAILABILITY, availability, View.SERVER),
            (FAISS, (0.0031 * scale,) * 3, View.SERVER),
        ):
            value = values[i] if there or view is View.CLIENT else None
            rows.append(
                result(
                    experiment,
                    phase,
                    objective,
                    view,
                    value,
                    missing="" if value is not None else gone,
                )
            )
    return tuple(rows)


def timeline(
    length: int, faults: tuple[tuple[float, float, float], ...], rate: float = 30, step: float = 1
) -> Timeline:
    """Noise around 21 ms, and in each fault (start, end, depth) slow answers and a few errors."""
    rng = random.Random(7)
    requests, errors, p50, p95 = [], [], [], []
    for i in range(int(length / step)):
        t = i * step
        depth = sum(
            d * math.exp(-(t - a) / max(1.0, (b - a) / 3)) for a, b, d in faults if a <= t < b
        )
        n = max(0, round(rng.gauss(rate * step, rate * step * 0.04)))
        requests.append(n)
        errors.append(min(n, round(n * min(1.0, 0.12 * depth * rng.random()))))
        p50.append(0.009 * math.exp(rng.gauss(0.5 * depth, 0.08)) if n else None)
        p95.append(0.021 * math.exp(rng.gauss(1.6 * depth, 0.2)) if n else None)
    return Timeline(
        start=at(2),
        step_s=step,
        requests=tuple(requests),
        errors=tuple(errors),
        p50_s=tuple(p50),
        p95_s=tuple(p95),
    )


INC = Outcome.INCONCLUSIVE


def checks(**answers: tuple[Outcome, str, str]) -> tuple[Check, ...]:
    """The four questions, each answered well unless an outcome, observation, evidence is given."""
    good = {
        "effect": ("gone after 0.4 s", "UID 5f0c…91 is no longer listed; a new pod is ready"),
        "undone": ("3 of 3 pods ready", "no undo annotation is left on any object"),
        "severity": ("SEV4", "p95 stayed under 500 ms and errors under 1 %"),
        "recovery": ("back after 6.2 s", "first of 5 good windows of 2 s begins at 09:27:51"),
    }
    expected = {
        "effect": "pod bizra-api-7d9f-x2kqp is gone",
        "undone": "nothing of the fault is left",
        "severity": "SEV3 or better",
        "recovery": "within 60 s",
    }
    found = {name: (Outcome.PASS, *said) for name, said in good.items()} | answers
    return tuple(
        Check(name=n, outcome=o, expected=expected[n], observed=seen, evidence=evidence)
        for n, (o, seen, evidence) in found.items()
    )


ENDPOINTS = (
    EndpointResult(
        endpoint="POST /score",
        requests=2702,
        errors={"reset": 4, "5xx": 1},
        p50_s=0.0074,
        p95_s=0.0188,
        p99_s=0.041,
    ),
    EndpointResult(
        endpoint="POST /search",
        requests=1621,
        errors={"reset": 2},
        p50_s=0.0121,
        p95_s=0.0296,
        p99_s=0.083,
    ),
    EndpointResult(
        endpoint="POST /attestations",
        requests=540,
        errors={},
        p50_s=0.0161,
        p95_s=0.0388,
        p99_s=0.0917,
    ),
    EndpointResult(
        endpoint="GET /attestations/{id}/related",
        requests=541,
        errors={"timeout": 1},
        p50_s=0.0148,
        p95_s=0.0352,
        p99_s=0.0903,
    ),
)

LOAD = LoadResult(
    scenario="smoke",
    scheduled=5404,
    sent=5404,
    scheduled_rate=30.0,
    achieved_rate=29.98,
    late_p99_s=0.0034,
    outcome=Outcome.PASS,
    reason="every request that was due was sent, 99 % of them within 3.4 ms",
)


def experiment(
    name: str, title: str, fault: str, when: tuple[float, float, float, float]
) -> ExperimentResult:
    return ExperimentResult(
        name=name,
        title=title,
        fault=fault,
        outcome=Outcome.PASS,
        expected_severity=Severity.SEV3,
        observed_severity=Severity.SEV4,
        severity_reason="short rise of latency while one pod was replaced; no threshold passed",
        time_to_detect_s=1.8,
        time_to_recover_s=6.2,
        checks=checks(),
        phases=phases(name, *when),
    )


def marks(
    name: str, injected: float, confirmed: float, reverted: float, recovered: float | None
) -> tuple[TimelineMark, ...]:
    moments = {
        "injected": injected,
        "confirmed": confirmed,
        "reverted": reverted,
        "recovered": recovered,
    }
    return tuple(
        TimelineMark(time=at(t), experiment=name, label=label)
        for label, t in moments.items()
        if t is not None
    )


ONE, HALF = (4.0, 40.0, 70.0, 92.0), (94.0, 118.0, 148.0, 180.0)


def passing() -> Verdict:
    """Two pod kills, both survived."""
    return Verdict(
        schema_version=SCHEMA_VERSION,
        gameday_version="0.1.0",
        run="20260314T092653Z-smoke",
        plan="smoke",
        target="bizra-system/bizra-api at http://127.0.0.1:8000",
        started=START,
        ended=at(184),
        ended_by="completed",
        time_scale=10.0,
        outcome=Outcome.PASS,
        headline="The service survived both pod kills: every judged objective met its target.",
        score=98.4,
        severity=Severity.SEV3,
        objectives=table(
            "kill-one", (0.0213, 0.0871, 0.0226), (0.0, 0.0046, 0.0), (1.0, 0.967, 1.0)
        )
        + table("kill-half", (0.0219, 0.161, 0.0231), (0.0, 0.0071, 0.0003), (1.0, 0.941, 0.9996)),
        experiments=(
            experiment(
                "kill-one", "Kill one pod of the API", "pod-kill: 1 of app=bizra-api, grace 0", ONE
            ),
            replace(
                experiment(
                    "kill-half",
                    "Kill half of the API's pods",
                    "pod-kill: 50 % of app=bizra-api (2 of 3), grace 0",
                    HALF,
                ),
                observed_severity=Severity.SEV3,
                severity_reason="0.71 % of the requests failed, target 0.1 %, critical 1 %",
                time_to_recover_s=11.4,
            ),
        ),
        load=LOAD,
        endpoints=ENDPOINTS,
        timeline=timeline(180, ((38, 60, 1.0), (116, 140, 1.35))),
        marks=marks("kill-one", 40.2, 40.6, 44.9, 46.8)
        + marks("kill-half", 118.1, 118.9, 125.3, 130.3),
        notes=("Memory limits are enforced by the kernel; the embedded cluster has one node.",),
    )


def warning() -> Verdict:
    good = passing()
    slow = table("kill-one", (0.0213, 0.0871, 0.1003), (0.0, 0.0046, 0.0), (1.0, 0.967, 1.0))
    return replace(
        good,
        outcome=Outcome.WARN,
        headline="The service survived both pod kills, but was slow after the first.",
        score=91.0,
        time_scale=1.0,
        objectives=slow + tuple(r for r in good.objectives if r.experiment == "kill-half"),
    )


def failing() -> Verdict:
    """The second kill was too much: not back within the limit."""
    good = passing()
    one, half = good.experiments
    late = checks(
        recovery=(
            Outcome.FAIL,
            "not back by the end of the window (32 s)",
            "0 of 5 good windows; the last p95 was 1.31 s",
        ),
        severity=(Outcome.FAIL, "SEV1", "61 % of the requests failed for 14 s"),
    )
    return replace(
        good,
        run="20260314T092653Z-kill-half",
        plan="kill-half",
        outcome=Outcome.FAIL,
        headline="The service did not recover from losing half of its pods within 60 s.",
        score=41.7,
        severity=Severity.SEV1,
        time_scale=1.0,
        experiments=(
            one,
            replace(
                half,
                outcome=Outcome.FAIL,
                observed_severity=Severity.SEV1,
                severity_reason="61 % of the requests failed for 14 s, more than half",
                time_to_recover_s=None,
                checks=late,
            ),
        ),
        objectives=tuple(r for r in good.objectives if r.experiment == "kill-one")
        + table("kill-half", (0.0219, 2.31, 1.31), (0.0, 0.34, 0.0893), (1.0, 0.61, 0.9912)),
        endpoints=(
            replace(
                ENDPOINTS[0],
                errors={"5xx": 311, "refused": 288, "reset": 4, "timeout": 17},
                p95_s=1.41,
                p99_s=5.02,
            ),
            *ENDPOINTS[1:],
        ),
        timeline=timeline(180, ((38, 60, 1.0), (116, 182, 4.2))),
        marks=marks("kill-one", 40.2, 40.6, 44.9, 46.8)
        + marks("kill-half", 118.1, 118.9, 125.3, None),
    )


def inconclusive() -> Verdict:
    """Prometheus went away halfway, and the generator could not keep up."""
    good = passing()
    one, half = good.experiments
    return replace(
        good,
        ended_by="aborted",
        ended=at(151),
        outcome=Outcome.INCONCLUSIVE,
        headline="No verdict: the service's metrics are missing for the second experiment.",
        score=52.0,
        severity=Severity.SEV4,
        experiments=(
            one,
            replace(
                half,
                outcome=Outcome.INCONCLUSIVE,
                time_to_detect_s=None,
                time_to_recover_s=None,
                checks=checks(
                    effect=(INC, "not seen within 30 s", "all three UIDs are still listed"),
                    recovery=(INC, "not judged", "there was no fault to recover from"),
                ),
            ),
        ),
        objectives=tuple(r for r in good.objectives if r.experiment == "kill-one")
        + table(
            "kill-half",
            (0.0219, 0.161, 0.0231),
            (0.0, 0.0071, 0.0003),
            (1.0, 0.941, 0.9996),
            server=False,
        ),
        endpoints=tuple(replace(e, requests=round(e.requests * 0.7423)) for e in ENDPOINTS),
        load=replace(
            LOAD,
            sent=4011,
            achieved_rate=22.3,
            late_p99_s=2.9,
            outcome=Outcome.INCONCLUSIVE,
            reason="only 74 % of the requests that were due were sent: short of CPU",
        ),
        timeline=replace(
            good.timeline,
            requests=good.timeline.requests[:120] + (0,) * 12 + good.timeline.requests[132:150],
            errors=good.timeline.errors[:120] + (0,) * 12 + good.timeline.errors[132:150],
            p50_s=good.timeline.p50_s[:120] + (None,) * 12 + good.timeline.p50_s[132:150],
            p95_s=good.timeline.p95_s[:120] + (None,) * 12 + good.timeline.p95_s[132:150],
        ),
        marks=(
            *good.marks[:4],
            TimelineMark(time=at(118.1), experiment="kill-half", label="injected"),
        ),
        notes=(
            "Aborted by a guardrail: steady state was lost for 2 s.",
            "Prometheus stopped answering at 09:28:40 UTC.",
        ),
    )


def empty() -> Verdict:
    """A journal that just stops: nothing measured."""
    good = passing()
    return replace(
        good,
        ended_by="",
        ended=START,
        outcome=Outcome.INCONCLUSIVE,
        headline="No verdict: the run ended before anything was measured.",
        score=0.0,
        severity=Severity.NONE,
        objectives=(),
        experiments=(),
        endpoints=(),
        load=replace(
            LOAD,
            scheduled=0,
            sent=0,
            scheduled_rate=0.0,
            achieved_rate=0.0,
            late_p99_s=None,
            outcome=Outcome.INCONCLUSIVE,
            reason="no request was sent",
        ),
        timeline=Timeline(start=START, step_s=1.0, requests=(), errors=(), p50_s=(), p95_s=()),
        marks=(),
        notes=(),
    )


NASTY = (
    "<script>alert(1)</script>]]>&amp;\"'| `x` $\\frac{1}$ {{7*7}} *b* [l](u)"
    "\x00\x1b[31m\ud800\u202e\nsecond line"
)


def hostile() -> Verdict:
    """Every string that comes from outside is an attack."""
    bad = failing()

    def spoilt(name: str) -> str:
        return name + NASTY

    return replace(
        bad,
        run=spoilt(bad.run),
        plan=spoilt(bad.plan),
        target=spoilt(bad.target),
        headline=spoilt(bad.headline),
        objectives=tuple(
            replace(
                r,
                experiment=spoilt(r.experiment),
                reason=spoilt(r.reason),
                objective=replace(
                    r.objective,
                    title=spoilt(r.objective.title),
                    source=Source(spoilt(FILE), 57, spoilt(SECTION)),
                ),
            )
            for r in bad.objectives
        ),
        experiments=tuple(
            replace(
                e,
                name=spoilt(e.name),
                title=spoilt(e.title),
                fault=spoilt(e.fault),
                severity_reason=spoilt(e.severity_reason),
                checks=tuple(
                    replace(
                        c,
                        name=spoilt(c.name),
                        expected=spoilt(c.expected),
                        observed=spoilt(c.observed),
                        evidence=spoilt(c.evidence),
                    )
                    for c in e.checks
                ),
                phases=tuple(replace(p, experiment=spoilt(p.experiment)) for p in e.phases),
            )
            for e in bad.experiments
        ),
        load=replace(bad.load, scenario=spoilt(bad.load.scenario), reason=spoilt(bad.load.reason)),
        endpoints=tuple(
            replace(
                e, endpoint=spoilt(e.endpoint), errors={spoilt(k): v for k, v in e.errors.items()}
            )
            for e in bad.endpoints
        ),
        marks=tuple(
            replace(m, experiment=spoilt(m.experiment), label=spoilt(m.label)) for m in bad.marks
        ),
        notes=(NASTY,),
    )


def hour() -> Verdict:
    """A long run: twelve experiments in an hour, a bucket a second."""
    good = passing()
    first = good.experiments[0]
    names = [f"kill-{i}" for i in range(12)]
    starts = [4.0 + 299 * i for i in range(12)]
    return replace(
        good,
        ended=at(3604),
        time_scale=1.0,
        experiments=tuple(
            replace(
                first,
                name=n,
                title=f"Kill one pod, round {i + 1}",
                phases=phases(n, s, s + 60, s + 150, s + 298),
            )
            for i, (n, s) in enumerate(zip(names, starts, strict=True))
        ),
        objectives=tuple(replace(r, experiment=n) for n in names for r in good.objectives[:24]),
        timeline=timeline(3600, tuple((s + 58, s + 90, 1.0) for s in starts)),
        marks=tuple(
            m
            for n, s in zip(names, starts, strict=True)
            for m in marks(n, s + 60, s + 61, s + 64, s + 70)
        ),
    )


ALL = {f.__name__: f for f in (passing, warning, failing, inconclusive, empty, hostile, hour)}


if __name__ == "__main__":
    from reports import write_all

    for name, make in ALL.items():
        folder = Path(sys.argv[1]) / name
        folder.mkdir(parents=True, exist_ok=True)
        for path in write_all(make(), folder):
            print(path, path.stat().st_size)
