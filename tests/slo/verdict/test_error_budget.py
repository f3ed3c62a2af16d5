"""The error budget, by figures that one can check by hand."""

import io
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from junitparser import JUnitXml
from rich.console import Console

from reports import budget as words
from reports import format as fmt
from reports import junit, terminal
from slo.evidence.recording import Recording, read_recording
from slo.model import BudgetAlert, ErrorBudget, Verdict
from slo.policy import Policy
from slo.verdict import verdict_json
from slo.verdict.score import score
from tests.slo.builders import Act, Run, build, outage

THIRTY_DAYS_S = 30 * 86400


def recording(run: Run) -> Recording:
    with tempfile.TemporaryDirectory() as folder:
        return read_recording(build(run, Path(folder)))


@pytest.fixture(scope="module")
def broken() -> Recording:
    """60 requests/s for a minute; all fail in the 10 s after the injection."""
    return recording(Run(acts=(Act(answer=outage(0, 10)),), rate=60.0))


def of(verdict: Verdict) -> ErrorBudget:
    assert verdict.budget is not None
    return verdict.budget


def alerts(found: Recording, **alert: object) -> BudgetAlert:
    policy = Policy.model_validate({"error_budget": {"alerts": [alert]}})
    return of(score(replace(found, policy=policy))).alerts[0]


def test_burn_rate_and_cost_are_those_of_the_formulas(broken: Recording) -> None:
    budget = of(score(broken))
    assert (budget.failed, budget.requests) == (600, 3600)
    assert budget.burn_rate == pytest.approx(600 / 3600 / 0.001)
    allowed = 0.001 * (3600 / budget.length_s) * THIRTY_DAYS_S
    assert budget.budget == pytest.approx(allowed)
    assert budget.cost == pytest.approx(600 / allowed)
    # Ten seconds of outage of the 43.2 minutes that 99.9 % leaves of 30 days.
    assert budget.cost == pytest.approx(10 / (43.2 * 60), rel=0.01)


def test_an_incident_costs_what_failed_from_its_injection_on(broken: Recording) -> None:
    (incident,) = of(score(broken)).incidents
    assert incident.failed == 600
    assert incident.length_s == pytest.approx(40)
    assert incident.requests == 2400
    assert incident.cost == of(score(broken)).cost


def test_windows_longer_than_the_run_are_lower_bounds(broken: Recording) -> None:
    hour, *_ = of(score(broken)).alerts
    assert hour.long.covered_s == pytest.approx(60, abs=0.1)
    # 600 failures of the requests that an hour has at this rate.
    assert hour.long.at_least == pytest.approx(600 / (60 * 3600) / 0.001, rel=0.01)
    assert hour.long.burn_rate == pytest.approx(600 / 3600 / 0.001)
    # 2.8 is below 14.4, but what else failed within the hour nobody saw.
    assert hour.fires is None
    assert words.fires(hour).startswith("not known")
    assert "of which the run covers 60 s" in words.window(hour.long)


def test_an_alert_that_fires_by_the_lower_bound_fires(broken: Recording) -> None:
    assert alerts(broken, long="1h", short="5m", burn_rate=2).fires is True


def test_windows_within_the_run_are_judged_at_their_worst(broken: Recording) -> None:
    fast = alerts(broken, long="20s", short="5s", burn_rate=400)
    assert fast.short.burn_rate == pytest.approx(1000)
    assert fast.long.burn_rate == pytest.approx(500)
    assert fast.fires is True
    assert alerts(broken, long="20s", short="5s", burn_rate=600).fires is False


def test_both_windows_must_burn_at_the_same_time() -> None:
    """The long window remembers the outage, but it is over, and the short one says so."""
    found = recording(Run(acts=(Act(answer=outage(0, 4), fault=40, recovery=40),), rate=60.0))
    assert alerts(found, long="60s", short="50s", burn_rate=60).fires is True
    assert alerts(found, long="60s", short="2s", burn_rate=60).fires is True
    late = alerts(found, long="60s", short="2s", burn_rate=1001)
    assert late.fires is False


def test_nothing_failed_costs_nothing_and_nothing_sent_has_no_budget() -> None:
    well = recording(Run())
    budget = of(score(well))
    assert (budget.cost, budget.burn_rate) == (0, 0)
    assert "cost nothing" in words.sentence(budget)
    assert score(replace(well, samples=None)).budget is None


def test_the_closing_screen_and_junit_have_a_line_for_it(broken: Recording) -> None:
    policy = Policy.model_validate(
        {"error_budget": {"alerts": [{"long": "20s", "short": "5s", "burn_rate": 400}]}}
    )
    verdict = score(replace(broken, policy=policy))
    budget = of(verdict)
    out = io.StringIO()
    terminal.show(verdict, Console(file=out, width=100), Path("runs/latest"))
    told = " ".join(out.getvalue().split())
    share, rate = fmt.percent(budget.cost), fmt.number(budget.burn_rate)
    burning = f"burn rate {rate}, past the alert at 400"
    assert f"Error budget {share} of 30 days at 99.9 % used; {burning}" in told
    *_, run = JUnitXml.fromstring(junit.render(verdict).encode())
    assert {p.name: p.value for p in run.properties()} == {"error budget": words.sentence(budget)}


def test_it_goes_through_verdict_json(broken: Recording) -> None:
    verdict = score(broken)
    assert verdict_json.load(verdict_json.dump(verdict)) == verdict


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9))
def test_a_longer_outage_costs_more(one: int, more: int) -> None:
    """In proportion: the same traffic, twice the failures, twice the cost."""
    short, long = (
        of(score(recording(Run(acts=(Act(answer=outage(0, s), fault=20),), rate=20.0))))
        for s in (one, one + more)
    )
    assert long.cost / short.cost == pytest.approx((one + more) / one)
