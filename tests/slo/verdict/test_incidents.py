"""Severity over time, alerts, degradation, damage and moments of synthetic runs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from slo.evidence.journal import Degraded
from slo.evidence.metrics import ALERTS, CLOCK, REDUNDANCY, RULES, Series
from slo.evidence.recording import read_recording
from slo.model import Check, ErrorKind, Outcome, Severity, Verdict
from slo.policy import Policy, SeverityPolicy, SeverityRule
from slo.verdict.score import score
from slo.verdict.severity import lasting
from tests.slo.builders import START, Act, Answer, Run, build, healthy, outage, slow

Judge = Callable[..., Verdict]
T0 = START.timestamp()
INJECTED = 21.0  # seconds from START in a run of one act


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    def judged(run: Run, policy: Policy | None = None) -> Verdict:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        return score(read_recording(build(run, folder), policy))

    return judged


def check(verdict: Verdict, name: str) -> Check:
    (found,) = [c for c in verdict.experiments[0].checks if c.name == name]
    return found


def names(verdict: Verdict) -> set[str]:
    return {c.name for c in verdict.experiments[0].checks}


def line(verdict: Verdict) -> list[tuple[str, float, float]]:
    """The severity time line, in seconds from the injection."""
    return [
        (s.severity.value, s.start.timestamp() - T0 - INJECTED, s.end.timestamp() - T0 - INJECTED)
        for s in verdict.experiments[0].severities
    ]


# Severity over time


def test_the_time_line_has_the_incident_where_it_was(judge: Judge) -> None:
    assert line(judge(Run(acts=(Act(answer=outage(3, 12)),)))) == [
        ("none", 0, 3),
        ("SEV1", 3, 12),
        ("none", 12, 40),
    ]


def flapping(rng: Random, offset: float) -> Answer:
    down = 2 <= offset < 18 and int(offset) % 2 == 0
    return (0.004, ErrorKind.SERVER_ERROR) if down else healthy(rng, offset)


def test_a_service_that_flaps_is_one_incident_and_not_many(judge: Judge) -> None:
    assert line(judge(Run(acts=(Act(answer=flapping),)))) == [
        ("none", 0, 2),
        ("SEV1", 2, 17),
        ("none", 17, 40),
    ]


def test_a_few_bad_seconds_are_no_sev1(judge: Judge) -> None:
    verdict = judge(Run(acts=(Act(answer=outage(2, 6)),)))
    assert line(verdict) == [("none", 0, 40)]
    assert verdict.severity is Severity.SEV2  # a fifth of the phase failed all the same


def test_one_function_away_is_sev2_though_most_requests_succeed(judge: Judge) -> None:
    def one_in_four_away(rng: Random, offset: float) -> Answer:
        # The builder asks its four endpoints in turn, evenly spaced at 100/s.
        third = round((offset + 20) * 100) % 4 == 2
        bad = third and 1 <= offset < 19
        return (0.004, ErrorKind.REFUSED) if bad else healthy(rng, offset)

    verdict = judge(Run(acts=(Act(answer=one_in_four_away),)))
    assert verdict.severity is Severity.SEV2
    lone = Policy(
        severity=SeverityPolicy(rules=(SeverityRule(severity=Severity.SEV1, when="function-away"),))
    )
    changed = judge(Run(acts=(Act(answer=one_in_four_away),)), lone)
    assert changed.severity is Severity.SEV1
    assert "not one request to POST /attestations succeeded" in (
        changed.experiments[0].severity_reason
    )


def test_redundancy_lost_unseen_by_users_is_sev3(judge: Judge) -> None:
    times = tuple(T0 + t for t in range(0, 62, 2))
    pods = tuple(0.75 if 22 <= t - T0 <= 34 else 1.0 for t in times)
    lost = Series(name=REDUNDANCY, labels={}, times=times, values=pods)
    verdict = judge(Run(series=(lost,)))
    assert (verdict.severity, verdict.outcome) == (Severity.SEV3, Outcome.PASS)
    # Each window is judged by the last scrape before its end: 22 s to 34 s of the run.
    assert line(verdict) == [("SEV3", 0, 14), ("none", 14, 40)]


def test_states_that_flicker_last_only_with_enough_of_them() -> None:
    def counts(text: str, bridges: str = "") -> str:
        holds = np.array([c == "#" for c in text])
        over = np.array([c == "-" for c in bridges]) if bridges else np.ones_like(holds)
        return "".join("#" if f else "." for f in lasting(holds, over, 3))

    assert counts("##.....##") == "........."
    assert counts("#.#.#....") == "#####...."
    assert counts("###......") == "###......"
    assert counts("#..#..#..") == "#######.."
    assert counts("#...#...#") == "........."  # gaps as long as that end it
    assert counts("#.#.#....", ".........") == "........."


# Alerts


def alert(state: str, start: float, end: float, label: str = "critical") -> Series:
    times = tuple(T0 + start + 2 * i for i in range(int((end - start) / 2) + 1))
    labels = {"alertname": "HighErrorRate", "alertstate": state, "severity": label}
    return Series(name=ALERTS, labels=labels, times=times, values=(1.0,) * len(times))


def rules(wait: float) -> tuple[Series, ...]:
    asked = Series(name=RULES, labels={}, times=(T0,), values=(0.0,))
    labels = {"alertname": "HighErrorRate", "severity": "critical"}
    return asked, Series(name=RULES, labels=labels, times=(T0,), values=(wait,))


DOWN = Act(answer=outage(1, 15), severity=Severity.SEV1, recover_within=30)


@pytest.mark.parametrize(
    ("series", "outcome", "words"),
    [
        (
            (*rules(4), alert("pending", 24, 26), alert("firing", 28, 36)),
            Outcome.PASS,
            "label critical (SEV1 or SEV2) fits",
        ),
        ((*rules(4), alert("firing", 28, 36, "info")), Outcome.WARN, "where the data says SEV1"),
        ((*rules(4), alert("firing", 28, 36, "SEV1")), Outcome.PASS, "label SEV1 (SEV1) fits"),
        ((*rules(4), alert("firing", 28, 36, "sev3")), Outcome.WARN, "where the data says SEV1"),
        ((*rules(4), alert("firing", 28, 36, "odd")), Outcome.WARN, "no severity that is known"),
        (rules(4), Outcome.WARN, "incident with no alert: SEV1 for 14 s"),
        ((*rules(4), alert("firing", 4, 10)), Outcome.WARN, "fired before the injection"),
    ],
)
def test_alerts_are_held_against_what_the_data_shows(
    judge: Judge, series: tuple[Series, ...], outcome: Outcome, words: str
) -> None:
    found = check(judge(Run(acts=(DOWN,), series=series)), "alerts")
    assert found.outcome is outcome
    assert words in found.evidence


def test_one_rule_firing_for_many_pods_is_one_alert(judge: Judge) -> None:
    def of(pod: str, line: Series) -> Series:
        return replace(line, labels={**line.labels, "pod": pod})

    pods = (of("a", alert("pending", 24, 30)), of("b", alert("pending", 26, 28)))
    firing = (of("a", alert("firing", 32, 36)), of("b", alert("firing", 30, 36)))
    verdict = judge(Run(acts=(DOWN,), series=(*rules(4), *pods, *firing)))
    (spell,) = verdict.experiments[0].alerts
    assert spell.firing is not None
    assert spell.firing.timestamp() - T0 == 30


@pytest.mark.parametrize(
    ("labels", "counts"),
    [
        ({"namespace": "bizra-system"}, True),
        ({}, True),  # of no namespace: it may be about anything
        ({"namespace": "shop"}, False),
        ({"namespace": "monitoring", "exported_namespace": "bizra-system"}, True),
        ({"namespace": "bizra-system", "exported_namespace": "shop"}, False),
    ],
)
def test_an_alert_of_another_namespace_is_none_of_this_run(
    judge: Judge, labels: dict[str, str], *, counts: bool
) -> None:
    fired = alert("firing", 28, 36)
    series = (*rules(4), replace(fired, labels={**fired.labels, **labels}))
    incident = judge(Run(acts=(DOWN,), series=series))
    assert bool(incident.experiments[0].alerts) is counts
    assert check(incident, "alerts").outcome is (Outcome.PASS if counts else Outcome.WARN)
    assert ("alerts" in names(judge(Run(series=series)))) is counts


def test_a_rule_for_another_namespace_is_not_waited_for(judge: Judge) -> None:
    asked, rule = rules(4)
    elsewhere = replace(rule, labels={**rule.labels, "namespace": "shop"})
    act = replace(DOWN, alerts=("HighErrorRate",))
    found = check(judge(Run(acts=(act,), series=(asked, elsewhere))), "alerts")
    assert found.outcome is Outcome.FAIL
    assert "Prometheus has no such rule" in found.evidence


def test_an_alert_with_no_incident_is_a_finding(judge: Judge) -> None:
    verdict = judge(Run(series=(*rules(4), alert("firing", 28, 36))))
    assert check(verdict, "alerts").evidence.startswith("alert with no incident")
    assert verdict.outcome is Outcome.WARN


def test_an_alert_from_before_the_injection_is_no_station_and_is_named(judge: Judge) -> None:
    verdict = judge(Run(acts=(DOWN,), series=(*rules(300), alert("pending", 4, 50))))
    moments = {m.name: m for m in verdict.experiments[0].moments}
    assert moments["alert pending"].missing.startswith("HighErrorRate was pending before the inj")
    assert moments["alert firing"].missing.startswith("not tested")


def test_an_alert_that_was_not_due_yet_is_neither_missed_nor_tested(judge: Judge) -> None:
    verdict = judge(Run(acts=(DOWN,), series=rules(300)))
    assert "alerts" not in names(verdict)
    assert verdict.experiments[0].alerting.startswith("not tested: users were hurt for 14 s")


def test_an_alert_that_the_plan_expects_must_fire(judge: Judge) -> None:
    act = Act(answer=outage(1, 15), severity=Severity.SEV1, alerts=("HighErrorRate",))
    assert check(judge(Run(acts=(act,), series=rules(4))), "alerts").outcome is Outcome.FAIL
    unknown = judge(Run(acts=(act,)))
    assert check(unknown, "alerts").outcome is Outcome.INCONCLUSIVE
    fired = judge(Run(acts=(act,), series=(*rules(4), alert("firing", 28, 36))))
    assert check(fired, "alerts").outcome is Outcome.PASS


# What the plan lets degrade


@pytest.mark.parametrize(
    ("allowed", "outcome", "words"),
    [
        ((), Outcome.FAIL, "more than 1 %"),
        ((Degraded(endpoints=("*",), error_rate=0.5),), Outcome.PASS, "at most 50 %"),
        ((Degraded(endpoints=("*",), error_rate=0.5, lasting_s=4),), Outcome.FAIL, "more than 1 %"),
        ((Degraded(endpoints=("*",), error_rate=0.5, lasting_s=12),), Outcome.PASS, "after 12 s"),
        ((Degraded(endpoints=("POST /search",), error_rate=0.5),), Outcome.FAIL, "/related"),
        (
            (Degraded(endpoints=("*",), error_rate=0.16),),
            Outcome.INCONCLUSIVE,
            "too few to exclude",
        ),
    ],
)
def test_a_fault_may_degrade_what_the_plan_says_and_no_more(
    judge: Judge, allowed: tuple[Degraded, ...], outcome: Outcome, words: str
) -> None:
    """3 in 10 fail for the first half of the fault: 15 % of it."""
    act = Act(answer=outage(0, 10, share=0.3), severity=Severity.SEV1, degraded=allowed)
    found = check(judge(Run(acts=(act,), seed=4)), "degraded")
    assert (found.outcome, words in found.evidence) == (outcome, True), found.evidence


def test_slowness_is_a_degradation_too(judge: Judge) -> None:
    def judged(limit: float) -> Outcome:
        allowed = (Degraded(endpoints=("*",), response_time_s=limit),)
        act = Act(answer=slow(0, 20, 0.7), severity=Severity.SEV2, degraded=allowed)
        return check(judge(Run(acts=(act,))), "degraded").outcome

    assert (judged(1.0), judged(0.6)) == (Outcome.PASS, Outcome.FAIL)


# Moments, damage, response


def test_every_station_has_a_time_or_the_reason_why_not(judge: Judge) -> None:
    series = (*rules(4), alert("pending", 24, 26), alert("firing", 28, 36))
    verdict = judge(Run(acts=(DOWN,), series=series))
    moments = {m.name: m for m in verdict.experiments[0].moments}
    since = {n: m.time.timestamp() - T0 - INJECTED for n, m in moments.items() if m.time}
    assert since == {
        "injected": 0,
        "effect seen": pytest.approx(0.4),
        "first bad window": 2,
        "alert pending": 3,
        "alert firing": 7,
        "SEV1 reached": 1,
        "fault undone": 6,
        "recovered": 16,
        "stable": 16,
    }
    assert moments["procedure started"].missing == "none was: the service was left to itself"
    calm = judge(Run())
    assert all(m.time or m.missing for m in calm.experiments[0].moments)


def test_a_relapse_puts_off_stability_and_with_it_the_recovery(judge: Judge) -> None:
    def twice(rng: Random, offset: float) -> Answer:
        down = 1 <= offset < 3 or 20 <= offset < 24
        return (0.004, ErrorKind.SERVER_ERROR) if down else healthy(rng, offset)

    verdict = judge(Run(acts=(Act(answer=twice, severity=Severity.SEV1),)))
    moments = {m.name: m.time for m in verdict.experiments[0].moments if m.time}
    assert (moments["stable"] - moments["recovered"]).total_seconds() == 20
    found = check(verdict, "recovery")
    assert found.outcome is Outcome.FAIL
    assert "after it was first back" in found.evidence


def test_what_was_lost_is_counted_and_what_nobody_looked_for_is_not_called_safe(
    judge: Judge,
) -> None:
    def forgets(rng: Random, offset: float) -> Answer:
        mine = round((offset + 20) * 100) % 4 == 3  # GET by id
        gone = mine and 2 <= offset < 3
        return (0.004, ErrorKind.CLIENT_ERROR) if gone else healthy(rng, offset)

    verdict = judge(Run(acts=(Act(answer=forgets, severity=Severity.SEV1),)))
    damage = verdict.experiments[0].damage
    assert damage is not None
    assert (damage.lost_data, damage.failed, damage.requests) == (25, 25, 4000)
    assert check(verdict, "data").outcome is Outcome.FAIL
    down = judge(Run(acts=(Act(answer=outage(-99, 99)),)))
    assert "data" not in names(down)
    cost = down.experiments[0].damage
    assert cost is not None
    assert cost.lost_data is None
    assert cost.data_evidence.startswith("not measured")


@pytest.mark.parametrize(
    ("status", "to", "refused", "lost"),
    [
        (404, "read", (1, 200), 200),  # one that was not there before hides nothing
        (404, "read", (20, 20), None),  # the load asks for what never was: nothing is told by it
        (404, "read", (0, 1), 1),
        (410, "read", (0, 1), 1),
        (429, "read", (40, 200), 0),  # refused, which says nothing of the data
        (422, "write", (100, 200), 0),  # a write that was refused is never read
        (404, "write", (100, 200), 0),
    ],
)
def test_data_is_lost_where_what_was_acknowledged_is_not_found(
    judge: Judge, status: int, to: str, refused: tuple[int, int], lost: int | None
) -> None:
    """Refused of 500 requests to an endpoint before, and of 1,000 after the injection."""

    def refuses(rng: Random, offset: float) -> Answer:
        number, which = divmod(round((offset + 20) * 100), 4)
        if which == {"write": 2, "read": 3}[to] and -refused[0] <= number - 500 < refused[1]:
            return 0.004, ErrorKind.CLIENT_ERROR
        return healthy(rng, offset)

    act = Act(answer=refuses, severity=Severity.SEV1, refusal=status)
    verdict = judge(Run(acts=(act,)))
    damage = verdict.experiments[0].damage
    assert damage is not None
    assert damage.lost_data == lost, damage.data_evidence
    if lost is None:
        assert damage.data_evidence.endswith("20 of 500 before the injection already")
        assert "data" not in names(verdict)
    else:
        assert check(verdict, "data").outcome is (Outcome.FAIL if lost else Outcome.PASS)


def test_an_incident_is_answered_within_the_time_of_its_severity(judge: Judge) -> None:
    found = check(judge(Run(acts=(DOWN,))), "response")
    assert (found.outcome, found.expected) == (Outcome.PASS, "SEV1: within 900 s")
    never = judge(Run(acts=(Act(answer=outage(1, 99)),)))
    assert check(never, "response").outcome is Outcome.INCONCLUSIVE  # 39 s are no 15 min
    assert "response" not in names(judge(Run()))


# Whose measurement counts


def test_a_prometheus_whose_clock_is_off_is_not_believed(judge: Judge) -> None:
    skew = Series(name=CLOCK, labels={}, times=(T0 + 60,), values=(-37.0,))
    verdict = judge(Run(series=(skew,)))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    reasons = {r.reason for r in verdict.objectives if r.objective.name == "cpu_utilization"}
    assert reasons == {"clock skew: Prometheus' clock is 37 s behind ours, so windows do not match"}
    close = Series(name=CLOCK, labels={}, times=(T0 + 60,), values=(0.4,))
    assert judge(Run(series=(close,))).outcome is Outcome.PASS


def test_a_generator_out_of_breath_fails_nobody_for_slowness(judge: Judge) -> None:
    run = Run(acts=(Act(answer=slow(-99, 99, 0.8)),))
    assert judge(run).outcome is Outcome.FAIL
    out = Run(acts=(Act(answer=slow(-99, 99, 0.8)),), cpu_share=0.97)
    verdict = judge(out)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "used 97 % of its core" in verdict.load.reason
    failing = Run(acts=(Act(answer=outage(-99, 99, share=0.2)),), cpu_share=0.97)
    assert judge(failing).outcome is Outcome.FAIL  # what failed has failed


def test_the_score_adds_up_in_front_of_the_reader(judge: Judge) -> None:
    for run in (Run(), Run(acts=(DOWN, Act(name="again", answer=slow(0, 99, 0.2))))):
        verdict = judge(run)
        assert round(sum(10 * a.points for a in verdict.addends)) == round(10 * verdict.score)
        assert round(sum(10 * a.of for a in verdict.addends)) == 1000
        assert all(0 <= a.points <= a.of for a in verdict.addends)
