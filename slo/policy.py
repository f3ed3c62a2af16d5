"""The policy: what users may set about judging that no runbook says. YAML, validated, all optional.

The bundled policy.yaml spells every default out; a run keeps the one it was judged with as
policy.yaml in its directory.
"""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from slo.documents import Duration, Part, read_document
from slo.model import Severity

BUNDLED_POLICY = Path(__file__).with_name("policy.yaml")


def _ratio(value: object) -> object:
    """ "1%" as 0.01; anything else is left to the field."""
    if isinstance(value, str) and value.strip().endswith("%"):
        number = value.strip().removesuffix("%").strip()
        with suppress(ValueError):
            return float(f"{float(number)}e-2")  # 99.9 / 100 is not quite 0.999
    return value


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than nothing")
    return value


PERCENT = {"type": ["number", "string"], "examples": ["99%", 0.99]}
Ratio = Annotated[float, BeforeValidator(_ratio), WithJsonSchema(PERCENT)]
Length = Annotated[Duration, AfterValidator(_positive)]


class Slower(Part):
    """The smallest slow-down that matters: the larger of the two."""

    absolute: Length = timedelta(milliseconds=25)
    relative: Ratio = Field(default=0.25, ge=0)  # of the baseline's quantile


class ComparisonPolicy(Part):
    """Release against release; slo.compare.comparison says how each is used."""

    confidence: Ratio = Field(default=0.99, ge=0.5, lt=1)
    quantiles: tuple[Annotated[Ratio, Field(gt=0, lt=1)], ...] = Field(
        default=(0.1, 0.5, 0.95), min_length=1
    )
    slower: Slower = Slower()
    failing: Ratio = Field(default=0.005, gt=0, lt=1)
    window: Length = timedelta(seconds=1)
    minimum_windows: int = Field(default=10, ge=3)


class BurnAlert(Part):
    """Both windows must burn at least this fast: the long one is sure, the short one is current."""

    long: Length
    short: Length
    burn_rate: float = Field(gt=0)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.short >= self.long:
            raise ValueError("'short' must be shorter than 'long'")
        return self


class ErrorBudgetPolicy(Part):
    """`objective` is the share of requests that succeed over the period."""

    objective: Ratio = Field(default=0.999, gt=0, lt=1)
    period: Length = timedelta(days=30)
    alerts: tuple[BurnAlert, ...] = (
        BurnAlert(long=timedelta(hours=1), short=timedelta(minutes=5), burn_rate=14.4),
        BurnAlert(long=timedelta(hours=6), short=timedelta(minutes=30), burn_rate=6),
        BurnAlert(long=timedelta(days=3), short=timedelta(hours=6), burn_rate=1),
    )


class DecisionPolicy(Part):
    """How sure a verdict has to be; slo.verdict.objectives says how each is used."""

    confidence: Ratio = Field(default=0.95, ge=0.5, lt=1)
    false_fails: Ratio = Field(default=0.01, gt=0, lt=0.5)
    window_confidence: Ratio = Field(default=0.99, ge=0.5, lt=1)
    clock_skew: Length = timedelta(seconds=1)


class GeneratorPolicy(Part):
    """When the load generator's health makes its figures doubtful: slo.verdict.load_health."""

    sent: Ratio = Field(default=0.95, gt=0, le=1)
    late: Length = timedelta(milliseconds=250)
    cpu: Ratio = Field(default=0.8, gt=0, le=1)


class ScorePolicy(Part):
    """How many of the 100 points are for what."""

    objectives: int = Field(default=50, ge=0, le=100)
    experiments: int = Field(default=50, ge=0, le=100)

    @model_validator(mode="after")
    def _hundred(self) -> Self:
        if self.objectives + self.experiments != 100:  # noqa: PLR2004
            raise ValueError("'objectives' and 'experiments' must add up to 100")
        return self


class SeverityRule(Part):
    """One row of the severity table; slo.verdict.severity says what each `when` means.

    `share` is the ratio that "failing" compares with.
    """

    severity: Severity
    when: Literal["failing", "critical", "function-away", "target-missed", "redundancy-lost"]
    of: Literal["users", "internals"] = "users"
    share: Ratio | None = Field(default=None, gt=0, le=1)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.share is None) == (self.when == "failing"):
            raise ValueError("'share' belongs to 'when: failing', and to that alone")
        if self.severity is Severity.NONE:
            raise ValueError("a rule gives SEV1, SEV2, SEV3 or SEV4")
        return self


class SeverityPolicy(Part):
    """The severity table, from the worst down, and what keeps it from flapping."""

    window: Length = timedelta(seconds=1)
    dwell: Length = timedelta(seconds=5)
    minor_endpoints: tuple[str, ...] = ("GET /health", "GET /ready", "GET /metrics")
    rules: tuple[SeverityRule, ...] = Field(
        default=(
            SeverityRule(severity=Severity.SEV1, when="failing", share=0.5),
            SeverityRule(severity=Severity.SEV2, when="critical", of="users"),
            SeverityRule(severity=Severity.SEV2, when="function-away"),
            SeverityRule(severity=Severity.SEV3, when="target-missed", of="users"),
            SeverityRule(severity=Severity.SEV3, when="critical", of="internals"),
            SeverityRule(severity=Severity.SEV3, when="redundancy-lost"),
            SeverityRule(severity=Severity.SEV4, when="target-missed", of="internals"),
        ),
        min_length=1,
    )
    respond_within: dict[Severity, Length] = Field(
        default={
            Severity.SEV1: timedelta(minutes=15),
            Severity.SEV2: timedelta(minutes=30),
            Severity.SEV3: timedelta(hours=2),
        }
    )
    alert_labels: dict[str, tuple[Severity, ...]] = Field(
        default={
            "page": (Severity.SEV1, Severity.SEV2),
            "critical": (Severity.SEV1, Severity.SEV2),
            "warning": (Severity.SEV3,),
            "ticket": (Severity.SEV3, Severity.SEV4),
            "info": (Severity.SEV4,),
        }
    )


class Policy(Part):
    """`leave_out` are objectives, by name, that nothing measures and that are not judged.

    Without it an objective that nobody measures makes a run inconclusive.
    """

    leave_out: tuple[str, ...] = ()
    decision: DecisionPolicy = DecisionPolicy()
    severity: SeverityPolicy = SeverityPolicy()
    generator: GeneratorPolicy = GeneratorPolicy()
    score: ScorePolicy = ScorePolicy()
    comparison: ComparisonPolicy = ComparisonPolicy()
    error_budget: ErrorBudgetPolicy = ErrorBudgetPolicy()


def read_policy(path: Path) -> Policy:
    """Raises slo.documents.DocumentError."""
    return read_document(path, Policy)
