"""One question of a comparison, and its answer: is this endpoint's latency, or error rate, worse?

A change is judged by its interval (slo.stats.shift) against the smallest change that matters:

- fail: the whole interval lies above it;
- warn: above zero, and it may be above what matters;
- pass: none of it lies above what matters;
- inconclusive: anything else, with how many requests would settle it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from slo.model import Difference, Indicator, Interval, Outcome, Unit
from slo.policy import ComparisonPolicy
from slo.show import show
from slo.stats.shift import Estimate, Shift

_OUT_OF_REACH = 100.0  # times as many requests: nobody waits for that


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """`a` is the baseline's estimate, `b` this run's; None without such answers.

    `matters` is the smallest change that counts, in `unit`. `machine` is how many times as late the
    load generator was; where that is much, `confirm` is the shift of what a busy machine changes
    least, which has to be worse as well. `alarm`: the answer counts only when it is worse.
    """

    endpoint: str
    quantity: str
    unit: Unit
    a: Estimate | None
    b: Estimate | None
    matters: float
    machine: float = 1.0
    confirm: Shift | None = None
    alarm: bool = False
    late: str = ""  # why its response times say nothing

    @property
    def shift(self) -> Shift | None:
        return Shift(a=self.a, b=self.b) if self.a is not None and self.b is not None else None

    @property
    def p(self) -> float:
        """Of "no worse than what matters": of all that has to be worse, the least sure."""
        shifts = [s for s in (self.shift, self.confirm) if s is not None]
        return max((s.p_above(self.matters) for s in shifts), default=1.0)


def judge(
    question: Question, alpha: float, policy: ComparisonPolicy, doubts: Sequence[str]
) -> Difference:
    """`alpha` is what Holm's procedure leaves for calling this one worse.

    To be called well it has the policy's own alpha: that takes every question at once, so that one
    false answer among many is no danger. `doubts` are why nothing of these runs can pass.
    """
    row = Difference(
        endpoint=question.endpoint,
        quantity=question.quantity,
        unit=question.unit,
        baseline=_indicator(question.a, "the baseline run"),
        new=_indicator(question.b, "this run"),
        change=None,
        interval=None,
        matters=question.matters,
        machine=question.machine,
        outcome=Outcome.INCONCLUSIVE,
        judged=not question.alarm,
        reason="",
    )
    shift = question.shift
    if shift is None:
        return replace(row, reason=row.baseline.missing or row.new.missing)
    row = replace(row, change=shift.value)
    if shift.windows < policy.minimum_windows:
        each = show(policy.window.total_seconds(), Unit.SECONDS)
        found = f"only {shift.windows} windows of {each}, {policy.minimum_windows} are needed"
        return replace(row, reason=found, more=policy.minimum_windows / max(1, shift.windows))
    low, high = shift.low(alpha), shift.high(1 - policy.confidence)
    confirmed = question.confirm is None or question.confirm.low(alpha) > question.matters
    outcome, reason = _decide(question, low, high, confirmed=confirmed)
    if question.late:
        return replace(row, reason=f"{_seen(shift, question.unit)}, but {question.late}")
    if outcome is Outcome.PASS and doubts:
        return replace(row, reason=f"{reason}, but {doubts[0]}")
    more = None
    if outcome in {Outcome.WARN, Outcome.INCONCLUSIVE}:
        more = _more(shift.value, low, high, question.matters)
    return replace(
        row,
        interval=_interval(low, high, policy.confidence),
        outcome=outcome,
        judged=not question.alarm or outcome in {Outcome.WARN, Outcome.FAIL},
        reason=reason + _settling(more, shift),
        more=more,
    )


def _indicator(estimate: Estimate | None, where: str) -> Indicator:
    if estimate is None:
        return Indicator(value=None, count=0, missing=f"no such answer in {where}")
    return Indicator(value=estimate.value, count=estimate.count)


def _interval(low: float, high: float, confidence: float) -> Interval | None:
    """None when the data does not have an end of it."""
    known = math.isfinite(low) and math.isfinite(high)
    return Interval(low=low, high=high, confidence=confidence) if known else None


def _decide(question: Question, low: float, high: float, *, confirmed: bool) -> tuple[Outcome, str]:
    matters, seen = show(question.matters, question.unit), _seen(question.shift, question.unit)
    if low > question.matters and confirmed:
        return Outcome.FAIL, f"{seen}, surely more than the {matters} that matter"
    if high <= question.matters:
        return Outcome.PASS, f"{seen}, surely no more than the {matters} that matter"
    if low > question.matters:
        busy = f"the machine was busy (the load generator {question.machine:.2g} times as late)"
        least = _seen(question.confirm, question.unit)
        what = "the fastest tenth" if question.unit is Unit.SECONDS else "by answers of its own"
        return (
            Outcome.INCONCLUSIVE,
            f"{seen}, but {busy}, and {what} {least}: run it again",
        )
    if low > 0:
        return Outcome.WARN, f"{seen} for sure, perhaps more than the {matters} that matter"
    return Outcome.INCONCLUSIVE, f"{seen}, too uncertain to be told from the {matters} that matter"


def _seen(shift: Shift | None, unit: Unit) -> str:
    """ "60 ms slower", "1.8 % more of the requests failed"."""
    assert shift is not None
    change = show(abs(shift.value), unit)
    if unit is Unit.SECONDS:
        return f"{change} {'slower' if shift.value >= 0 else 'faster'}"
    return f"{change} {'more' if shift.value >= 0 else 'fewer'} of the requests failed"


def _more(change: float, low: float, high: float, matters: float) -> float | None:
    """Times as many requests in each run until the interval, as it shrinks, leaves `matters`.

    Its length goes with one over the root of their number. None where that is out of reach, or not
    known because the interval has no end.
    """
    reach = high - change if change <= matters else change - low
    distance = abs(change - matters)
    if distance == 0 or not (reach / distance) ** 2 <= _OUT_OF_REACH:
        return None
    return max(1.0, (reach / distance) ** 2)


def _settling(more: float | None, shift: Shift) -> str:
    if more is None:
        return ""
    needed = math.ceil(more * max(shift.a.count, shift.b.count))
    return f"; about {needed} such requests in each run would settle it"
