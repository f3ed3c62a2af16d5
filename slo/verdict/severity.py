"""How bad it was, SEV1 to SEV4, from data and by a table that the policy states and users change.

Judged from the injection of the fault to the end of the recovery phase. User-facing objectives
("users") are response time and error rate, as clients saw them; the others ("internals": CPU,
memory, pod availability, FAISS) are what stands between a fault and its users.

The incident is cut into windows (1 s), and every rule of the table is put to each of them:

- `failing`: at least that `share` of the window's requests failed;
- `critical`, `target-missed` of users: an objective is past its threshold, surely (99 %);
- `function-away`: of an endpoint, not one request succeeded (minor endpoints aside);
- `redundancy-lost`: fewer pods are available than desired, as Prometheus last scraped.

The worst rule that holds gives the window's severity. A severity counts once it has held for
`dwell` (5 s) in all, with no gap as long as that: one bad second is no incident, and a service that
flaps does not come away with many short ones. A function is only away without gaps.

Over a whole phase there are more requests, so that smaller trouble can be told from chance: the
rules `critical` and `target-missed`, of users and internals, are also put to the objectives of the
fault and of the recovery phase. The worst of all decides.

Where evidence is missing, the worst that it could hide is said beside: SEV1 without requests, else
what the table gives for an objective that is past its critical threshold.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import groupby
from typing import NamedTuple

import numpy as np

from slo.evidence.metrics import REDUNDANCY, Series
from slo.indicators.client import ClientView, Flags, Requests, client_view
from slo.model import Objective, ObjectiveResult, Outcome, Severity, SeveritySpan, Unit
from slo.policy import SeverityPolicy, SeverityRule
from slo.show import show


class Observation(NamedTuple):
    """`hidden` is the worst that missing evidence could still hide; `why_hidden` names it."""

    severity: Severity
    reason: str
    hidden: Severity
    why_hidden: str
    spans: tuple[SeveritySpan, ...] = ()


NOTHING = "every objective kept its target"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """The requests due in start <= t < end (seconds since the epoch), None if none were kept.

    `loaded` is false where none were to be sent, so that none are missing.
    """

    found: Requests | None
    start: float
    end: float
    series: Sequence[Series]
    scrape_interval_s: float
    loaded: bool = True


def observe(
    incident: Incident,
    objectives: Sequence[Objective],
    results: Sequence[ObjectiveResult],
    policy: SeverityPolicy,
    error: float,
) -> Observation:
    """The severity of one incident.

    `results` are the objectives in the fault and the recovery phase, in the view that is judged
    outside of faults; `error` is the chance that a window called bad was not.
    """
    found = [f for r in results if (f := _of_result(r, policy))]
    hidden = [_hidden(r, policy) for r in results if r.outcome is Outcome.INCONCLUSIVE]
    if incident.loaded and (incident.found is None or len(incident.found) == 0):
        hidden.append((Severity.SEV1, "there are no requests, so nothing is known of users"))
    spans = _spans(_Windows(incident, objectives, policy, error))
    found += [(s.severity, s.reason) for s in spans]
    none = (Severity.NONE, NOTHING)
    severity, reason = min(found, key=lambda f: f[0].rank, default=none)
    if severity is Severity.NONE:
        reason = NOTHING
    worst_hidden, why = min(hidden, key=lambda h: h[0].rank, default=(Severity.NONE, ""))
    return Observation(severity, reason, worst_hidden, why, spans)


def _of_result(result: ObjectiveResult, policy: SeverityPolicy) -> tuple[Severity, str] | None:
    where = f"{result.objective.title} in the {result.phase.value} phase: {result.reason}"
    critical = ("critical",) if result.outcome is Outcome.FAIL else ()
    missed = ("target-missed",) if result.missed else ()
    severity = _by_table(policy, (*critical, *missed), _of(result))
    return None if severity is Severity.NONE else (severity, where)


def _hidden(result: ObjectiveResult, policy: SeverityPolicy) -> tuple[Severity, str]:
    """Where only the target is open, nothing critical can be hidden."""
    open_target = result.counted is not Outcome.INCONCLUSIVE
    whens = ("target-missed",) if open_target else ("critical", "target-missed")
    severity = _by_table(policy, whens, _of(result))
    return severity, f"{result.objective.title} in the {result.phase.value} phase: {result.reason}"


def _by_table(policy: SeverityPolicy, whens: Sequence[str], of: str) -> Severity:
    fitting = [r.severity for r in policy.rules if r.when in whens and r.of == of]
    return min(fitting, key=lambda s: s.rank, default=Severity.NONE)


def _of(result: ObjectiveResult) -> str:
    return "users" if result.user_facing else "internals"


class _RuleInWindows(NamedTuple):
    """A rule in all windows: where it holds, and in what words."""

    severity: Severity
    holds: Flags
    words: str


class _Windows:
    """The incident in windows; the last one may be shorter."""

    def __init__(
        self,
        incident: Incident,
        objectives: Sequence[Objective],
        policy: SeverityPolicy,
        error: float,
    ) -> None:
        self.policy, self.incident = policy, incident
        self._objectives, self._error = objectives, error
        self.length = policy.window.total_seconds()
        self.need = max(1, math.ceil(policy.dwell.total_seconds() / self.length - 1e-9))
        self.count = max(1, math.ceil((incident.end - incident.start) / self.length - 1e-9))

    def edge(self, i: int) -> datetime:
        at = min(self.incident.start + i * self.length, self.incident.end)
        return datetime.fromtimestamp(at, UTC)

    def findings(self) -> list[_RuleInWindows]:
        return [f for rule in self.policy.rules for f in self._rule(rule) if f.holds.any()]

    def _rule(self, rule: SeverityRule) -> list[_RuleInWindows]:
        if rule.when == "redundancy-lost":
            return [_RuleInWindows(rule.severity, self._redundancy(), "redundancy was lost")]
        found = self.incident.found
        if found is None or len(found) == 0 or rule.of == "internals":
            return []
        if rule.when == "function-away":
            return self._away(found, rule)
        due, failed = self._counts(found)
        if rule.when == "failing":
            share = rule.share or 1.0
            holds = (due > 0) & (failed >= share * due)
            words = f"{show(share, Unit.RATIO)} or more of the requests failed at a time"
            return [_RuleInWindows(rule.severity, holds, words)]
        return [
            _RuleInWindows(
                rule.severity,
                self._past(found, view, _limit(objective, rule)),
                f"{objective.title} was past {show(_limit(objective, rule), objective.unit)}",
            )
            for objective in self._objectives
            if (view := client_view(objective.name))
        ]

    def _window_of(self, found: Requests) -> np.ndarray:
        at = ((found.due - self.incident.start) / self.length).astype(np.int64)
        return np.clip(at, 0, self.count - 1)

    def _counts(self, found: Requests) -> tuple[np.ndarray, np.ndarray]:
        window = self._window_of(found)
        due = np.bincount(window, minlength=self.count)
        return due, np.bincount(window, weights=found.failed, minlength=self.count)

    def _away(self, found: Requests, rule: SeverityRule) -> list[_RuleInWindows]:
        findings = []
        for i, name in enumerate(found.names):
            if any(fnmatchcase(name, pattern) for pattern in self.policy.minor_endpoints):
                continue
            due, failed = self._counts(found.of((i,)))
            words = f"not one request to {name} succeeded"
            # Only a window without requests to it bridges: where one succeeds, it is not away.
            holds = lasting((due > 0) & (failed == due), due == 0, self.need)
            findings.append(_RuleInWindows(rule.severity, holds, words))
        return findings

    def _past(self, found: Requests, view: ClientView, limit: float) -> Flags:
        window = self._window_of(found)
        edges = np.searchsorted(window, np.arange(self.count + 1))
        past = np.zeros(self.count, dtype=np.bool_)
        for i in range(self.count):
            inside = found.where(slice(int(edges[i]), int(edges[i + 1])))
            seen = view.evidence(inside)
            if not isinstance(seen, str) and seen.value > limit:
                past[i] = seen.surely_above(limit, self._error)
        return past

    def _redundancy(self) -> Flags:
        """A window is judged by the last scrape before its end, if that is not too old."""
        points = sorted(
            (t, v)
            for line in self.incident.series
            if line.name == REDUNDANCY
            for t, v in zip(line.times, line.values, strict=True)
        )
        times, values = [t for t, _ in points], [v for _, v in points]
        ends = [self.edge(i + 1).timestamp() for i in range(self.count)]
        last = np.searchsorted(times, ends, side="right") - 1
        fresh = 2 * self.incident.scrape_interval_s
        return np.array(
            [
                k >= 0 and end - times[k] <= fresh and values[k] < 1
                for k, end in zip(last.tolist(), ends, strict=True)
            ],
            dtype=np.bool_,
        )


def _limit(objective: Objective, rule: SeverityRule) -> float:
    return objective.critical if rule.when == "critical" else objective.target


def lasting(holds: Flags, bridges: Flags, need: int) -> Flags:
    """Where a state counts that has to hold in `need` windows, with gaps shorter than that.

    Only gaps that are all `bridges` are bridged. What counts does so from its first window to its
    last, gaps included.
    """
    counts = np.zeros_like(holds)
    at = np.flatnonzero(holds).tolist()
    group: list[int] = []
    for i in [*at, None]:
        joins = (
            i is not None
            and group
            and i - group[-1] <= need
            and bool(bridges[group[-1] + 1 : i].all())
        )
        if i is not None and (joins or not group):
            group.append(i)
            continue
        if len(group) >= need:
            counts[group[0] : group[-1] + 1] = True
        group = [] if i is None else [i]
    return counts


def _spans(windows: _Windows) -> tuple[SeveritySpan, ...]:
    """The time line: the worst that counts in each window, windows alike joined."""
    told: list[tuple[Severity, str]] = [(Severity.NONE, "")] * windows.count
    findings = windows.findings()
    for severity in Severity:
        if severity is Severity.NONE:
            continue
        # What is worse is also as bad: a level is kept up by every rule at or above it.
        bad = [f for f in findings if f.severity.rank <= severity.rank]
        if not bad:
            continue
        held = np.logical_or.reduce([f.holds for f in bad])
        together = lasting(held, np.ones_like(held), windows.need)
        for i in np.flatnonzero(together).tolist():
            if told[i][0].rank > severity.rank:
                told[i] = severity, _words(bad, i)
    spans = []
    for (severity, words), run in groupby(range(windows.count), key=lambda i: told[i]):
        inside = list(run)
        first, last = inside[0], inside[-1]
        spans.append(
            SeveritySpan(
                start=windows.edge(first),
                end=windows.edge(last + 1),
                severity=severity,
                reason=words,
            )
        )
    return tuple(_joined(spans))


def _words(bad: Sequence[_RuleInWindows], i: int) -> str:
    held = [f for f in bad if f.holds[i]] or list(bad)
    return min(held, key=lambda f: f.severity.rank).words


def _joined(spans: Sequence[SeveritySpan]) -> list[SeveritySpan]:
    """Neighbours of one severity become one span; its reason is that of the longest part."""
    joined = []
    for severity, run in groupby(spans, key=lambda s: s.severity):
        parts = list(run)
        longest: Callable[[SeveritySpan], float] = lambda s: (s.end - s.start).total_seconds()  # noqa: E731
        joined.append(
            SeveritySpan(
                start=parts[0].start,
                end=parts[-1].end,
                severity=severity,
                reason=max(parts, key=longest).reason,
            )
        )
    return joined
