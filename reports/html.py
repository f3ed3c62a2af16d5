"""report.html: one file that needs nothing else, neither a script nor an address.

The first screen answers "did it survive, and why do we believe it?"; what follows is the evidence
in the order in which one doubts: when, against which promise, by which fault, from which endpoint.
"""

from dataclasses import dataclass

from reports import answers, budget, causes, chart, compared, facts, incident, items, page, recipes
from reports import format as fmt
from slo.model import (
    Objective,
    ObjectiveResult,
    PhaseKind,
    Unit,
    Verdict,
    View,
)
from slo.verdict.results import means, settled_elsewhere

LEADING = 3  # causes that the first screen names, of the worst outcome; the next section has all


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One phase of an objective: what each view saw, side by side."""

    phase: PhaseKind
    client: tuple[ObjectiveResult, ...]
    server: tuple[ObjectiveResult, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """`unmeasured` is why the service measured it in no phase, "" where it did in any."""

    objective: Objective
    rows: tuple[Row, ...]
    unmeasured: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The objectives of one experiment; `told` is how many results had which outcome."""

    title: str
    told: str
    blocks: tuple[Block, ...]


def groups(verdict: Verdict) -> tuple[Group, ...]:
    """Every result, by experiment, objective and phase, each in the order of the verdict."""
    return tuple(
        Group(title=title, told=_told(own, verdict), blocks=_blocks(own))
        for name, title in items.titles(verdict).items()
        for own in [[r for r in verdict.objectives if r.experiment == name]]
    )


def _told(results: list[ObjectiveResult], verdict: Verdict) -> str:
    return fmt.tally(means(r, verdict.promises) for r in results if r.judged) or "none was judged"


def _blocks(results: list[ObjectiveResult]) -> tuple[Block, ...]:
    return tuple(
        Block(objective=objective, rows=_rows(own), unmeasured=_unmeasured(own))
        for objective in dict.fromkeys(r.objective for r in results)
        for own in [[r for r in results if r.objective == objective]]
    )


def _unmeasured(results: list[ObjectiveResult]) -> str:
    """The one reason why the service's view is missing and not judged, in every phase alike."""
    seen = [r for r in results if r.view is View.SERVER]
    reasons = {items.why(r) for r in seen}
    away = all(r.indicator.value is None and not r.judged for r in seen)
    return reasons.pop() if seen and away and len(reasons) == 1 else ""


def _rows(results: list[ObjectiveResult]) -> tuple[Row, ...]:
    return tuple(
        Row(
            phase=phase,
            client=tuple(r for r in results if r.phase is phase and r.view is View.CLIENT),
            server=tuple(r for r in results if r.phase is phase and r.view is View.SERVER),
        )
        for phase in PhaseKind
        if any(r.phase is phase for r in results)
    )


def _apart(verdict: Verdict) -> tuple[ObjectiveResult, ...]:
    """Where clients and service cannot both be right, one result for both views."""
    return tuple(
        r for r in verdict.objectives if r.disagreement and r.judged and r.view is View.CLIENT
    )


def _errors(errors: dict[str, int]) -> str:
    return ", ".join(f"{fmt.count(n)} {kind}" for kind, n in sorted(errors.items()) if n) or "none"


def _contents(verdict: Verdict, found: tuple[causes.Cause, ...]) -> tuple[tuple[str, str], ...]:
    """The sections of the page that this verdict has: anchor and words, in their order."""
    sections = (
        ("causes", "What did not pass", found),
        ("timeline", "What clients felt", True),
        ("faults", "What was done to it", verdict.experiments),
        ("comparison", "Against the baseline run", verdict.comparison),
        ("promises", "What the runbook promises", verdict.objectives),
        ("objectives", "Every promise in every phase", True),
        ("apart", "Where clients and service cannot both be right", _apart(verdict)),
        ("experiments", "Experiments", True),
        ("budget", "Error budget", verdict.budget),
        ("score", "Score", verdict.addends),
        ("endpoints", "Endpoints", True),
        ("load", "Load generator", True),
        ("byhand", "To check it by hand", True),
        ("notes", "Notes", verdict.notes),
    )
    return tuple((anchor, words) for anchor, words, there in sections if there)


def render(verdict: Verdict) -> str:
    """The whole page. The same verdict gives the same text."""
    found = causes.causes(verdict)
    return page.render(
        "report.html",
        title=f"{fmt.WORDS[verdict.outcome]}: {verdict.plan} on {verdict.target}",
        version=verdict.gameday_version,
        verdict=verdict,
        answer=facts.ANSWERS[verdict.outcome],
        notices=facts.notices(verdict),
        length=facts.length(verdict),
        facts=facts.facts(verdict),
        broke=answers.BROKE[verdict.outcome],
        causes=found,
        leading=min(LEADING, sum(c.outcome is found[0].outcome for c in found)),
        damage=answers.damage(verdict),
        steps=answers.steps(verdict, found),
        sources=answers.sources(verdict, found),
        contents=_contents(verdict, found),
        groups=groups(verdict),
        compared=compared.rows(verdict),
        budget=budget,
        titles=items.titles(verdict),
        promises=facts.promises(verdict),
        charts=tuple((size.name, chart.render(verdict, size)) for size in chart.SIZES),
        bucket=chart.bucket(verdict, chart.WIDE),
        incidents=tuple(incident.line(e) for e in verdict.experiments),
        is_settled=lambda r: r.judged and settled_elsewhere(r, verdict.promises),
        RATIO=Unit.RATIO,
        SECONDS=Unit.SECONDS,
        apart=_apart(verdict),
        recipes=recipes.objectives(verdict),
        figures=recipes.others(verdict),
        recovery=facts.recovery,
        errors=_errors,
        why=items.why,
        check=items.check_title,
    )
