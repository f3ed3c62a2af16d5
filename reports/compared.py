"""The comparison with a baseline run, row by row, in the words that every renderer uses."""

from dataclasses import dataclass

from reports import format as fmt
from slo.model import Difference, Outcome, ReleaseComparison, Verdict

_CERTAIN = 0.001  # below, a p is told as a bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One quantity of one endpoint. `order`, once for each, says how often requests are slower."""

    endpoint: str
    quantity: str
    outcome: Outcome
    judged: bool
    baseline: str
    new: str
    counts: str
    change: str
    interval: str
    matters: str
    reason: str
    order: str

    @property
    def subject(self) -> str:
        return f"{self.endpoint}, {self.quantity}"


def rows(verdict: Verdict) -> tuple[Row, ...]:
    """All questions of the comparison, in its order; none without a baseline run."""
    found = verdict.comparison
    if found is None:
        return ()
    first = {d.endpoint: d for d in reversed(found.differences) if d.quantity != "error rate"}
    return tuple(
        _row(d, _order(d.endpoint, found) if first.get(d.endpoint) is d else "")
        for d in found.differences
    )


def _row(d: Difference, order: str) -> Row:
    values = [
        fmt.NO_DATA if i.value is None else fmt.quantity(i.value, d.unit)
        for i in (d.baseline, d.new)
    ]
    return Row(
        endpoint=d.endpoint or "all endpoints",
        quantity=d.quantity,
        outcome=d.outcome,
        judged=d.judged,
        baseline=values[0],
        new=values[1],
        counts=f"n = {fmt.count(d.baseline.count)} and {fmt.count(d.new.count)}",
        change=fmt.NO_DATA if d.change is None else fmt.signed(d.change, d.unit),
        interval=fmt.interval(d.interval, d.unit) if d.interval else "no interval",
        matters=fmt.quantity(d.matters, d.unit),
        reason=d.reason,
        order=order,
    )


def _order(endpoint: str, comparison: ReleaseComparison) -> str:
    for order in comparison.orders:
        if order.endpoint == endpoint:
            p = f"p = {order.p:.3f}" if order.p >= _CERTAIN else f"p < {_CERTAIN}"
            return f"slower in {fmt.percent(order.slower)} of all pairs of requests, {p}"
    return ""
