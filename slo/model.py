"""Core types: what a run records and what a verdict says.

Everything here is a frozen value without behaviour beyond what its own fields decide. Times are
aware UTC datetimes or, in columns, seconds since the epoch; durations are seconds; shares are
ratios in [0, 1]. Percent exists only on the screen.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

SCHEMA_VERSION = 1


class Outcome(StrEnum):
    """The four answers. Inconclusive is never green."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"

    @property
    def rank(self) -> int:
        """Order for "the worst of": a proven failure outweighs missing evidence."""
        return _RANK[self]


_RANK = {Outcome.PASS: 0, Outcome.WARN: 1, Outcome.INCONCLUSIVE: 2, Outcome.FAIL: 3}


def worst(outcomes: "list[Outcome]") -> Outcome:
    """The worst of the outcomes; of none at all: inconclusive, because nothing was shown."""
    return max(outcomes, key=lambda o: o.rank, default=Outcome.INCONCLUSIVE)


class ErrorKind(StrEnum):
    """How a request failed, as the client saw it. NONE is an answer below 400.

    The last two say nothing about the service (slo.latency_rule): GENERATOR is a request that the
    load generator could not make or could not time, for want of files, ports, an address or time of
    its own; NOT_SENT one that was due and of which there is no result, because it was never sent,
    or because the generator died with it.
    """

    NONE = "none"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    RESET = "reset"
    CLIENT_ERROR = "4xx"
    SERVER_ERROR = "5xx"
    OTHER = "other"
    GENERATOR = "generator"
    NOT_SENT = "not sent"


class PhaseKind(StrEnum):
    BASELINE = "baseline"
    FAULT = "fault"
    RECOVERY = "recovery"


class Unit(StrEnum):
    SECONDS = "s"
    RATIO = "ratio"
    PER_SECOND = "/s"
    BYTES = "bytes"
    COUNT = "count"


class Comparison(StrEnum):
    """On which side of the threshold the good values lie."""

    BELOW = "<"
    ABOVE = ">"


class Severity(StrEnum):
    """Runbook section 6; NONE is "no incident"."""

    SEV1 = "SEV1"
    SEV2 = "SEV2"
    SEV3 = "SEV3"
    SEV4 = "SEV4"
    NONE = "none"

    @property
    def rank(self) -> int:
        """0 is the worst (SEV1), 4 is no incident."""
        return list(Severity).index(self)


class Source(NamedTuple):
    """Where a promise stands: file, line (from 1) and the headings above it."""

    file: str
    line: int
    section: str


class Sample(NamedTuple):
    """One request. Times in seconds since the epoch, UTC; latency in seconds to the last byte.

    `start - intended_start` is how late the generator was. `status` is 0 when there was no answer.
    """

    intended_start: float
    start: float
    latency: float
    endpoint: str
    status: int
    error: ErrorKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A time window of one experiment, half open: start <= t < end."""

    experiment: str
    kind: PhaseKind
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A promise of the runbook: the target holds, or at least the critical threshold is not passed.

    `target` and `critical` are in `unit`; both belong to the good side named by `comparison`:
    `value < target` is a pass for BELOW, `value > critical` a failure; for ABOVE the other way.
    """

    name: str
    title: str
    comparison: Comparison
    target: float
    critical: float
    unit: Unit
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A confidence interval: both ends in the indicator's unit, `confidence` in (0, 1].

    1 where the ends are sure, because the value was measured and not sampled.
    """

    low: float
    high: float
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """An SLI over a window: a value with its count, or the reason why there is none.

    `method` is how the interval is made, in words.
    """

    value: float | None
    count: int
    interval: Interval | None = None
    missing: str = ""
    method: str = ""

    def __post_init__(self) -> None:
        if (self.value is None) != bool(self.missing):
            raise ValueError("an indicator has either a value or the reason why it is missing")


class View(StrEnum):
    """Who measured: the load generator's own samples, or the service's metrics in Prometheus."""

    CLIENT = "client"
    SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveResult:
    """One objective in one phase as one view saw it.

    `judged` says whether the outcome counts towards the verdict; what a fault phase may do to an
    objective is judged by the experiment's expectation instead, and shown here all the same.
    `user_facing` says whether users notice it themselves.
    `counts` is what the outcome means to the run, and `missed` that the target surely was, whatever
    is open about the critical threshold (see slo.verdict.objectives.Judgement). `formula` and
    `data` say how to come to the value by hand, and from which file. `disagreement` is what the
    other view says, where the two cannot both be right.
    """

    experiment: str
    phase: PhaseKind
    objective: Objective
    view: View
    indicator: Indicator
    outcome: Outcome
    judged: bool
    reason: str
    counts: Outcome | None = None  # as the outcome, where nothing else is said
    missed: bool = False
    user_facing: bool = False
    formula: str = ""
    data: str = ""
    disagreement: str = ""

    @property
    def counted(self) -> Outcome:
        return self.counts or self.outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseResult:
    """An objective over everything undisturbed: the baselines and recoveries of all experiments.

    A target of 0.1 % takes thousands of requests to be shown, more than a phase has. So a phase has
    to rule out the critical threshold, and the target is settled here, from all phases together.
    `phases` is how many went into it.
    """

    objective: Objective
    view: View
    phases: int
    indicator: Indicator
    outcome: Outcome
    counts: Outcome
    reason: str
    formula: str
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question put to an experiment, its answer and the evidence for it.

    Names in use: `effect` (did the fault bite), `undone` (is it gone), `whole` (told where what it
    hit did not come back), `severity` (observed no worse than expected), `recovery` (within the
    limit), `response` (answered in the time that the runbook gives its severity), `degraded` (no
    endpoint further than the plan allows), `alerts` (fired where they should and nowhere else),
    `data` (nothing acknowledged was lost).
    """

    name: str
    outcome: Outcome
    expected: str
    observed: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeveritySpan:
    """How bad it was in start <= t < end, flapping smoothed out; `reason` is the worst within."""

    start: datetime
    end: datetime
    severity: Severity
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """A station between injection and stability; `missing` says why there is no time."""

    name: str
    time: datetime | None
    evidence: str
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSpell:
    """One alert from when it was pending until Prometheus no longer had it, as scrapes saw it.

    `fits` are the severities that its label stands for by the policy, none where it knows none.
    """

    name: str
    label: str
    fits: tuple[Severity, ...]
    pending: datetime | None
    firing: datetime | None
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What the incident cost, from the injection to the end of the recovery phase.

    `slow` were answered later than the critical response time. `lost_data` is None when nothing
    in the run could have shown it; `data_evidence` says what was looked at.
    """

    requests: int
    failed: int
    slow: int
    lost_data: int | None
    data_evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointPhase:
    """One endpoint in one phase, clients' view. `rate` in requests per second.

    `available` is the share that was answered below 500: the service was there.
    """

    endpoint: str
    phase: PhaseKind
    requests: int
    rate: float
    errors: dict[str, int]
    error_rate: Indicator
    available: Indicator
    p50: Indicator
    p95: Indicator
    p99: Indicator


@dataclass(frozen=True, slots=True, kw_only=True)
class Addend:
    """A part of the score: `points` of at most `of`. All of them add up to the score exactly."""

    name: str
    points: float
    of: float
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Certainty:
    """How sure the verdict is. `tests` decisions could fail the run; each may err with `error`."""

    confidence: float
    false_fails: float
    tests: int
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentResult:
    name: str
    title: str
    fault: str
    outcome: Outcome
    expected_severity: Severity
    observed_severity: Severity
    severity_reason: str
    time_to_detect_s: float | None
    time_to_recover_s: float | None
    checks: tuple[Check, ...]
    phases: tuple[Phase, ...]
    severities: tuple[SeveritySpan, ...] = ()
    moments: tuple[Milestone, ...] = ()
    alerts: tuple[AlertSpell, ...] = ()
    alerting: str = ""  # what the alerts say against what the data says, in a sentence
    damage: Impact | None = None
    endpoints: tuple[EndpointPhase, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """How well the generator kept its schedule. Rates in requests per second.

    `late_p99_s` is the 99th percentile of start minus intended start; `cpu_share` is the
    generator's own use of one core, None when it did not say.
    """

    scenario: str
    scheduled: int
    sent: int
    scheduled_rate: float
    achieved_rate: float
    late_p99_s: float | None
    outcome: Outcome
    reason: str
    cpu_share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointResult:
    """One endpoint over the whole run, client's view. Latencies in seconds, answered requests."""

    endpoint: str
    requests: int
    errors: dict[str, int]
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Columns for the chart: bucket i covers start + i * step_s seconds. None is "no request"."""

    start: datetime
    step_s: float
    requests: tuple[int, ...]
    errors: tuple[int, ...]
    p50_s: tuple[float | None, ...]
    p95_s: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineMark:
    """A moment worth a line on the chart, e.g. injected, confirmed, reverted, recovered."""

    time: datetime
    experiment: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One quantity of one endpoint in this run and in its baseline; `endpoint` "" is all of them.

    `quantity` is "p95" or "error rate". `change` is this run's value minus the baseline's, above 0
    where it is worse; its interval is wrong at either end with the probability that Holm's
    procedure leaves to this row. `matters` is the smallest change that counts, `machine` how many
    times as late the load generator was. `more` are the requests (times as many) that would settle
    it.
    """

    endpoint: str
    quantity: str
    unit: Unit
    baseline: Indicator
    new: Indicator
    change: float | None
    interval: Interval | None
    matters: float
    machine: float
    outcome: Outcome
    judged: bool
    reason: str
    more: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Mann-Whitney: how likely a request of this run is slower than one of the baseline."""

    endpoint: str
    slower: float  # 0.5: as often slower as faster
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseComparison:
    """This run against a baseline run: slo.compare.comparison says how it is decided."""

    baseline: str  # that run's name
    outcome: Outcome
    headline: str
    confidence: float
    window_s: float
    differences: tuple[Difference, ...]
    orders: tuple[Order, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetWindow:
    """The worst stretch of `covered_s` seconds, which is less than the window in a short run.

    `burn_rate` is that of the stretch; `at_least` that of the whole window if nothing else failed.
    """

    length_s: float
    covered_s: float
    requests: int
    failed: int
    burn_rate: float
    at_least: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetAlert:
    """`fires` when both windows burn at `burn_rate` or faster; None when the run cannot tell."""

    long: BudgetWindow
    short: BudgetWindow
    burn_rate: float
    fires: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentCost:
    """What one experiment cost, from the injection to its end; `cost` is a share of the budget."""

    experiment: str
    length_s: float
    requests: int
    failed: int
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBudget:
    """Over the whole run; formulas: slo.verdict.error_budget. `budget` in requests of a period."""

    objective: float
    period_s: float
    length_s: float
    requests: int
    failed: int
    burn_rate: float
    budget: float
    cost: float
    incidents: tuple[IncidentCost, ...]
    alerts: tuple[BudgetAlert, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a run showed. Serialised as verdict.json; everything a renderer needs is in here."""

    schema_version: int
    gameday_version: str
    run: str
    plan: str
    target: str
    started: datetime
    ended: datetime
    ended_by: str  # completed, aborted, interrupted, or "" when the journal just stops
    time_scale: float
    outcome: Outcome
    headline: str
    score: float  # 0 to 100
    severity: Severity  # worst observed
    objectives: tuple[ObjectiveResult, ...]
    experiments: tuple[ExperimentResult, ...]
    load: LoadResult
    endpoints: tuple[EndpointResult, ...]
    timeline: Timeline
    marks: tuple[TimelineMark, ...]
    notes: tuple[str, ...] = field(default=())
    comparison: ReleaseComparison | None = None
    promises: tuple[PromiseResult, ...] = ()
    addends: tuple[Addend, ...] = ()
    certainty: Certainty | None = None
    budget: ErrorBudget | None = None
