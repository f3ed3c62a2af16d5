"""The first screen's answers: what broke, how bad it was, what to do next, where it is promised.

Each is a few sentences from the verdict alone, for a reader who was not there.
"""

from reports import budget, facts, items
from reports import format as fmt
from reports.causes import Cause
from slo.model import Check, ExperimentResult, Outcome, Severity, Source, Verdict

BROKE = {
    Outcome.PASS: "What broke",
    Outcome.WARN: "What fell short",
    Outcome.FAIL: "What broke",
    Outcome.INCONCLUSIVE: "What is not known",
}
"""The first question in the words that fit the outcome."""

_SHOWN = 3

# What to do where a check failed. The names are those of the checks.
_FAILED = {
    "undone": "Run `gameday recover` now and look at the cluster: a fault of this run may be left.",
    "whole": "Look at the cluster: something did not come back after the fault was undone.",
    "effect": "Correct the fault in the plan: it did not do what it was meant to do.",
    "severity": "Make the service bear this fault better, or, if users may bear it, expect the"
    " higher severity in the plan.",
    "recovery": "Find out why the service did not come back in time. If it cannot by itself, write"
    " the procedure into the runbook and name it as the recovery in the plan.",
    "response": "Correct the procedure or what it waits for: the answer came later than the runbook"
    " promises.",
    "degraded": "Keep the fault from reaching the other endpoints, or, if users may bear it, allow"
    " more in the plan.",
    "procedure": "Correct the procedure in the runbook: a step did not do what it says.",
    "alerts": "Correct the alert in the runbook, or the rules that Prometheus has loaded.",
    "data": "Stop releases until it is known where the acknowledged data went.",
    "load": "Give the load generator more CPU, or plan a lower rate: it was late.",
}


def damage(verdict: Verdict) -> tuple[str, ...]:
    """How bad it was: severity, requests, recoveries, data, and the error budget."""
    return tuple(
        filter(
            None,
            (
                _severity(verdict),
                _requests(verdict),
                _recoveries(verdict.experiments),
                _data(verdict.experiments),
                _budget(verdict),
            ),
        )
    )


def _severity(verdict: Verdict) -> str:
    if not facts.took_effect(verdict):
        return "No severity was judged: no fault took effect."
    if verdict.severity is Severity.NONE:
        return "No fault became an incident."
    return f"{verdict.severity.value} at worst."


def _requests(verdict: Verdict) -> str:
    requests = sum(e.requests for e in verdict.endpoints)
    failed = sum(sum(e.errors.values()) for e in verdict.endpoints)
    if not requests:
        return "No request was recorded."
    if not failed:
        return f"None of {fmt.count(requests)} requests failed."
    share = fmt.percent(failed / requests)
    return f"{fmt.count(failed)} of {fmt.count(requests)} requests failed ({share})."


def _recoveries(experiments: tuple[ExperimentResult, ...]) -> str:
    lost = [e for e in experiments if _check(e, "recovery", Outcome.FAIL)]
    if not lost:
        return ""
    return f"{len(lost)} of {len(experiments)} experiments did not recover in time."


def _data(experiments: tuple[ExperimentResult, ...]) -> str:
    lost = sum(e.damage.lost_data or 0 for e in experiments if e.damage)
    return f"{fmt.count(lost)} acknowledged writes were lost." if lost else ""


def _budget(verdict: Verdict) -> str:
    found = verdict.budget
    if found is None or not found.failed:
        return ""
    period = budget.period(found.period_s)
    return f"That is {fmt.percent(found.cost)} of the error budget for {period}."


def steps(verdict: Verdict, found: tuple[Cause, ...]) -> tuple[str, ...]:
    """What to do next, the most urgent first; never nothing."""
    about: dict[str, list[str]] = {}
    for cause in found:
        if advice := _step(verdict, cause):
            about.setdefault(advice, []).append(f"{cause.lead.experiment!r}")
    # Nothing is more urgent than what is still broken.
    ordered = sorted(about.items(), key=lambda pair: pair[0] != _FAILED["undone"])
    told = [
        f"{', '.join(names)}: {text}" if text in _FAILED.values() and names != ["''"] else text
        for text, names in ordered
    ]
    advice_of_all = [s for s in (_unfinished(verdict), *told) if s]
    if advice_of_all:
        return (*advice_of_all[:_SHOWN], f"Then run the plan {verdict.plan!r} again.")
    command = "`gameday gate NEW_RUN --baseline THIS_RUN`"
    return (
        f"Keep this run: the next release can be held against it with {command}.",
        "Try the alerts and procedures of the runbook as well: `gameday runbook prove`.",
    )


def _unfinished(verdict: Verdict) -> str:
    if verdict.ended_by == "completed":
        return ""
    said = f"The run was {verdict.ended_by}"
    told = next((n for n in verdict.notes if n.casefold().startswith(said.casefold())), "")
    return f"See to what ended the run: {told or 'the runner was killed, or the machine.'}"


def _step(verdict: Verdict, cause: Cause) -> str:
    lead = cause.lead
    if cause.before:
        return (
            f"Bring the service within its limits without a fault: {lead.subject} was"
            f" {lead.observed}, expected {lead.expected}."
        )
    if lead.observed == fmt.NO_DATA:
        # A run that was cut short lacks data because of that.
        if verdict.ended_by != "completed" or not lead.reason:
            return ""
        return f"Have it measured: {lead.reason}."
    if lead.outcome is Outcome.INCONCLUSIVE:
        if not lead.detail and lead.name != "load":
            title = items.check_title(lead.name).lower()
            return f"Find out what is not known of {title!r}: {lead.reason or lead.observed}."
        if lead.name != "load":
            return f"Run the plan for longer or with more load: {lead.reason}."
    if lead.name in _FAILED and not lead.detail:
        return _FAILED[lead.name]
    if lead.detail:
        return f"Find out why {lead.subject} was {lead.observed}, expected {lead.expected}."
    return ""


def sources(verdict: Verdict, found: tuple[Cause, ...]) -> tuple[tuple[Source, str], ...]:
    """The lines of the runbook whose promises decided the outcome, and what each promises.

    Without any, those of everything that did not pass.
    """
    concerned = [i for c in found for i in c.found if i.detail]
    decided = [i for i in concerned if i.outcome is verdict.outcome] or concerned
    names = {i.name for i in decided}
    lines = {
        r.objective.source: f"{r.objective.title} {fmt.target(r.objective)}"
        for r in verdict.objectives
        if r.objective.title in names
    }
    return tuple(lines.items())


def _check(experiment: ExperimentResult, name: str, outcome: Outcome) -> Check | None:
    return next((c for c in experiment.checks if c.name == name and c.outcome is outcome), None)
