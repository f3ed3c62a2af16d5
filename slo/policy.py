"""The policy: what users may set about judging that no runbook says. YAML, validated, all optional.

The bundled policy.yaml spells every default out; a run keeps the one it was judged with as
policy.yaml in its directory.
"""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from slo.documents import Duration, read_document

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


Ratio = Annotated[float, BeforeValidator(_ratio)]
Length = Annotated[Duration, AfterValidator(_positive)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Slower(_Part):
    """The smallest slow-down that matters: the larger of the two."""

    absolute: Length = timedelta(milliseconds=25)
    relative: Ratio = Field(default=0.25, ge=0)  # of the baseline's quantile


class ComparisonPolicy(_Part):
    """Release against release; slo.comparison says how each is used."""

    confidence: Ratio = Field(default=0.99, ge=0.5, lt=1)
    quantiles: tuple[Annotated[Ratio, Field(gt=0, lt=1)], ...] = Field(
        default=(0.5, 0.95), min_length=1
    )
    slower: Slower = Slower()
    failing: Ratio = Field(default=0.005, gt=0, lt=1)
    window: Length = timedelta(seconds=1)
    minimum_windows: int = Field(default=10, ge=3)


class BurnAlert(_Part):
    """Both windows must burn at least this fast: the long one is sure, the short one is current."""

    long: Length
    short: Length
    burn_rate: float = Field(gt=0)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.short >= self.long:
            raise ValueError("'short' must be shorter than 'long'")
        return self


class ErrorBudgetPolicy(_Part):
    """`objective` is the share of requests that succeed over the period."""

    objective: Ratio = Field(default=0.999, gt=0, lt=1)
    period: Length = timedelta(days=30)
    alerts: tuple[BurnAlert, ...] = (
        BurnAlert(long=timedelta(hours=1), short=timedelta(minutes=5), burn_rate=14.4),
        BurnAlert(long=timedelta(hours=6), short=timedelta(minutes=30), burn_rate=6),
        BurnAlert(long=timedelta(days=3), short=timedelta(hours=6), burn_rate=1),
    )


class Policy(_Part):
    comparison: ComparisonPolicy = ComparisonPolicy()
    error_budget: ErrorBudgetPolicy = ErrorBudgetPolicy()


def read_policy(path: Path) -> Policy:
    """Raises slo.documents.DocumentError."""
    return read_document(path, Policy)
