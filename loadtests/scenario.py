"""Scenarios: which requests, when, how many; YAML that a person writes."""

from math import inf
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from loadtests.arrivals import Stage
from slo.documents import Duration, read_document

BUNDLED = Path(__file__).parent / "scenarios"

Endpoint = Literal["score", "search", "attest", "related", "health"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ScenarioStage(_Part):
    """`rate` in requests/s all the way, or from `from_rate` to `to_rate`."""

    rate: float | None = Field(default=None, ge=0, le=10_000)
    from_rate: float | None = Field(default=None, ge=0, le=10_000)
    to_rate: float | None = Field(default=None, ge=0, le=10_000)
    duration: Duration | None = None  # none: until stopped

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        ramp = (self.from_rate, self.to_rate)
        if (self.rate is None) == (None in ramp) or (self.rate is not None and ramp != (None,) * 2):
            if self.rate is not None or ramp == (None, None):
                raise ValueError("give either 'rate', or 'from_rate' and 'to_rate'")
            raise ValueError("'from_rate' and 'to_rate' go together")
        if self.duration is None and self.rate is None:
            raise ValueError("a ramp needs a 'duration'")
        if self.duration is not None and self.duration.total_seconds() <= 0:
            raise ValueError("'duration' must be longer than nothing")
        return self

    def stage(self) -> Stage:
        length = inf if self.duration is None else self.duration.total_seconds()
        if self.rate is not None:
            return Stage(self.rate, self.rate, length)
        return Stage(self.from_rate or 0.0, self.to_rate or 0.0, length)


class Scenario(_Part):
    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
    description: str = ""
    arrivals: Literal["constant", "poisson"] = "poisson"
    mix: dict[Endpoint, float] = Field(min_length=1)  # weights
    stages: tuple[ScenarioStage, ...] = Field(min_length=1)
    request_timeout: Duration
    max_in_flight: int = Field(ge=1, le=5_000)  # beyond it arrivals wait, and are seen to be late

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if min(self.mix.values()) < 0 or not any(self.mix.values()):
            raise ValueError("'mix': weights are at least 0, and not all of them 0")
        if any(s.duration is None for s in self.stages[:-1]):
            raise ValueError("'stages': only the last one may be without 'duration'")
        if self.request_timeout.total_seconds() <= 0:
            raise ValueError("'request_timeout' must be longer than nothing")
        return self

    @property
    def length_s(self) -> float:
        """Seconds; infinite when it goes on until stopped."""
        return sum(s.stage().length_s for s in self.stages)


def bundled() -> list[str]:
    """Names of the scenarios that come with gameday."""
    return sorted(p.stem for p in BUNDLED.glob("*.yaml"))


def load_scenario(name_or_path: str) -> Scenario:
    """A bundled one by name, else a file. Raises slo.documents.DocumentError."""
    path = BUNDLED / f"{name_or_path}.yaml"
    if "/" in name_or_path or not path.exists():
        path = Path(name_or_path)
    return read_document(path, Scenario)
