"""The journal told per experiment, with one fault and with several."""

from datetime import UTC, datetime, timedelta

from slo.evidence import journal
from slo.evidence.experiment_log import ExperimentLog, experiment_logs
from slo.model import Severity

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def at(second: float) -> datetime:
    return BEGIN + timedelta(seconds=second)


def story(*entries: journal.Entry, faults: tuple[str, ...] = ("1", "2")) -> ExperimentLog:
    expectation = journal.Expectation(
        severity=Severity.SEV3, recover_within_s=1, good_windows=1, window_s=1
    )
    started = journal.ExperimentStarted(
        time=at(0), experiment="e", title="E", fault="f", faults=faults, expectation=expectation
    )
    (told,) = experiment_logs([started, *entries])
    return told


def injected(second: float, fault: str) -> journal.FaultInjected:
    return journal.FaultInjected(time=at(second), experiment="e", fault=fault)


def confirmed(second: float, fault: str) -> journal.FaultConfirmed:
    return journal.FaultConfirmed(time=at(second), experiment="e", fault=fault, evidence=fault)


def reverted(second: float, fault: str) -> journal.FaultReverted:
    return journal.FaultReverted(time=at(second), experiment="e", fault=fault, evidence=fault)


def test_the_effect_is_there_once_every_fault_has_its_own() -> None:
    both = [injected(1, "1"), injected(3, "2"), confirmed(4, "2")]
    assert story(*both).confirmed is None
    seen = story(*both, confirmed(5, "1")).confirmed
    assert seen is not None
    assert (seen.time, seen.evidence) == (at(4), "1; 2")


def test_undone_is_when_the_last_one_is() -> None:
    both = [injected(1, "1"), injected(2, "2"), reverted(6, "2")]
    assert story(*both).undone is None
    gone = story(*both, reverted(9, "1")).undone
    assert isinstance(gone, journal.FaultReverted)
    assert gone.time == at(9)


def test_one_that_is_stuck_counts_before_all() -> None:
    stuck = journal.FaultStuck(time=at(7), experiment="e", fault="1", reason="no way")
    told = story(injected(1, "1"), injected(2, "2"), reverted(6, "2"), stuck)
    assert told.undone == stuck


def test_one_that_is_not_whole_counts_before_those_that_are() -> None:
    missing = journal.FaultNotWhole(time=at(7), experiment="e", fault="1", reason="too slow")
    told = story(injected(1, "1"), injected(2, "2"), missing, reverted(8, "2"))
    assert told.undone == missing


def test_a_fault_that_was_refused_leaves_the_others_to_be_undone() -> None:
    refused = journal.FaultRefused(time=at(1), experiment="e", fault="1", reason="no target")
    told = story(refused, injected(2, "2"), confirmed(3, "2"), reverted(4, "2"))
    assert told.confirmed is None
    assert told.refused == refused
    assert isinstance(told.undone, journal.FaultReverted)


def test_a_single_fault_needs_no_name() -> None:
    told = story(injected(1, ""), confirmed(2, ""), faults=("",))
    assert told.confirmed is not None
    assert told.injected == injected(1, "")
