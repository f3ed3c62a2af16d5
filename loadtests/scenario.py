"""Scenarios: which requests, when, how many; YAML that a person writes."""

import os
import ssl
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from loadtests.arrivals import Stage
from loadtests.requests_yaml import Request, mistake_in
from slo.documents import DocumentError, Duration, place_of, read_document

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Traffic(_Part):
    """What is sent: the users of a locustfile, or requests; at most one of them.

    `verify` says whether certificates are checked, `ca_file` by which authorities; where nothing is
    said they are, by the usual ones.

    Paths are relative to the file that names them, until `within` makes them absolute.
    """

    locustfile: Path | None = None
    requests: tuple[Request, ...] = ()
    verify: bool | None = None
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.locustfile is not None and self.requests:
            raise ValueError("give either 'locustfile' or 'requests'")
        if self.verify is False and self.ca_file is not None:
            raise ValueError("'ca_file' has no use with 'verify: false'")
        return self

    @property
    def said(self) -> bool:
        """Does it name anything to send?"""
        return self.locustfile is not None or bool(self.requests)

    def within(self, folder: Path) -> Self:
        """The same, with paths relative to `folder` made absolute."""
        folder = folder.absolute()
        file = self.locustfile and folder / self.locustfile
        requests = tuple(
            r.model_copy(update={"values": r.values and folder / r.values}) for r in self.requests
        )
        trusted = self.ca_file and folder / self.ca_file
        return self.model_copy(
            update={"locustfile": file, "requests": requests, "ca_file": trusted}
        )

    def trusting(self, other: "Traffic") -> Self:
        """The same, and about certificates what the other says, where this one says nothing."""
        if self.verify is not None or self.ca_file is not None:
            return self
        return self.model_copy(update={"verify": other.verify, "ca_file": other.ca_file})

    def check(self, path: Path, *above: str, environ: Mapping[str, str] = os.environ) -> None:
        """That what the document `path` names is there: files, columns, environment variables.

        `above` are the fields of the document around this one. Raises DocumentError.
        """
        here = self.within(path.parent)
        if here.ca_file is not None and (why := unusable(here.ca_file)):
            raise DocumentError(f"{place_of(path, *above, 'ca_file')}: {why}")
        if here.locustfile is not None and not here.locustfile.is_file():
            place = place_of(path, *above, "locustfile")
            raise DocumentError(f"{place}: there is no file {here.locustfile}")
        if here.locustfile is not None:
            _parse(here.locustfile)
        for i, request in enumerate(here.requests):
            if mistake := mistake_in(request, environ):
                fields, sentence = mistake
                raise DocumentError(f"{place_of(path, *above, 'requests', i, *fields)}: {sentence}")


def unusable(ca_file: Path) -> str:
    """Why the file cannot say which authorities are trusted; "" when it can."""
    try:
        ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:  # an SSLError is one as well
        return f"{ca_file} is no file of certificates in PEM: {error.strerror or error}"
    return ""


def _parse(file: Path) -> None:
    """That it is Python at all; the rest is known when the load generator imports it."""
    try:
        compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
    except SyntaxError as error:
        place = f"{file}, line {error.lineno}"
        raise DocumentError(f"{place}: not valid Python: {error.msg}") from error
    except (OSError, ValueError) as error:
        raise DocumentError(f"{file}: not a Python file: {error}") from error


class ScenarioStage(_Part):
    """`rate` in arrivals/s all the way, or from `from_rate` to `to_rate`."""

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


class Scenario(Traffic):
    """`mix` holds weights by user class, or by task; none: the weights of the locustfile.

    Each arrival is one iteration of one user: the next task of that user, as Locust chooses it.
    """

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
    description: str = ""
    arrivals: Literal["constant", "poisson"] = "poisson"
    mix: dict[str, Weight] | None = Field(default=None, min_length=1)
    tags: tuple[str, ...] = ()
    exclude_tags: tuple[str, ...] = ()
    stages: tuple[ScenarioStage, ...] = Field(min_length=1)
    request_timeout: Duration
    max_in_flight: int = Field(ge=1, le=5_000)  # beyond it arrivals wait, and are seen to be late

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.mix is not None and not any(self.mix.values()):
            raise ValueError("'mix': not all weights may be 0")
        if any(s.duration is None for s in self.stages[:-1]):
            raise ValueError("'stages': only the last one may be without 'duration'")
        if self.request_timeout.total_seconds() <= 0:
            raise ValueError("'request_timeout' must be longer than nothing")
        return self

    @property
    def length_s(self) -> float:
        """Seconds; infinite when it goes on until stopped."""
        return sum(s.stage().length_s for s in self.stages)


def names_in(folder: Path) -> list[str]:
    """Names of the scenarios in a folder."""
    return sorted(p.stem for p in folder.glob("*.yaml"))


def load_scenario(
    name_or_path: str,
    *,
    folder: Path | None = None,
    default: Traffic | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Scenario:
    """The scenario of that name in `folder`, else the file; its paths are absolute.

    `default` (with absolute paths) is what is sent by a scenario that names nothing itself. Raises
    slo.documents.DocumentError, also for files and environment variables that are not there.
    """
    path = Path(name_or_path)
    if folder is not None and "/" not in name_or_path:
        named = folder / f"{name_or_path}.yaml"
        if named.exists():
            path = named
        elif not path.exists():
            known = ", ".join(names_in(folder)) or "none"
            raise DocumentError(f"there is no scenario {name_or_path!r}; the names are: {known}")
    scenario = read_document(path, Scenario)
    scenario.check(path, environ=environ)
    scenario = scenario.within(path.parent)
    if default is not None:
        scenario = scenario.trusting(default)
    if scenario.said:
        return scenario
    if default is None or not default.said:
        raise DocumentError(
            f"{path}: the scenario does not say what is sent: give 'locustfile' or 'requests'"
        )
    return scenario.model_copy(
        update={"locustfile": default.locustfile, "requests": default.requests}
    )
