"""A load without a game day, judged by the runbook's promises that clients can see.

The same rules as for a run: slo.verdict.results for what counts, slo.verdict.load_health for what a
generator that was not well can still show.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from slo.evidence.journal import LoadEnded
from slo.evidence.samples import Samples
from slo.indicators.client import client_view, requests
from slo.model import Indicator, LoadResult, Objective, Outcome, worst
from slo.policy import Policy
from slo.stats.estimates import indicator
from slo.verdict.load_health import load_health
from slo.verdict.objectives import Decision
from slo.verdict.results import judged, with_load


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One objective over the whole load."""

    objective: Objective
    indicator: Indicator
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadVerdict:
    """`promises` are those that clients can see: none without a runbook, or where it has none."""

    load: LoadResult
    complete: bool
    promises: tuple[Promise, ...]

    @property
    def outcome(self) -> Outcome:
        """Without promises: whether the load was what the scenario wanted."""
        if self.promises:
            return worst([self.load.outcome, *(p.outcome for p in self.promises)])
        return Outcome.PASS if self.complete else Outcome.INCONCLUSIVE


def judge_load(
    scenario: str,
    ended: LoadEnded,
    samples: Samples,
    objectives: Sequence[Objective],
    policy: Policy,
) -> LoadVerdict:
    """Each promise over all requests of the load, whenever they were due."""
    load = load_health(scenario, (ended,), samples, (), policy.generator)
    found = requests(samples)
    seen = [(o, view) for o in objectives if (view := client_view(o.name)) is not None]
    allowed = policy.decision.false_fails / max(1, len(seen))
    decision = Decision(policy.decision.confidence, allowed)
    promises = []
    for objective, view in seen:
        evidence = view.evidence(found)
        judgement = judged(objective, evidence, decision)
        judgement = with_load(objective, view, found, judgement, load=load, decision=decision)
        promises.append(
            Promise(
                objective=objective,
                indicator=indicator(evidence, decision.confidence),
                outcome=judgement.counts,
                reason=judgement.reason,
            )
        )
    return LoadVerdict(load=load.result, complete=load.complete, promises=tuple(promises))
