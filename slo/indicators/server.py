"""The server's view as evidence: what was recorded of Prometheus, and how far it can be trusted.

Windows are cut by the clock of the machine that runs the load; Prometheus stamps its samples with
its own. Where the two differ by more than the policy allows, what Prometheus says of a window is
about another one, and counts as missing. The difference was measured during the run, by asking
Prometheus for its time; half of the way there and back is the error of that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from slo.evidence.metrics import CLOCK, Measurement, Series
from slo.indicators.slis import Sli
from slo.model import Unit
from slo.show import show
from slo.stats.estimates import Evidence, Reading, Share, buckets


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """`skew_s`: Prometheus' clock minus ours, at its largest; None when it was not measured."""

    skew_s: float | None
    limit_s: float

    @property
    def skewed(self) -> str:
        """Why windows do not match; "" when they do, or nobody knows of a difference."""
        if self.skew_s is None or abs(self.skew_s) <= self.limit_s:
            return ""
        how = "ahead of" if self.skew_s > 0 else "behind"
        apart = show(abs(self.skew_s), Unit.SECONDS)
        return f"clock skew: Prometheus' clock is {apart} {how} ours, so windows do not match"


def clock(series: Sequence[Series], limit_s: float) -> Clock:
    skews = [v for line in series if line.name == CLOCK for v in line.values]
    return Clock(skew_s=max(skews, key=abs, default=None), limit_s=limit_s)


def evidence_of(sli: Sli, measured: Measurement, when: Clock) -> Evidence | str:
    """The evidence, or why there is none."""
    found = measured.indicator
    if found.value is None:
        return found.missing
    if when.skewed:
        return when.skewed
    if measured.buckets and sli.quantile is not None:
        shaped = buckets(measured.buckets, sli.quantile, found.value)
        if shaped is not None:
            return shaped
    if sli.share and found.count > 0:
        return Share(min(found.count, max(0, round(found.value * found.count))), found.count)
    return Reading(found.value, found.count, measured.slack or 0.0, sli.highest)
