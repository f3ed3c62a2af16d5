"""The score: 100 points that add up in front of the reader.

The policy splits them into points for objectives (50) and for experiments (50); each objective of
the runbook has the same share of the first, each experiment of the second. A pass earns all of what
it is worth, a warning half, and what is inconclusive or failed nothing:

- an objective earns the mean over its judged results and, where clients measured it, its answer
  over all undisturbed phases together;
- an experiment earns the mean over what was asked of it in any case: that the fault took effect
  and was undone, the severity, the recovery, and what the plan lets degrade. Its other checks are
  there only where evidence is; they have a say in the outcome but earn nothing, or else less
  evidence could mean a better score.

Every addend is a whole number of tenths, rounded down, so that the sum is exact. A half in which
nothing was judged earns nothing.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

from slo.model import Addend, ExperimentResult, ObjectiveResult, Outcome, PromiseResult
from slo.policy import ScorePolicy
from slo.verdict.results import counted

_WORTH = {
    Outcome.PASS: Fraction(1),
    Outcome.WARN: Fraction(1, 2),
    Outcome.INCONCLUSIVE: Fraction(0),
    Outcome.FAIL: Fraction(0),
}

_ASKED = {"effect", "undone", "whole", "severity", "recovery", "degraded"}


def addends(
    results: Sequence[ObjectiveResult],
    promises: Sequence[PromiseResult],
    experiments: Sequence[ExperimentResult],
    policy: ScorePolicy,
) -> tuple[Addend, ...]:
    """Objectives in the order of the runbook, then experiments."""
    names = dict.fromkeys(r.objective for r in results)
    parts: list[tuple[str, list[Outcome]]] = []
    for objective in names:
        own = [r for r in results if r.objective == objective]
        settled = [p for p in promises if p.objective == objective]
        parts.append((objective.title, counted(own, settled)))
    checks = [(e.title, [c.outcome for c in e.checks if c.name in _ASKED]) for e in experiments]
    return (
        *_share(parts, policy.objectives, "results"),
        *_share(checks, policy.experiments, "checks"),
    )


def _share(parts: Sequence[tuple[str, list[Outcome]]], points: int, noun: str) -> list[Addend]:
    found = []
    for (name, outcomes), tenths in zip(parts, _split(points * 10, len(parts)), strict=True):
        worth = sum((_WORTH[o] for o in outcomes), Fraction(0))
        earned = math.floor(tenths * worth / len(outcomes)) if outcomes else 0
        found.append(
            Addend(name=name, points=earned / 10, of=tenths / 10, because=_because(outcomes, noun))
        )
    return found


def _split(tenths: int, parts: int) -> list[int]:
    """Whole numbers that add up, the first ones larger by one where it does not divide."""
    if not parts:
        return []
    each, rest = divmod(tenths, parts)
    return [each + (i < rest) for i in range(parts)]


def _because(outcomes: Sequence[Outcome], noun: str) -> str:
    kinds = sorted(set(outcomes), key=lambda o: -o.rank)
    told = ", ".join(f"{outcomes.count(kind)} {kind.value}" for kind in kinds)
    plain = noun if len(outcomes) != 1 else noun.removesuffix("s")
    return f"{len(outcomes)} {plain}: {told}" if outcomes else f"no {noun}: nothing was judged"


def total(parts: Sequence[Addend]) -> float:
    return sum(round(10 * a.points) for a in parts) / 10
