"""The verdict in one sentence, as one would say it to a colleague."""

from dataclasses import replace

from slo.model import ExperimentResult, ObjectiveResult, Outcome, Severity, Verdict
from slo.show import show


def headline(verdict: Verdict) -> Verdict:
    """The verdict with its headline."""
    sentence = {
        Outcome.PASS: _kept,
        Outcome.WARN: _kept,
        Outcome.FAIL: _broke,
        Outcome.INCONCLUSIVE: _unknown,
    }[verdict.outcome](verdict)
    return replace(verdict, headline=sentence)


def _kept(verdict: Verdict) -> str:
    passed = sum(e.outcome is Outcome.PASS for e in verdict.experiments)
    tally = f"{passed} of {_count(len(verdict.experiments), 'experiment')} passed"
    missed = [r for r in verdict.objectives if r.judged and r.outcome is Outcome.WARN]
    if missed:
        return f"Nothing critical, but {_say(missed[0])}; {tally}."
    for promise in verdict.promises:
        if promise.counts is Outcome.WARN:
            return f"Nothing critical, but {promise.objective.title}: {promise.reason}; {tally}."
    settled = {p.objective.name for p in verdict.promises}
    for result in verdict.objectives:
        elsewhere = result.objective.name in settled
        if result.judged and result.counted is Outcome.WARN and not elsewhere:
            title, where = result.objective.title, _where(result)
            return f"Nothing critical, but {title} in the {where}: {result.reason}; {tally}."
    return f"The service kept its promises: {tally}; {_worst(verdict)}."


def _worst(verdict: Verdict) -> str:
    if verdict.severity is Severity.NONE:
        return "no fault became an incident"
    return f"worst incident {verdict.severity.value}, as expected"


def _broke(verdict: Verdict) -> str:
    stuck = [e for e in verdict.experiments if _failed(e, "undone")]
    if stuck:
        return f"A fault is still there after {stuck[0].title!r}: someone must look now."
    failed = [e for e in verdict.experiments if e.outcome is Outcome.FAIL]
    broken = [r for r in verdict.objectives if r.judged and r.outcome is Outcome.FAIL]
    if failed:
        more = f" ({len(failed)} of {_count(len(verdict.experiments), 'experiment')} failed)"
        return f"Failed: {_why(failed[0])}{more}."
    if broken:
        return f"Failed: {_say(broken[0])}."
    lost = [p for p in verdict.promises if p.outcome is Outcome.FAIL]
    return f"Failed: {lost[0].objective.title} over all phases without a fault: {lost[0].reason}."


def _failed(experiment: ExperimentResult, check: str) -> bool:
    return any(c.name == check and c.outcome is Outcome.FAIL for c in experiment.checks)


def _why(experiment: ExperimentResult) -> str:
    for check in experiment.checks:
        if check.outcome is Outcome.FAIL:
            break
    else:
        return f"{experiment.title!r} failed"
    if check.name == "severity":
        return (
            f"{experiment.title!r} was {check.observed}, and {check.expected} was allowed:"
            f" {check.evidence}"
        )
    return f"{check.name} after {experiment.title!r}: {check.observed}; expected: {check.expected}"


def _unknown(verdict: Verdict) -> str:
    return f"No verdict: {_why_unknown(verdict)}."


def _why_unknown(verdict: Verdict) -> str:
    if verdict.ended_by == "":
        return "the run just stopped"
    if verdict.ended_by != "completed":
        # The notes have the reason, where the journal has one.
        said = f"the run was {verdict.ended_by}"
        told = (n for n in verdict.notes if n.casefold().startswith(said))
        return next(told, said).removesuffix(".").replace("The run", "the run", 1)
    if verdict.load.outcome is Outcome.INCONCLUSIVE:
        return verdict.load.reason
    for experiment in verdict.experiments:
        for check in experiment.checks:
            if check.outcome is Outcome.INCONCLUSIVE:
                return f"{experiment.title!r}, {check.name}: {check.evidence}"
    for result in verdict.objectives:
        if result.judged and result.counted is Outcome.INCONCLUSIVE:
            return f"{result.objective.title} in the {_where(result)}: {result.reason}"
    for promise in verdict.promises:
        if promise.counts is Outcome.INCONCLUSIVE:
            return f"{promise.objective.title} over all phases without a fault: {promise.reason}"
    return "nothing was tried"


def _say(result: ObjectiveResult) -> str:
    value = result.indicator.value
    assert value is not None
    return (
        f"{result.objective.title} was {show(value, result.objective.unit)} in the {_where(result)}"
    )


def _where(result: ObjectiveResult) -> str:
    return f"{result.phase.value} phase of {result.experiment}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
