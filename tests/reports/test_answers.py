"""The first screen: what broke is told once, and there is always something to do next."""

from dataclasses import replace

import pytest

from reports import answers, facts, items
from reports.causes import causes
from slo.model import Outcome, PhaseKind, Severity
from tests.reports import examples

every = pytest.mark.parametrize("name", examples.ALL)


@every
def test_every_finding_belongs_to_exactly_one_cause(name: str) -> None:
    verdict = examples.ALL[name]()
    found = [i for i in items.items(verdict) if i.outcome is not Outcome.PASS]
    told = [i for cause in causes(verdict) for i in cause.found]
    assert sorted(map(repr, told)) == sorted(map(repr, found))
    ranks = [c.outcome.rank for c in causes(verdict)]
    assert ranks == sorted(ranks, reverse=True)


@every
def test_there_is_always_a_next_step_and_each_is_said_once(name: str) -> None:
    verdict = examples.ALL[name]()
    steps = answers.steps(verdict, causes(verdict))
    assert steps
    assert len(set(steps)) == len(steps)


def test_what_fails_in_an_experiment_is_one_cause() -> None:
    verdict = examples.failing()
    failed = [c for c in causes(verdict) if c.outcome is Outcome.FAIL]
    assert [(c.title, c.number) for c in failed] == [("Kill half of the API's pods", 2)]
    assert {i.name for i in failed[0].found} >= {"recovery", "severity", "Error rate"}
    told = " ".join(answers.steps(verdict, causes(verdict)))
    assert "Kill half of the API's pods" in told
    assert "did not come back in time" in told


def test_a_missing_source_is_one_cause_over_all_experiments() -> None:
    missing = [c for c in causes(examples.inconclusive()) if c.title.startswith("No data")]
    assert len(missing) == 1
    assert (
        missing[0].title == "No data: Response time (p95), Error rate, CPU utilisation and 3 more"
    )


def test_a_service_that_was_broken_before_the_fault_is_not_blamed_on_the_fault() -> None:
    good = examples.passing()
    broken = tuple(
        replace(r, outcome=Outcome.FAIL)
        if (r.experiment, r.phase, r.objective)
        == ("kill-one", PhaseKind.BASELINE, examples.ERROR_RATE)
        else r
        for r in good.objectives
    )
    [cause] = causes(replace(good, outcome=Outcome.FAIL, objectives=broken))
    assert cause.before
    assert cause.title == "Before the fault: Kill one pod of the API"
    assert "without a fault" in answers.steps(good, (cause,))[0]


def test_without_a_fault_no_severity_is_claimed() -> None:
    good = examples.passing()
    nothing = examples.checks(effect=(Outcome.INCONCLUSIVE, "nothing was injected", "not steady"))
    verdict = replace(
        good,
        severity=Severity.NONE,
        experiments=(
            replace(good.experiments[0], observed_severity=Severity.NONE, checks=nothing),
        ),
    )
    values = {f.label: f.value for f in facts.facts(verdict)}
    assert values["Severity observed"] == "not judged"
    assert answers.damage(verdict)[0] == "No severity was judged: no fault took effect."


def test_a_fault_that_is_left_comes_before_everything_else() -> None:
    bad = examples.failing()
    one, half = bad.experiments
    left = replace(one, checks=examples.checks(undone=(Outcome.FAIL, "still there", "seen")))
    verdict = replace(bad, experiments=(half, left))
    assert "gameday recover" in answers.steps(verdict, causes(verdict))[0]


def test_the_lines_of_the_runbook_are_those_that_decided() -> None:
    verdict = examples.failing()
    lines = [source.line for source, _ in answers.sources(verdict, causes(verdict))]
    assert lines == [57, 58]
