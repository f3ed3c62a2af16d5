"""Exit codes, by name and in one place."""

from enum import IntEnum

from slo.model import Outcome, Verdict


class ExitCode(IntEnum):
    """What the command tells the shell. The last three are 128 + signal, after undoing."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    INCONCLUSIVE = 3
    ABORTED = 4
    FAULT_STUCK = 5
    CRASHED = 70  # EX_SOFTWARE of sysexits.h: a bug of ours, and no verdict
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143


_OF = {
    Outcome.PASS: ExitCode.PASS,
    Outcome.WARN: ExitCode.PASS,
    Outcome.FAIL: ExitCode.FAIL,
    Outcome.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
}


def of_outcome(outcome: Outcome) -> ExitCode:
    return _OF[outcome]


def of(verdict: Verdict) -> ExitCode:
    """A fault that is still there outweighs everything; then how the run ended; then the outcome.

    A signal's own code is known to the process that got the signal alone: scored later, an
    interrupted run is a failed or an inconclusive one.
    """
    if any(
        check.name == "undone" and check.outcome is Outcome.FAIL
        for experiment in verdict.experiments
        for check in experiment.checks
    ):
        return ExitCode.FAULT_STUCK
    if verdict.ended_by == "aborted":
        return ExitCode.ABORTED
    return _OF[verdict.outcome]
