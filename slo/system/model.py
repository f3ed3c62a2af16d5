"""What system.yaml says of one service. All paths in it are relative to its folder."""

from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from slo.documents import Part
from slo.system.data import DataCheck
from slo.system.indicators import NAME, IndicatorSpec
from slo.system.parts import Switches, SystemPart, WorkloadKind
from slo.system.prometheus import PrometheusAccess

LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"  # an RFC 1123 label: it names files and objects


class Target(Part):
    """The workload under test, and where its users reach it.

    `kind` is Deployment, StatefulSet or DaemonSet, or with its `api_version` any other that has the
    subresource `scale`, e.g. Rollout of argoproj.io/v1alpha1. Users come in by a Service with its
    port, or by a `url`; a workload that nobody sends requests to has neither. `container` is the
    service's own where its pods have several; it is the first one, otherwise.
    """

    namespace: str
    workload: str
    kind: str = Field(default="Deployment", pattern=r"^[A-Z][A-Za-z0-9]*$")
    api_version: str | None = Field(default=None, pattern=r"^[a-z0-9.-]+\.[a-z0-9-]+/v[a-z0-9]+$")
    container: str | None = None
    service: str | None = None
    port: int = Field(default=80, ge=1, le=65535)
    url: str | None = Field(default=None, pattern=r"^https?://")

    @model_validator(mode="after")
    def _known_kind(self) -> Self:
        if self.api_version is None and self.kind not in get_args(WorkloadKind):
            raise ValueError(
                f"kind {self.kind} is none of {', '.join(get_args(WorkloadKind))}: a kind with the"
                " subresource scale needs its 'api_version', e.g. argoproj.io/v1alpha1"
            )
        return self

    @model_validator(mode="after")
    def _one_door(self) -> Self:
        if self.service is not None and self.url is not None:
            raise ValueError("name either 'service' or 'url', so that the load knows where to go")
        return self

    @property
    def full_kind(self) -> str:
        """The kind by its name, or as "Rollout.v1alpha1.argoproj.io" where it is a custom one."""
        if self.api_version is None:
            return self.kind
        group, _, version = self.api_version.partition("/")
        return f"{self.kind}.{version}.{group}"

    @property
    def pods(self) -> str:
        """A regular expression that the names of its pods match, and few others do."""
        if self.api_version is not None:
            return f"{self.workload}-[a-z0-9]+(-[a-z0-9]+)?"  # with ReplicaSets, or without
        suffix = {
            "Deployment": "-[a-z0-9]+-[a-z0-9]+",  # template hash and suffix: no <name>-canary
            "StatefulSet": "-[0-9]+",
            "DaemonSet": "-[a-z0-9]+",
        }
        return self.workload + suffix[self.kind]


class BesideLoad(Part):
    """Another service that is loaded at the same time, by a scenario of its own.

    Rows of the runbook that begin with its `name` are about it ("Search Error Rate"). It is reached
    as a target is; its Service is one of the target's namespace.
    """

    name: str = Field(pattern=f"^{LABEL}$")
    scenario: str
    service: str | None = None
    port: int = Field(default=80, ge=1, le=65535)
    url: str | None = Field(default=None, pattern=r"^https?://")

    @model_validator(mode="after")
    def _one_door(self) -> Self:
        if (self.service is None) == (self.url is None):
            raise ValueError("name either 'service' or 'url', so that the load knows where to go")
        return self


def unlike(beside: tuple[BesideLoad, ...]) -> tuple[BesideLoad, ...]:
    """Raises ValueError where two have one name."""
    names = [b.name for b in beside]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two services beside the target are called {name!r}")
    return beside


BesideLoads = Annotated[tuple[BesideLoad, ...], AfterValidator(unlike)]


class SystemLoad(Part):
    """What users do: a locustfile, and the scenario that is played when none is named.

    `verify` says whether the load checks certificates, `ca_file` by which authorities. `beside` are
    other services that are loaded while the target is.
    """

    locustfile: Path | None = None
    scenario: str | None = None
    verify: bool | None = None
    ca_file: Path | None = None
    beside: BesideLoads = ()


class LintChoice(Part):
    """What `gameday runbook check` looks for here.

    `off` are rules that do not apply, `levels` what a rule counts as here; `kubernetes` and
    `prometheus` are the versions in use, such as "1.31" and "3.x".
    """

    off: tuple[str, ...] = ()
    levels: dict[str, Literal["error", "warning", "note"]] = Field(default_factory=dict)
    kubernetes: str | None = Field(default=None, pattern=r"^v?\d+(\.(\d+|x))?(\.\d+)?$")
    prometheus: str | None = Field(default=None, pattern=r"^v?\d+(\.(\d+|x))?(\.\d+)?$")


IndicatorName = Annotated[str, StringConstraints(pattern=NAME)]


class System(Part):
    """One service. Without `prometheus`, only what the load measures is judged.

    `presets` are the names of well-known instrumentations, `indicators` this system's own; of two
    with one name the own one counts, else the preset that stands last. `parts` are what drills mean
    by the names that a runbook uses, `data` checks that nothing was lost,
    `switches` what makes a release of it fail on purpose, `lint` how its runbook is checked.
    """

    name: str = Field(pattern=f"^{LABEL}$")
    description: str = ""
    target: Target
    prometheus: PrometheusAccess | None = None
    presets: tuple[str, ...] = ("kubernetes",)
    indicators: dict[IndicatorName, IndicatorSpec] = Field(default_factory=dict)
    load: SystemLoad = SystemLoad()
    parts: tuple[SystemPart, ...] = ()
    data: tuple[DataCheck, ...] = ()
    switches: Switches = Switches()
    lint: LintChoice = LintChoice()
    runbook: Path | None = None
    policy: Path | None = None
