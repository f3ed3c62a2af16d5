"""Indicators against objectives: pass, warn, fail or inconclusive, each with its reason.

For now the point estimate decides and the interval is shown beside it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from slo.documents import DocumentError
from slo.journal import Threshold
from slo.model import Comparison, Indicator, Objective, Outcome, Unit
from slo.show import show, show_critical, show_target
from slo.slis import by_name
from slo.stats import quantile_minimum, rate_minimum


class ThresholdError(DocumentError):
    """A plan's thresholds do not fit the runbook; the message is one sentence."""


class Judgement(NamedTuple):
    outcome: Outcome
    reason: str


def override(
    objectives: Iterable[Objective], thresholds: Mapping[str, Threshold]
) -> tuple[Objective, ...]:
    """The objectives with the plan's thresholds in place of the runbook's.

    Raises ThresholdError for a name that the runbook does not have, and for thresholds of which
    the critical one is stricter than the target.
    """
    found = {objective.name: objective for objective in objectives}
    for name, threshold in thresholds.items():
        if name not in found:
            raise ThresholdError(
                f"the runbook has no objective {name!r}; it has {', '.join(found)}"
            )
        changed = replace(found[name], target=threshold.target, critical=threshold.critical)
        if _past(changed, changed.target, changed.critical):
            raise ThresholdError(
                f"objective {name!r}: what meets the target {show_target(changed)} would be"
                f" critical ({show_critical(changed)})"
            )
        found[name] = changed
    return tuple(found.values())


def _past(objective: Objective, value: float, threshold: float) -> bool:
    """Is the value on the bad side of the threshold?"""
    return value > threshold if objective.comparison is Comparison.BELOW else value < threshold


def meets_target(objective: Objective, value: float) -> bool:
    below = objective.comparison is Comparison.BELOW
    return value < objective.target if below else value > objective.target


def past_critical(objective: Objective, value: float) -> bool:
    return _past(objective, value, objective.critical)


def minimum_count(objective: Objective) -> int:
    """The fewest requests from which this objective can be judged; 1 where requests do not count.

    For a quantile: enough that its confidence interval has an upper end (72 for p95). For the
    error rate: enough that none failing would exclude the critical rate (299 for 1 %).
    """
    sli = by_name(objective.name)
    if sli is None:
        return 1
    if sli.quantile is not None:
        return quantile_minimum(sli.quantile)
    if sli.client and objective.unit is Unit.RATIO:
        return rate_minimum(objective.critical)
    return 1


def judge(objective: Objective, indicator: Indicator, minimum: int = 1) -> Judgement:
    """`minimum` is the fewest observations from which a conclusion is drawn."""
    value = indicator.value
    if value is None:
        return Judgement(Outcome.INCONCLUSIVE, indicator.missing)
    seen = show(value, objective.unit)
    if indicator.count < minimum:
        return Judgement(
            Outcome.INCONCLUSIVE,
            f"{seen} from {indicator.count} requests; at least {minimum} are needed",
        )
    if past_critical(objective, value):
        return Judgement(
            Outcome.FAIL, f"{seen} is past the critical threshold {show_critical(objective)}"
        )
    if meets_target(objective, value):
        return Judgement(Outcome.PASS, f"{seen} meets the target {show_target(objective)}")
    return Judgement(Outcome.WARN, f"{seen} misses the target {show_target(objective)}")
