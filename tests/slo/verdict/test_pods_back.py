"""Recovery in a run without load, from what the journal tells of the pods."""

from datetime import UTC, datetime, timedelta

import pytest

from slo.evidence import journal
from slo.evidence.experiment_log import ExperimentLog
from slo.evidence.journal import PodsSeen
from slo.model import Outcome, Phase, PhaseKind, Severity
from slo.verdict.pods_back import pods_back

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def story() -> ExperimentLog:
    """The fault at 20 s, seen at 21 s; recovery until 60 s, and allowed to take 15 s."""
    expectation = journal.Expectation(
        severity=Severity.SEV3, recover_within_s=15, good_windows=3, window_s=2
    )
    started = journal.ExperimentStarted(
        time=at(0), experiment="e", title="E", fault="pod-kill", expectation=expectation
    )
    found = ExperimentLog.begin(started)
    name = {"experiment": "e"}
    found.faults[""].injected = journal.FaultInjected(time=at(20), **name)
    found.faults[""].confirmed = journal.FaultConfirmed(time=at(21), evidence="gone", **name)
    found.phases = [
        Phase(experiment="e", kind=kind, start=at(start), end=at(end))
        for kind, start, end in (
            (PhaseKind.BASELINE, 0, 20),
            (PhaseKind.FAULT, 20, 40),
            (PhaseKind.RECOVERY, 40, 60),
        )
    ]
    return found


def seen(*rows: tuple[float, int, int]) -> list[PodsSeen]:
    return [PodsSeen(time=at(t), ready=ready, wanted=wanted) for t, ready, wanted in rows]


@pytest.mark.parametrize(
    ("rows", "outcome", "took"),
    [
        (seen((1, 2, 2)), Outcome.PASS, 0.0),
        (seen((1, 2, 2), (20.5, 1, 2), (29, 2, 2)), Outcome.PASS, 8.0),
        (seen((1, 2, 2), (20.5, 1, 2), (38, 2, 2)), Outcome.FAIL, 17.0),
        (seen((1, 2, 2), (20.5, 1, 2), (25, 2, 2), (30, 1, 2), (33, 2, 2)), Outcome.PASS, 12.0),
        (seen((1, 2, 2), (20.5, 1, 2), (25, 2, 2), (30, 1, 2)), Outcome.FAIL, None),
        (seen((1, 2, 2), (20.5, 0, 0)), Outcome.FAIL, None),  # nothing is wanted: that is not well
        (seen((1, 2, 2), (20.5, 1, 2), (29, 2, 2), (31, 3, 3)), Outcome.PASS, 8.0),
        ([], Outcome.INCONCLUSIVE, None),
    ],
)
def test_the_pods_were_back_when_they_were_back_for_good(
    rows: list[PodsSeen], outcome: Outcome, took: float | None
) -> None:
    found = pods_back(story(), rows)
    assert (found.check.outcome, found.took_s) == (outcome, took)


def test_without_an_effect_there_was_nothing_to_cure() -> None:
    told = story()
    told.faults[""].confirmed = None
    assert pods_back(told, seen((1, 2, 2))).check.outcome is Outcome.INCONCLUSIVE
