"""What did not pass, by its cause: whatever comes from one cause is told once.

What failed in an experiment belongs to that experiment, also where it spoils an objective over all
phases; a missing source of data is one cause, however many figures lack it.
"""

from dataclasses import dataclass

from reports import format as fmt
from reports import items
from reports.items import Item
from slo.model import Outcome, PhaseKind, Verdict

# Of an experiment's checks that failed, the first of these tells most.
_WEIGHTS = ("undone", "data", "whole", "recovery", "procedure", "severity", "degraded")
_NAMES = 3  # of figures without data in a title


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Findings of one cause, the worst first. `number` is the experiment's place, None without."""

    outcome: Outcome
    title: str
    found: tuple[Item, ...]
    number: int | None = None
    before: bool = False  # all that failed, failed before the fault

    @property
    def lead(self) -> Item:
        return self.found[0]

    @property
    def brief(self) -> str:
        """What was seen, for a place that has one line for it; "" where the title says it."""
        lead = self.lead
        if lead.observed == fmt.NO_DATA or self.title == items.check_title(lead.name):
            return "" if lead.observed == fmt.NO_DATA else lead.observed
        return f"{items.check_title(lead.name)}: {lead.observed}"


def causes(verdict: Verdict) -> tuple[Cause, ...]:
    """Everything that did not pass, each item in one cause, the worst cause first."""
    found = [i for i in items.items(verdict) if i.outcome is not Outcome.PASS]
    blamed = {i.experiment for i in found if i.experiment and i.outcome is Outcome.FAIL}
    spoilt: dict[str, str] = {}
    for item in found:
        if item.experiment and item.detail and item.outcome is Outcome.FAIL:
            spoilt.setdefault(item.name, item.experiment)
    numbers = {e.title or e.name: n for n, e in enumerate(verdict.experiments, start=1)}
    groups: dict[tuple[str, str], list[Item]] = {}
    for item in found:
        groups.setdefault(_key(item, blamed, spoilt), []).append(item)
    together = [_cause(kind, name, group, numbers) for (kind, name), group in groups.items()]
    return tuple(sorted(together, key=lambda c: -c.outcome.rank))


def _key(item: Item, blamed: set[str], spoilt: dict[str, str]) -> tuple[str, str]:
    """Items with the same key have the same cause."""
    if item.observed == fmt.NO_DATA:
        return "missing", item.reason
    if item.experiment in blamed:
        return "experiment", item.experiment
    if not item.experiment and item.outcome is Outcome.FAIL and item.name in spoilt:
        return "experiment", spoilt[item.name]
    if item.detail:
        return "objective", f"{item.name}, {item.outcome.value}"
    return ("experiment", item.experiment) if item.experiment else ("run", item.subject)


def _weight(item: Item) -> int:
    return _WEIGHTS.index(item.name) if item.name in _WEIGHTS else len(_WEIGHTS)


def _cause(kind: str, name: str, group: list[Item], numbers: dict[str, int]) -> Cause:
    ordered = tuple(sorted(group, key=lambda i: (-i.outcome.rank, _weight(i))))
    outcome = ordered[0].outcome
    if kind == "experiment":
        first = f"{PhaseKind.BASELINE.value} phase"
        worst = [i for i in ordered if i.outcome is outcome and i.experiment]
        before = bool(worst) and all(i.detail.startswith(first) for i in worst)
        return Cause(
            outcome=outcome,
            title=f"Before the fault: {name}" if before else name,
            found=ordered,
            number=numbers.get(name),
            before=before,
        )
    if kind == "missing":
        names = list(dict.fromkeys(items.check_title(i.name) for i in ordered))
        more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        title = f"No data: {', '.join(names[:_NAMES])}{more}"
    else:
        # Over all phases together is what counts, where that was asked.
        ordered = tuple(sorted(ordered, key=lambda i: (-i.outcome.rank, bool(i.experiment))))
        title = items.check_title(ordered[0].name)
    return Cause(outcome=outcome, title=title, found=ordered)
