"""Release against release: is this run slower than its baseline, or does it fail more often?

Compared are the baseline phases of both runs, before anything was broken. Each endpoint has its
own response times, by the quantiles that the policy names, and its error rate; the error rate of
all endpoints together comes on top. How one of them is judged says slo.compare.question.

With many endpoints one of them looks worse by chance, so a question is answered with "worse" by
Holm's procedure ("A Simple Sequentially Rejective Multiple Test Procedure", 1979): with the
policy's confidence no such answer is a false one.

The machine is part of every measurement. How late the load generator itself came (start after
intended start) is no release's doing, and shows when the machine was busy, or busier than for the
baseline. Then a slow-down counts only where the fastest tenth of the requests confirms it: what
waits for a processor is spread and spares some, but what a release costs, each request pays (Chen
and Revels, "Robust Benchmarking in Noisy Environments", 2016, for the minimum). Likewise a rise of
the error rate counts only where the service's own answers confirm it: time-outs, cut connections
and 502 to 504 are what a starved machine brings about. What is excused so is inconclusive, never a
pass.

Where the generator could not keep its schedule at all (the policy's limit, as in
slo.verdict.load_health), no response time is judged.

An endpoint's own error rate counts only when it is worse: few endpoints get enough requests to be
shown to be well alone, and the rate of all of them together is judged.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from slo.compare.baseline import EVERYTHING, BaselinePhases, baseline_phases
from slo.compare.question import Question, judge
from slo.documents import DocumentError
from slo.evidence.recording import Recording
from slo.model import Difference, Order, Outcome, ReleaseComparison, Unit, Verdict, worst
from slo.policy import ComparisonPolicy
from slo.show import show
from slo.stats.intervals import quantile_of
from slo.stats.mann_whitney import superiority
from slo.stats.shift import Estimate, Shift
from slo.verdict.load_health import load_health

_TICK_S = 0.001  # what an idle machine is late by; a finer difference is the clock's
_BUSY = 1.25  # times as late: beyond, the machine may be why requests are slower
_FASTEST, _HALF, _LATEST = 0.1, 0.5, 0.99


class ComparisonError(DocumentError):
    """These two runs cannot be compared; the message is one sentence."""


def compare(new: Recording, baseline: Recording) -> ReleaseComparison:
    """Judge a run against another, by the new run's policy. Raises ComparisonError."""
    ours, theirs = new.started, baseline.started
    if ours.scenario != theirs.scenario:
        raise ComparisonError(
            f"{ours.run} was under the load {ours.scenario!r}, {theirs.run} under"
            f" {theirs.scenario!r}: they cannot be compared"
        )
    if not ours.scenario:
        raise ComparisonError(
            f"{ours.run} and {theirs.run} had no load: there are no requests to compare"
        )
    policy = new.policy.comparison
    window_s = policy.window.total_seconds()
    a, b = baseline_phases(baseline, window_s), baseline_phases(new, window_s)
    doubts = [*_doubts(baseline, "the baseline run"), *_doubts(new, "this run")]
    most = new.policy.generator.late.total_seconds()
    late = [*_late(a, "the baseline run", most), *_late(b, "this run", most)]
    asked = [
        replace(q, late=late[0]) if late and q.unit is Unit.SECONDS else q
        for q in _questions(a, b, policy)
    ]
    rows = _judge_all(asked, policy, doubts)
    outcome = worst([row.outcome for row in rows if row.judged])
    return ReleaseComparison(
        baseline=theirs.run,
        outcome=outcome,
        headline=_headline(outcome, [row for row in rows if row.judged], theirs.run),
        confidence=policy.confidence,
        window_s=window_s,
        differences=rows,
        orders=tuple(_orders(a, b)),
        notes=(
            *(f"Nothing passes: {doubt}." for doubt in doubts),
            *(f"No response time is judged: {reason}." for reason in late),
        ),
    )


def with_comparison(verdict: Verdict, comparison: ReleaseComparison) -> Verdict:
    """The verdict with the comparison in it; where that is worse, it has the first word."""
    worse = comparison.outcome.rank > verdict.outcome.rank
    return replace(
        verdict,
        outcome=worst([verdict.outcome, comparison.outcome]),
        headline=comparison.headline if worse else verdict.headline,
        comparison=comparison,
    )


def _doubts(recording: Recording, which: str) -> Iterator[str]:
    """Why what looks well in this run may not be: load that was not sent would have queued."""
    started = recording.started
    load = load_health(
        started.scenario,
        recording.journal,
        recording.samples,
        fault_phases=(),
        policy=recording.policy.generator,
    )
    if not load.complete:
        yield f"of {which}, {load.result.reason}"


def _late(of: BaselinePhases, which: str, most_s: float) -> Iterator[str]:
    """Why its response times say nothing: the generator's own lateness is in them."""
    late = of.late()
    if late.size and (found := quantile_of(late, _LATEST)) > most_s:
        seen, limit = show(found, Unit.SECONDS), show(most_s, Unit.SECONDS)
        yield f"in {which} 1 % of the requests started over {seen} late, more than {limit}"


def _questions(
    a: BaselinePhases, b: BaselinePhases, policy: ComparisonPolicy
) -> Iterator[Question]:
    slower, busier = policy.slower, _busier(a, b, policy.quantiles)
    yield _rate(EVERYTHING, a, b, policy.failing, busier)
    for endpoint in sorted({*a.names, *b.names}):
        for q in policy.quantiles:
            before = a.latency(endpoint, q)
            usual = before.value if before is not None else 0.0
            yield Question(
                endpoint=endpoint,
                quantity=f"p{100 * q:g}",
                unit=Unit.SECONDS,
                a=before,
                b=b.latency(endpoint, q),
                matters=max(slower.absolute.total_seconds(), slower.relative * usual),
                machine=busier,
                confirm=_fastest(endpoint, a, b) if busier > _BUSY else None,
            )
        yield replace(_rate(endpoint, a, b, policy.failing, busier), alarm=True)


def _rate(
    endpoint: str, a: BaselinePhases, b: BaselinePhases, matters: float, busier: float
) -> Question:
    answered = a.error_rate(endpoint, answered=True), b.error_rate(endpoint, answered=True)
    return Question(
        endpoint=endpoint,
        quantity="error rate",
        unit=Unit.RATIO,
        a=a.error_rate(endpoint),
        b=b.error_rate(endpoint),
        matters=matters,
        machine=busier,
        confirm=_shift(*answered) if busier > _BUSY else None,
    )


def _busier(a: BaselinePhases, b: BaselinePhases, quantiles: Iterable[float]) -> float:
    """How many times as late the generator was in b, at the quantile where that is most.

    As in a, or as on an idle machine, at the median: of two busy runs neither is a yardstick.
    """
    before, after = (s.late() for s in (a, b))
    if not before.size or not after.size:
        return 1.0
    return max(
        quantile_of(after, _HALF) / _TICK_S,
        *(
            max(_TICK_S, quantile_of(after, q)) / max(_TICK_S, quantile_of(before, q))
            for q in quantiles
        ),
    )


def _fastest(endpoint: str, a: BaselinePhases, b: BaselinePhases) -> Shift | None:
    return _shift(a.latency(endpoint, _FASTEST), b.latency(endpoint, _FASTEST))


def _shift(before: Estimate | None, after: Estimate | None) -> Shift | None:
    return Shift(a=before, b=after) if before is not None and after is not None else None


def _judge_all(
    questions: Sequence[Question], policy: ComparisonPolicy, doubts: Sequence[str]
) -> tuple[Difference, ...]:
    """Holm's procedure: the clearest question at alpha / m, the next at alpha / (m - 1), ...

    From the first that is not answered with "worse" on, all have the level of that one.
    """
    left, levels, p = len(questions), {}, [question.p for question in questions]
    for place in sorted(range(len(questions)), key=lambda i: p[i]):
        levels[place] = (1 - policy.confidence) / left
        if p[place] <= levels[place]:
            left -= 1
    return tuple(judge(q, levels[i], policy, doubts) for i, q in enumerate(questions))


def _orders(a: BaselinePhases, b: BaselinePhases) -> Iterator[Order]:
    for endpoint in sorted({*a.names} & {*b.names}):
        (before, before_windows), (after, after_windows) = (s.latencies(endpoint) for s in (a, b))
        if before.size and after.size:
            found = superiority(before, before_windows, after, after_windows)
            yield Order(endpoint=endpoint, slower=found.value, p=found.p)


def _headline(outcome: Outcome, judged: Iterable[Difference], baseline: str) -> str:
    rows = list(judged)
    alike = [row for row in rows if row.outcome is outcome]
    if outcome is Outcome.PASS:
        return f"Not worse than {baseline}: {len(alike)} of {len(rows)} comparisons passed."
    first = max(alike, key=_surely_worse)
    more = f" ({len(alike)} of {len(rows)} comparisons)" if len(alike) > 1 else ""
    said = {
        Outcome.FAIL: "Worse than",
        Outcome.WARN: "Perhaps worse than",
        Outcome.INCONCLUSIVE: "Not to be told from",
    }[outcome]
    where = f"{first.endpoint or 'all endpoints'}, {first.quantity}"
    return f"{said} {baseline}: {where}: {first.reason}{more}."


def _surely_worse(row: Difference) -> float:
    """How many times what matters it is worse, at the end of the interval that speaks for it."""
    least = row.interval.low if row.interval is not None else row.change or 0.0
    return least / row.matters
