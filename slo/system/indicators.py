"""How a quantity is measured, as a person writes it in YAML.

Three ways, of which an indicator has one:

- `total` with `errors` (or with `good`): counters, which give a share;
- `histogram`: a Prometheus histogram, which gives quantiles;
- `value`: any PromQL expression that gives one number.

Counters and histograms are given as selectors (`http_requests_total{...}`), so that counts,
restarts and scrape gaps can be told from the same series. Placeholders are {selector} (the labels
of this system's series), {namespace}, {workload}, {pods} (a regular expression of its pods' names),
{available} and {desired} (the workload's pods, in kube-state-metrics' words), {window} and {step},
the last two also as seconds ({window_s}, {step_s}); in `slack` also {value}, the expression itself.
"""

import re
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from slo.documents import Duration, Part
from slo.model import Unit

NAME = r"^[a-z][a-z0-9_]*$"
UNITS = {
    "seconds": Unit.SECONDS,
    "s": Unit.SECONDS,
    "ratio": Unit.RATIO,
    "bytes": Unit.BYTES,
    "per second": Unit.PER_SECOND,
    "/s": Unit.PER_SECOND,
    "count": Unit.COUNT,
}
_SELECTOR = re.compile(r"\{(available|desired)\}|[a-zA-Z_:][a-zA-Z0-9_:]*\s*(\{.*\})?", re.DOTALL)


def _unit(value: object) -> Unit:
    if isinstance(value, str) and value.casefold() in UNITS:
        return UNITS[value.casefold()]
    raise ValueError(f"a unit is one of {', '.join(UNITS)}, not {value!r}")


def _selectors(value: object) -> tuple[str, ...]:
    given = (value,) if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not given:
        raise ValueError(f"expected a selector or a list of selectors, not {value!r}")
    for one in given:
        if not isinstance(one, str) or not _SELECTOR.fullmatch(one.strip()):
            raise ValueError(
                f'expected a selector like http_requests_total{{code=~"5.."}}, not {one!r}'
            )
    return tuple(one.strip() for one in given)


Selectors = Annotated[
    tuple[str, ...],
    BeforeValidator(_selectors),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
"""One selector or several, whose series are added up."""


class IndicatorSpec(Part):
    """One indicator. `titles` are what rows of a runbook call it, beside its own name.

    `better` says on which side the good values lie. `quantile` is the one that a histogram stands
    for; without it there is an indicator for each quantile, with its name at the end
    (`response_time` gives `response_time_p95`). `scale` turns the histogram's unit into seconds.
    `samples` is a selector whose scrapes show whether a `value` can be trusted; where its exporter
    takes samples at its own pace and stamps them itself, `sampled_every` says how far apart they
    are. `slack` is an expression for how far the value may be off, `highest` what it cannot exceed,
    `empty` what it means when its series are there and give no value. `user_facing` marks what
    users notice themselves: severity depends on it.
    """

    titles: tuple[str, ...] = ()
    definition: str = ""
    user_facing: bool = False
    better: Literal["lower", "higher"] = "lower"
    unit: Annotated[Unit, BeforeValidator(_unit), WithJsonSchema({"enum": [*UNITS]})] | None = None
    total: Selectors | None = None
    errors: Selectors | None = None
    good: Selectors | None = None
    histogram: Selectors | None = None
    native: bool = False
    scale: float = Field(default=1.0, gt=0)
    quantile: float | None = Field(default=None, gt=0, lt=1)
    value: str | None = Field(default=None, min_length=1)
    count: str | None = None
    samples: Selectors | None = None
    sampled_every: Duration | None = None
    slack: str | None = None
    highest: float | None = None
    empty: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [w for w in ("total", "histogram", "value") if getattr(self, w) is not None]
        if len(ways) != 1:
            raise ValueError(
                "an indicator is measured in one way: 'total' with 'errors' or 'good',"
                " 'histogram', or 'value'"
            )
        if self.total is not None and (self.errors is None) == (self.good is None):
            raise ValueError("'total' needs either 'errors' or 'good'")
        if self.total is None and (self.errors or self.good):
            raise ValueError("'errors' and 'good' need 'total'")
        if self.value is not None and self.unit is None:
            raise ValueError("'value' needs a 'unit'")
        if self.sampled_every is not None and self.samples is None:
            raise ValueError("'sampled_every' needs 'samples'")
        if self.value is None and self.unit not in (None, self.measured_in):
            raise ValueError(f"its unit is {self.measured_in.value!r}: leave 'unit' out")
        return self

    @property
    def measured_in(self) -> Unit:
        if self.value is not None and self.unit is not None:
            return self.unit
        return Unit.RATIO if self.total is not None else Unit.SECONDS
