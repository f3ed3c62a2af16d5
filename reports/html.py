"""report.html: one file that needs nothing else, neither a script nor an address.

The first screen answers "did it survive, and why do we believe it?"; what follows is the evidence
in the order in which one doubts: when, against which promise, by which fault, from which endpoint.
"""

from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports import budget, chart, compared, facts, incident, items, recipes
from reports import format as fmt
from slo.model import (
    Objective,
    ObjectiveResult,
    PhaseKind,
    Unit,
    Verdict,
    View,
)
from slo.verdict.results import settled_elsewhere

FINDINGS_SHOWN = 8  # on the first screen; all of them stand in the tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One phase of an objective: what each view saw, side by side."""

    phase: PhaseKind
    client: tuple[ObjectiveResult, ...]
    server: tuple[ObjectiveResult, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    objective: Objective
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The objectives of one experiment."""

    title: str
    blocks: tuple[Block, ...]


def groups(verdict: Verdict) -> tuple[Group, ...]:
    """Every result, by experiment, objective and phase, each in the order of the verdict."""
    return tuple(
        Group(title=title, blocks=_blocks([r for r in verdict.objectives if r.experiment == name]))
        for name, title in items.titles(verdict).items()
    )


def _blocks(results: list[ObjectiveResult]) -> tuple[Block, ...]:
    return tuple(
        Block(objective=objective, rows=_rows([r for r in results if r.objective == objective]))
        for objective in dict.fromkeys(r.objective for r in results)
    )


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


def _finish(value: object) -> object:
    """Text from outside goes in clean; what is already markup stays as it is."""
    return fmt.clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


_ENVIRONMENT = Environment(
    loader=PackageLoader("reports"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=_finish,
)


def render(verdict: Verdict) -> str:
    """The whole page. The same verdict gives the same text."""
    found = items.findings(verdict)
    return _ENVIRONMENT.get_template("report.html").render(
        verdict=verdict,
        answer=facts.ANSWERS[verdict.outcome],
        notices=facts.notices(verdict),
        length=facts.length(verdict),
        facts=facts.facts(verdict),
        findings=found[:FINDINGS_SHOWN],
        more_findings=len(found[FINDINGS_SHOWN:]),
        groups=groups(verdict),
        compared=compared.rows(verdict),
        budget=budget,
        titles=items.titles(verdict),
        promises=facts.promises(verdict),
        wide=chart.render(verdict, chart.WIDE),
        narrow=chart.render(verdict, chart.NARROW),
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
        fmt=fmt,
        WORDS=fmt.WORDS,
    )
