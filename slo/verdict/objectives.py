"""Evidence against objectives: pass, warn, fail or inconclusive, each with its reason."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from slo.documents import DocumentError
from slo.evidence.journal import Threshold
from slo.model import Comparison, Objective, Outcome
from slo.show import show, show_critical, show_target
from slo.stats.estimates import Evidence


class ThresholdError(DocumentError):
    """A plan's thresholds do not fit the runbook; the message is one sentence."""


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


class Decision(NamedTuple):
    """How sure one has to be. `confidence` is that of every interval that is shown and passes;
    `error` is the chance, of this one decision, that what fails was within its threshold.
    """

    confidence: float
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """`counts` is what the outcome means to the run.

    The same, but for one case: where the critical threshold is ruled out and only the target is
    open, the run is warned. Otherwise a few more failures, with which the target were surely
    missed (a warning), would turn an inconclusive run into a better one.
    """

    outcome: Outcome
    reason: str
    counts: Outcome
    missed: bool  # the target, surely, whatever is open about the critical threshold

    @classmethod
    def of(
        cls,
        outcome: Outcome,
        reason: str,
        *,
        counts: Outcome | None = None,
        missed: bool | None = None,
    ) -> "Judgement":
        surely = outcome in {Outcome.WARN, Outcome.FAIL} if missed is None else missed
        return cls(outcome=outcome, reason=reason, counts=counts or outcome, missed=surely)


def judge(objective: Objective, evidence: Evidence, decision: Decision) -> Judgement:
    """The interval decides, not the value.

    Fail: surely past the critical threshold. Pass: the whole interval meets the target. Warn: the
    whole interval lies between the two. Otherwise inconclusive, with how many more observations
    would settle it.
    """
    below = objective.comparison is Comparison.BELOW
    surely_past = evidence.surely_above if below else evidence.surely_below
    seen = show(evidence.value, objective.unit)
    span = evidence.span(decision.confidence)
    good, bad = (span.low, span.high) if below else (span.high, span.low)
    if surely_past(objective.critical, decision.error):
        return Judgement.of(
            Outcome.FAIL, f"{seen} is past the critical threshold {show_critical(objective)}"
        )
    missed = good is not None and not meets_target(objective, good)
    if bad is None or past_critical(objective, bad):
        limit = show_critical(objective)
        past = past_critical(objective, evidence.value)
        enough = _enough(objective.critical, evidence, decision)
        few = f"{evidence.count:,} observations are too few to be sure"
        if not past:
            few = f"{evidence.count:,} observations are too few to exclude {limit}"
        text = f"{seen} is past the critical threshold {limit}" if past else seen
        return Judgement.of(Outcome.INCONCLUSIVE, f"{text}, but {few}; {enough}", missed=missed)
    if meets_target(objective, evidence.value) and not _past(objective, bad, objective.target):
        return Judgement.of(Outcome.PASS, f"{seen} meets the target {show_target(objective)}")
    if missed:
        return Judgement.of(Outcome.WARN, f"{seen} misses the target {show_target(objective)}")
    enough = _enough(objective.target, evidence, decision)
    text = (
        f"{seen} is not critical, but {evidence.count:,} observations cannot show whether the"
        f" target {show_target(objective)} is met"
    )
    return Judgement.of(Outcome.INCONCLUSIVE, f"{text}; {enough}", counts=Outcome.WARN)


def _enough(threshold: float, evidence: Evidence, decision: Decision) -> str:
    """How many observations would be enough, as the end of a sentence."""
    wanted = evidence.needed(threshold, decision.confidence)
    if wanted is None:
        return "more of them would not help"
    return f"about {max(evidence.count + 1, wanted):,} would be enough"


def unknown(missing: str) -> Judgement:
    """Of a value that is missing, for the reason given."""
    return Judgement.of(Outcome.INCONCLUSIVE, missing)
