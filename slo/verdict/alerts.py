"""What Prometheus' alerts said, against what the data says.

Prometheus keeps a series ALERTS for every alert that is pending or firing; it is recorded over each
experiment, with the rules. An alert cannot be due before its rule's `for` is over, so that a short
incident without alert is no fault of the alerts, and proves nothing of them either.

A Prometheus often watches many namespaces: what fires about another one is no word about this run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from slo.evidence.metrics import ALERTS, RULES, Series
from slo.model import AlertSpell, Check, Outcome, Severity, SeveritySpan, worst
from slo.policy import SeverityPolicy

GAP = 2.5
"""So many scrape intervals without a sample end a spell: the alert is over."""


def about(series: Sequence[Series], namespace: str) -> tuple[Series, ...]:
    """Without alerts and rules that are about another namespace.

    What names none counts: it may be about anything. Where a scrape has a namespace of its own, the
    one that a series is about stands in `exported_namespace` (Prometheus, `honor_labels: false`),
    as with kube-state-metrics in a namespace for monitoring.
    """
    return tuple(s for s in series if s.name not in {ALERTS, RULES} or _ours(s, namespace))


def _ours(line: Series, namespace: str) -> bool:
    named = [line.labels.get(label, "") for label in ("exported_namespace", "namespace")]
    return next(filter(None, named), namespace) == namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One experiment as alerts should have seen it.

    `incident` is what the data shows from the injection on; times are aware, `wanted` are names of
    alerts that the plan expects.
    """

    start: datetime
    injected: datetime
    end: datetime
    spans: Sequence[SeveritySpan]
    severity: Severity
    wanted: Sequence[str]


def spells(
    series: Sequence[Series], policy: SeverityPolicy, step_s: float, start: datetime, end: datetime
) -> tuple[AlertSpell, ...]:
    """Every alert that was pending or firing in start <= t <= end, by when it began.

    One rule makes an alert for each set of labels (pod, endpoint): together they are one here.
    """
    by_alert: dict[tuple[tuple[str, str], ...], dict[str, list[float]]] = {}
    for line in series:
        if line.name != ALERTS:
            continue
        key = tuple((k, line.labels.get(k, "")) for k in ("alertname", "severity"))
        state = line.labels.get("alertstate", "")
        times = [t for t in line.times if start.timestamp() <= t <= end.timestamp()]
        by_alert.setdefault(key, {}).setdefault(state, []).extend(times)
    found = [
        _spell(dict(key), states, run, policy)
        for key, states in by_alert.items()
        for run in _runs(sorted({t for times in states.values() for t in times}), GAP * step_s)
    ]
    return tuple(sorted(found, key=lambda s: (s.pending or s.firing or s.end, s.name, s.label)))


def _runs(times: Sequence[float], gap: float) -> list[tuple[float, float]]:
    runs: list[tuple[float, float]] = []
    for t in times:
        if runs and t - runs[-1][1] <= gap:
            runs[-1] = runs[-1][0], t
        else:
            runs.append((t, t))
    return runs


def _spell(
    labels: dict[str, str],
    states: dict[str, list[float]],
    run: tuple[float, float],
    policy: SeverityPolicy,
) -> AlertSpell:
    def first(state: str) -> datetime | None:
        inside = [t for t in states.get(state, ()) if run[0] <= t <= run[1]]
        return datetime.fromtimestamp(min(inside), UTC) if inside else None

    label = labels.get("severity", "")
    return AlertSpell(
        name=labels.get("alertname", "?"),
        label=label,
        fits=_fits(label, policy),
        pending=first("pending"),
        firing=first("firing"),
        end=datetime.fromtimestamp(run[1], UTC),
    )


def _fits(label: str, policy: SeverityPolicy) -> tuple[Severity, ...]:
    """What the policy says of the label; else a level's own name, which means that level."""
    own = [s for s in Severity if s is not Severity.NONE and s.value == label.upper()]
    return policy.alert_labels.get(label, tuple(own))


def judge_alerts(
    found: Sequence[AlertSpell], series: Sequence[Series], watch: Watch, step_s: float
) -> tuple[Check | None, str]:
    """The check, where there is something to judge, and what is to be said in any case."""
    rules = [line for line in series if line.name == RULES]
    if not rules:
        text = "not known: Prometheus was not asked for its alerts, or gave no whole answer"
        check = _check(Outcome.INCONCLUSIVE, watch, "not known", text) if watch.wanted else None
        return check, text
    waits = {r.labels["alertname"]: r.values[0] for r in rules if "alertname" in r.labels}
    fired = [s for s in found if s.firing is not None]
    answers = [
        *_wanted(watch, fired, waits),
        *_silent(watch, fired, waits, step_s),
        *(_fitting(watch, spell) for spell in fired),
    ]
    if not answers:
        return None, _quiet(watch, waits, step_s)
    outcome = worst([o for o, _ in answers])
    names = ", ".join(dict.fromkeys(s.name for s in fired)) or "none"
    text = "; ".join(words for _, words in answers)
    return _check(outcome, watch, f"fired: {names}", text), text


def _check(outcome: Outcome, watch: Watch, observed: str, evidence: str) -> Check:
    usual = "an alert for each incident, and none without"
    expected = f"{', '.join(watch.wanted)} fires" if watch.wanted else usual
    return Check(
        name="alerts", outcome=outcome, expected=expected, observed=observed, evidence=evidence
    )


def _wanted(
    watch: Watch, fired: Sequence[AlertSpell], waits: dict[str, float]
) -> list[tuple[Outcome, str]]:
    answers = []
    for name in watch.wanted:
        mine = [s for s in fired if s.name == name]
        if mine and mine[0].firing is not None:
            after = (mine[0].firing - watch.injected).total_seconds()
            answers.append((Outcome.PASS, f"{name} fired {after:.1f} s after the injection"))
        elif name not in waits:
            answers.append((Outcome.FAIL, f"{name} did not fire: Prometheus has no such rule"))
        else:
            answers.append((Outcome.FAIL, f"{name} did not fire"))
    return answers


def _silent(
    watch: Watch, fired: Sequence[AlertSpell], waits: dict[str, float], step_s: float
) -> list[tuple[Outcome, str]]:
    """An incident that users notice, and that lasted longer than the quickest rule waits."""
    lasted = _hurt_s(watch)
    if fired or lasted <= 0 or not _due(lasted, waits, step_s):
        return []
    quickest = min(waits.values(), default=0.0)
    what = f"the quickest rule waits {quickest:g} s" if waits else "Prometheus has no alerting rule"
    words = f"incident with no alert: {watch.severity.value} for {lasted:g} s, and {what}"
    return [(Outcome.WARN, words)]


def _due(lasted: float, waits: dict[str, float], step_s: float) -> bool:
    return not waits or lasted > min(waits.values()) + 2 * step_s


def _hurt_s(watch: Watch) -> float:
    """Seconds at SEV2 or worse."""
    worst_rank = Severity.SEV2.rank
    hurt = [s for s in watch.spans if s.severity.rank <= worst_rank]
    return sum((s.end - s.start).total_seconds() for s in hurt)


def _fitting(watch: Watch, spell: AlertSpell) -> tuple[Outcome, str]:
    assert spell.firing is not None
    if spell.firing < watch.injected:
        return Outcome.WARN, f"alert with no incident: {spell.name} fired before the injection"
    if watch.severity is Severity.NONE:
        return Outcome.WARN, f"alert with no incident: {spell.name} fired, and nothing was wrong"
    if not spell.fits:
        label = f"its label {spell.label!r}" if spell.label else "without a severity label it"
        return Outcome.WARN, f"{spell.name} fired, but {label} says no severity that is known"
    said = " or ".join(s.value for s in spell.fits)
    if watch.severity not in spell.fits:
        seen = watch.severity.value
        return Outcome.WARN, f"{spell.name} says {spell.label} ({said}) where the data says {seen}"
    return Outcome.PASS, f"{spell.name} fired, and its label {spell.label} ({said}) fits"


def _quiet(watch: Watch, waits: dict[str, float], step_s: float) -> str:
    lasted = _hurt_s(watch)
    if lasted > 0 and not _due(lasted, waits, step_s):
        quickest = min(waits.values(), default=0.0)
        return (
            f"not tested: users were hurt for {lasted:g} s, and no rule fires before its condition"
            f" has held for {quickest:g} s"
        )
    return "no alert fired, and the data shows nothing that one should have fired for"
