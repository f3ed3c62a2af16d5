"""What the plan lets a fault do to its endpoints, against what the fault did.

`expect.degraded` names endpoints, how far they may degrade and for how long. What it does not name,
and what it names once its time is over, has to stay within the critical thresholds of the runbook:
during the fault phase, endpoint by endpoint, from the clients' own requests.

An endpoint fails when it is surely past its limit. Endpoints with the same limits pass together:
one alone often has too few requests to rule anything out.
"""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from slo.evidence.journal import Degraded
from slo.indicators.client import ClientView, Requests, client_view, service_of
from slo.model import Check, Objective, Outcome, Unit, worst
from slo.show import show
from slo.verdict.objectives import Decision


class _Limits(NamedTuple):
    """Which endpoints, in which window (seconds since the epoch), within which limits by SLI."""

    words: str
    endpoints: tuple[int, ...]
    start: float
    end: float
    at_most: tuple[tuple[ClientView, float], ...]


def degraded(
    allowed: Sequence[Degraded],
    objectives: Iterable[Objective],
    found: Requests | None,
    *,
    injected: float,
    end: float,
    decision: Decision,
) -> Check:
    """The check of that name, over the fault phase from the injection to its end."""
    outcomes: list[Outcome] = []
    told: list[str] = []
    if found is None or len(found.between(injected, end)) == 0:
        outcomes.append(Outcome.INCONCLUSIVE)
        told.append("no request was due in the fault phase")
    else:
        for limits in _limits(allowed, tuple(objectives), found, injected, end):
            services = {service_of(found.names[i]) for i in limits.endpoints}
            for sli, most in limits.at_most:
                if sli.service not in services:
                    continue
                outcome, words = _judge(found, limits, sli, most, decision)
                outcomes.append(outcome)
                told.append(words)
    outcome = worst(outcomes)
    ranked = sorted(zip(outcomes, told, strict=True), key=lambda pair: -pair[0].rank)
    return Check(
        name="degraded",
        outcome=outcome,
        expected="; ".join(map(_say, allowed)) or "no endpoint past its critical thresholds",
        observed={
            Outcome.PASS: "no further than that",
            Outcome.FAIL: "further than that",
        }.get(outcome, "not known"),
        evidence="; ".join(words for _, words in ranked),
    )


def _say(allowed: Degraded) -> str:
    limits = []
    if allowed.error_rate is not None:
        limits.append(f"error rate up to {show(allowed.error_rate, Unit.RATIO)}")
    if allowed.response_time_s is not None:
        limits.append(f"response time up to {show(allowed.response_time_s, Unit.SECONDS)}")
    lasting = f" for {allowed.lasting_s:g} s" if allowed.lasting_s is not None else ""
    return f"{', '.join(allowed.endpoints)}: {' and '.join(limits) or 'no further'}{lasting}"


def _limits(
    allowed: Sequence[Degraded],
    objectives: Sequence[Objective],
    found: Requests,
    injected: float,
    end: float,
) -> Iterable[_Limits]:
    """Groups of endpoints under the same limits; the first entry that names an endpoint counts."""
    views = [(v, o) for o in objectives if (v := client_view(o.name))]
    usual = tuple((v, o.critical) for v, o in views)
    left = set(range(len(found.names)))
    for entry in allowed:
        mine = tuple(
            i
            for i in sorted(left)
            if any(fnmatchcase(found.names[i], pattern) for pattern in entry.endpoints)
        )
        left -= set(mine)
        if not mine:
            continue
        until = end if entry.lasting_s is None else min(end, injected + entry.lasting_s)
        loose = tuple((v, _loose(v, entry, o.critical)) for v, o in views)
        words = ", ".join(entry.endpoints)
        yield _Limits(words, mine, injected, until, loose)
        if until < end:
            after = f"{words} after {entry.lasting_s:g} s"
            yield _Limits(after, mine, until, end, usual)
    if left:
        words = "all other endpoints" if allowed else "all endpoints"
        yield _Limits(words, tuple(sorted(left)), injected, end, usual)


def _loose(view: ClientView, entry: Degraded, critical: float) -> float:
    wanted = entry.error_rate if view.quantile is None else entry.response_time_s
    return critical if wanted is None else wanted


def _judge(
    found: Requests, limits: _Limits, view: ClientView, most: float, decision: Decision
) -> tuple[Outcome, str]:
    due = found.between(limits.start, limits.end)
    for i in limits.endpoints:
        alone = view.evidence(due.of((i,)))
        if not isinstance(alone, str) and alone.surely_above(most, decision.error):
            seen = show(alone.value, view.unit)
            past = f"{found.names[i]}: {_name(view)} {seen}, more than {show(most, view.unit)}"
            return Outcome.FAIL, f"{past}, from {alone.count:,} requests"
    together = view.evidence(due.of(limits.endpoints))
    if isinstance(together, str):
        return Outcome.INCONCLUSIVE, f"{limits.words}: {_name(view)}: {together}"
    seen = f"{limits.words}: {_name(view)} {show(together.value, view.unit)}"
    high = together.span(decision.confidence).high
    if together.surely_above(most, decision.error):
        return Outcome.FAIL, f"{seen}, more than {show(most, view.unit)}"
    if most >= 1 and view.unit is Unit.RATIO:
        return Outcome.PASS, f"{seen}, and all of them might fail"
    if high is not None and high <= most:
        count = f"from {together.count:,} requests"
        return Outcome.PASS, f"{seen}, at most {show(most, view.unit)}, {count}"
    wanted = together.needed(most, decision.confidence)
    enough = max(together.count + 1, wanted or 0)
    more = "" if wanted is None else f"; about {enough:,} would be enough"
    few = f"{together.count:,} requests are too few to exclude more than"
    return Outcome.INCONCLUSIVE, f"{seen}, but {few} {show(most, view.unit)}{more}"


def _name(view: ClientView) -> str:
    return "error rate" if view.quantile is None else f"p{view.quantile * 100:g}"


def limit_count(allowed: Sequence[Degraded] | None, endpoints: int) -> int:
    """How many decisions the check makes at most, for the correction for many of them."""
    return 0 if allowed is None else 2 * (endpoints + 2 * len(allowed) + 1)
