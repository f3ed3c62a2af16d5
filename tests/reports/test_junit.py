"""CI systems see each broken promise, and none that could not be judged as green."""

import pytest
from junitparser import Error, Failure, JUnitXml, TestCase

from reports import items, junit
from slo.model import Outcome
from tests.reports import examples

every = pytest.mark.parametrize("name", examples.ALL)


def cases(name: str) -> list[TestCase]:
    document = JUnitXml.fromstring(junit.render(examples.ALL[name]()).encode())
    return [case for suite in document for case in suite]


@every
def test_counts_are_those_of_the_outcomes(name: str) -> None:
    verdict = examples.ALL[name]()
    document = JUnitXml.fromstring(junit.render(verdict).encode())
    outcomes = [i.outcome for i in items.items(verdict)] + [verdict.outcome]
    assert document.tests == len(outcomes)
    assert document.failures == outcomes.count(Outcome.FAIL)
    assert document.errors == outcomes.count(Outcome.INCONCLUSIVE)
    assert document.skipped == 0
    assert sum(suite.tests for suite in document) == document.tests
    warned = [c for c in cases(name) if c.is_passed and c.system_out]
    assert len(warned) == outcomes.count(Outcome.WARN)


@every
def test_no_two_cases_share_class_and_name(name: str) -> None:
    keys = [(c.classname, c.name) for c in cases(name)]
    assert len(keys) == len(set(keys))
    assert all(c.time is not None for c in cases(name))


def test_a_case_is_named_after_plan_and_experiment() -> None:
    names = {c.classname for c in cases("passing")}
    assert names == {"gameday.smoke.kill-one", "gameday.smoke.kill-half", "gameday.smoke.run"}


def test_a_dot_in_a_name_opens_no_package() -> None:
    assert all((c.classname or "").count(".") == 2 for c in cases("hostile"))


def test_failures_and_errors_say_value_expectation_and_reason_in_one_line() -> None:
    said = [r.message for c in cases("failing") for r in c.result if isinstance(r, Failure)]
    assert (
        "Response time (p95), recovery phase, client's view: 1.31 s, "
        "expected < 100 ms (critical > 500 ms); past the critical threshold"
    ) in said
    errors = [r for c in cases("inconclusive") for r in c.result if isinstance(r, Error)]
    assert any("Prometheus did not answer" in (e.message or "") for e in errors)
    assert all("\n" not in (e.message or "") and e.text == e.message for e in errors)


def test_the_time_of_the_whole_is_the_runs() -> None:
    verdict = examples.passing()
    document = JUnitXml.fromstring(junit.render(verdict).encode())
    assert document.time == (verdict.ended - verdict.started).total_seconds()
    recovered = [c.time for c in cases("passing") if c.name == "Recovery"]
    assert recovered == [e.time_to_recover_s for e in verdict.experiments]
