"""The error budget in words."""

from reports import format as fmt
from slo.model import BudgetAlert, BudgetWindow, ErrorBudget

_DAY_S = 86400
_WHOLE = 1 - 1e-9


def period(seconds: float) -> str:
    """Days where they are whole: 30 days; else as any time."""
    days, rest = divmod(seconds, _DAY_S)
    if days and not rest:
        return f"{days:g} day{'' if days == 1 else 's'}"
    return fmt.seconds(seconds)


def sentence(budget: ErrorBudget) -> str:
    """What the run cost, for the reader who reads no more than that."""
    failed = f"{fmt.count(budget.failed)} of {fmt.count(budget.requests)} requests failed"
    lasted = fmt.seconds(budget.length_s)
    if not budget.failed:
        return f"No request of this run failed in {lasted}: it cost nothing of the budget."
    return (
        f"{failed} in {lasted}: {fmt.percent(budget.cost)} of what an objective of"
        f" {fmt.percent(budget.objective)} allows for {period(budget.period_s)}, at a burn rate of"
        f" {fmt.number(budget.burn_rate)}."
    )


def line(budget: ErrorBudget) -> tuple[str, str]:
    """The share that is used up, and how fast, for a place that has one line for it."""
    burning = [fmt.number(a.burn_rate) for a in budget.alerts if a.fires]
    alerts = f", past the alert at {', '.join(burning)}" if burning else ""
    whole = f"of {period(budget.period_s)} at {fmt.percent(budget.objective)}"
    return (
        fmt.percent(budget.cost),
        f"{whole} used; burn rate {fmt.number(budget.burn_rate)}{alerts}",
    )


def window(found: BudgetWindow) -> str:
    """What was seen of a window, and what that says of the whole of it."""
    counts = f"{fmt.count(found.failed)} of {fmt.count(found.requests)} failed"
    if found.covered_s >= _WHOLE * found.length_s:
        return f"{period(found.length_s)}: {fmt.number(found.burn_rate)} at worst ({counts})"
    covered = f"{period(found.length_s)}, of which the run covers {fmt.seconds(found.covered_s)}"
    least, ran = fmt.number(found.at_least), fmt.number(found.burn_rate)
    return f"{covered}: at least {least} ({counts}; {ran} while it ran)"


def fires(alert: BudgetAlert) -> str:
    if alert.fires is None:
        return "not known: the run is shorter than the window"
    return "yes" if alert.fires else "no"
