"""A game day as its author writes it: target, load, and experiments on a timetable."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from chaos.faults import AnyFault
from chaos.plan import forbidden
from slo.documents import DocumentError, Duration, Part, read_document
from slo.evidence import journal as entries
from slo.model import Objective, Severity
from slo.system.model import LABEL, BesideLoads, System, Target
from slo.system.prometheus import PrometheusAccess


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than nothing")
    return value


PositiveDuration = Annotated[Duration, AfterValidator(_positive)]


def _quantity(value: object) -> float:
    """ "1ms", "0.2s", "1%" or a plain number (seconds or ratio), as seconds or ratio."""
    if isinstance(value, str) and value.strip().endswith("%"):
        return float(value.strip()[:-1]) / 100
    if isinstance(value, str):
        from slo.documents import parse_duration

        return parse_duration(value).total_seconds()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError(f'expected a quantity like "100ms", "1%" or 0.01, not {value!r}')


Quantity = Annotated[
    float, BeforeValidator(_quantity), WithJsonSchema({"type": ["number", "string"]})
]


class PlanLoad(Part):
    """`beside` are other services that are loaded at the same time, each by its own scenario.

    They are the system's where the plan does not say; `[]` does without them.
    """

    scenario: str  # a bundled name, or a path
    beside: BesideLoads = ()


class Override(Part):
    """Thresholds to use instead of the runbook's."""

    target: Quantity
    critical: Quantity


class StopCondition(Part):
    """Ends the run, with everything undone, when met `times` evaluations in a row.

    On an indicator of the load's last seconds, or on a PromQL expression (its worst element).
    """

    sli: Literal["error_rate", "response_time_p95"] | None = None
    promql: str | None = None
    above: Quantity | None = None
    below: Quantity | None = None
    every: PositiveDuration = timedelta(seconds=0.5)
    times: int = Field(default=3, ge=1)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.sli is None) == (self.promql is None):
            raise ValueError("name either 'sli' or 'promql'")
        if (self.above is None) == (self.below is None):
            raise ValueError("say when to stop: either 'above' or 'below'")
        return self

    def badness(self, value: float) -> float:
        return value if self.above is not None else -value

    def crossed(self, value: float) -> bool:
        if self.above is not None:
            return value > self.above
        return self.below is not None and value < self.below

    def __str__(self) -> str:
        limit = f"above {self.above:g}" if self.above is not None else f"below {self.below:g}"
        return f"stop condition {self.sli or self.promql} {limit}"


def _own_image() -> str:
    """The image of this very version: what is placed must understand what we wrote."""
    return f"gameday/gameday:{metadata.version('gameday-runbook')}"


class PlanWatchdog(Part):
    """The pod that undoes faults when the runner is gone. `enabled: false` does without it.

    `image` is gameday's own (docs/on-your-cluster.md), by default the one of this version;
    `pull_secrets` name Secrets of the namespace by which the image can be pulled.
    """

    enabled: bool = True
    image: str = Field(default_factory=_own_image)
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()
    starts_within: PositiveDuration = timedelta(seconds=60)


class Guardrails(Part):
    """What a run may not exceed. `max_share_of_pods` is a ratio of a workload's pods.

    `all_pods_of` names what may lose all of its pods: a workload, or the labels of a selector.
    `forbidden_kinds` are kinds of faults, or of objects that no fault may touch.
    """

    max_share_of_pods: float = Field(default=0.8, gt=0, le=1)
    all_pods_of: frozenset[str] = frozenset()
    forbidden_kinds: frozenset[Annotated[str, AfterValidator(forbidden.known)]] = frozenset()
    steady_within: PositiveDuration = timedelta(seconds=60)
    stop: tuple[StopCondition, ...] = ()


class PlanDegraded(Part):
    """What may degrade while the fault lasts: which endpoints, how far, how long."""

    endpoints: tuple[str, ...] = Field(default=("*",), min_length=1)  # "POST /search", "GET *"
    error_rate: Annotated[Quantity, Field(ge=0, le=1)] | None = None
    response_time: PositiveDuration | None = None
    lasting: PositiveDuration | None = Field(default=None, alias="for")


class PlanExpectation(Part):
    """The worst that the author expects; anything worse fails the experiment."""

    severity: Severity = Severity.SEV3
    recover_within: PositiveDuration = timedelta(seconds=60)
    good_windows: int = Field(default=3, ge=1)
    window: PositiveDuration = timedelta(seconds=2)
    degraded: tuple[PlanDegraded, ...] | None = None
    alerts: tuple[str, ...] = ()  # names of alerts that have to fire

    def recorded(self) -> entries.Expectation:
        """As the journal has it."""
        return entries.Expectation(
            severity=self.severity,
            recover_within_s=self.recover_within.total_seconds(),
            good_windows=self.good_windows,
            window_s=self.window.total_seconds(),
            degraded=None
            if self.degraded is None
            else tuple(
                entries.Degraded(
                    endpoints=d.endpoints,
                    error_rate=d.error_rate,
                    response_time_s=d.response_time.total_seconds() if d.response_time else None,
                    lasting_s=d.lasting.total_seconds() if d.lasting else None,
                )
                for d in self.degraded
            ),
            alerts=self.alerts,
        )


class PlanProcedure(Part):
    """The runbook's procedure that is to cure the fault: carried out when the recovery begins.

    `name` is its name or title, `set` fills its placeholders, `limit` ends a step that hangs.
    """

    name: str
    set: dict[str, str] = Field(default_factory=dict)
    limit: PositiveDuration = timedelta(minutes=2)


class TimedFault(Part):
    """A fault on the timetable of an experiment's fault phase.

    `start_after` counts from the start of the phase or, where one of the same `lane` stands before
    it, from the end of that one. Without a length it lasts until the end of the phase.
    """

    fault: AnyFault
    start_after: Duration = timedelta(0)
    lasts: PositiveDuration | None = None
    lane: str | None = Field(default=None, pattern=f"^{LABEL}$")


class Slot(NamedTuple):
    """When one fault begins, from the start of the phase, and how long it lasts."""

    label: str
    fault: AnyFault
    after: timedelta
    lasts: timedelta


class Experiment(Part):
    """Faults between a baseline and a recovery phase, all three under load.

    `fault` is one that lasts as long as the phase, `faults` are several on a timetable.

    `recovery: 60s` undoes the fault and watches; `recovery: {procedure: Rollback, lasts: 60s}`
    leaves it, carries the procedure out and watches: what cures then is the procedure.
    """

    name: str = Field(pattern=f"^{LABEL}$")
    title: str
    fault: AnyFault | None = None
    faults: tuple[TimedFault, ...] = ()
    baseline: PositiveDuration
    duration: PositiveDuration
    recovery: PositiveDuration
    procedure: PlanProcedure | None = None
    expect: PlanExpectation = PlanExpectation()

    @model_validator(mode="before")
    @classmethod
    def _by_procedure(cls, data: Any) -> Any:
        given = data.get("recovery") if isinstance(data, dict) else None
        if not isinstance(given, dict):
            return data
        if "procedure" in data:
            raise ValueError("the procedure stands in 'recovery'")
        told = {**given}
        lasts, name = told.pop("lasts", None), told.pop("procedure", None)
        if lasts is None or name is None:
            raise ValueError("'recovery' needs 'procedure' and 'lasts', or is a duration")
        return {**data, "recovery": lasts, "procedure": {"name": name, **told}}

    @model_validator(mode="after")
    def _timed(self) -> Self:
        if (self.fault is None) == (not self.faults):
            raise ValueError("name either 'fault' or 'faults'")
        for slot in self.timetable():
            if slot.lasts <= timedelta(0) or slot.after + slot.lasts > self.duration:
                raise ValueError(
                    f"{slot.fault.kind} would last beyond 'duration', which is"
                    f" {self.duration.total_seconds():g} s"
                )
        return self

    def timetable(self) -> tuple[Slot, ...]:
        """All faults with their moments; labels are "" for a single one, else "1", "2", ..."""
        if self.fault is not None:
            return (Slot("", self.fault, timedelta(0), self.duration),)
        ends: dict[str, timedelta] = {}
        found = []
        for number, timed in enumerate(self.faults, start=1):
            lane = timed.lane or str(number)
            after = ends.get(lane, timedelta(0)) + timed.start_after
            lasts = self.duration - after if timed.lasts is None else timed.lasts
            ends[lane] = after + lasts
            found.append(Slot(str(number), timed.fault, after, lasts))
        return tuple(found)

    def describe(self) -> str:
        """Its faults in words."""
        if self.fault is not None:
            return self.fault.describe()
        return "; ".join(
            f"{s.fault.describe()} (from {s.after.total_seconds():g} s for"
            f" {s.lasts.total_seconds():g} s)"
            for s in self.timetable()
        )


class Plan(Part):
    """`target`, `prometheus` and `load` are the system's where the plan does not name them.

    Without Prometheus, only what the load measures is judged. Without `load`, for a workload that
    nobody sends requests to, only what Prometheus and Kubernetes say.
    """

    name: str = Field(pattern=f"^{LABEL}$")
    description: str = ""
    seed: int = 0
    target: Target
    prometheus: PrometheusAccess | None = None
    load: PlanLoad | None = None
    objectives: dict[str, Override] = Field(default_factory=dict)
    guardrails: Guardrails = Guardrails()
    watchdog: PlanWatchdog = PlanWatchdog()
    experiments: tuple[Experiment, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _of_the_system(cls, data: Any, info: ValidationInfo) -> Any:
        system = info.context
        if not isinstance(data, dict) or not isinstance(system, System):
            return data
        own: dict[str, Any] = {"target": system.target, "prometheus": system.prometheus}
        if system.load.scenario is not None:
            own["load"] = {"scenario": system.load.scenario, "beside": system.load.beside}
        whole = {**{k: v for k, v in own.items() if v is not None}, **data}
        if isinstance(data.get("load"), dict) and system.load.beside:
            whole["load"] = {"beside": system.load.beside, **data["load"]}
        return whole

    @model_validator(mode="before")
    @classmethod
    def _unique_names(cls, data: Any) -> Any:
        experiments = data.get("experiments") if isinstance(data, dict) else None
        named = [e.get("name") for e in experiments or () if isinstance(e, dict)]
        for name in named:
            if named.count(name) > 1:
                raise ValueError(f"two experiments are called {name!r}")
        return data

    @model_validator(mode="after")
    def _without_load(self) -> Self:
        """A plan that asks for what only a load can tell."""
        if self.load is not None:
            return self
        if self.target.service is not None or self.target.url is not None:
            raise ValueError(
                "there is no load for the service or URL of 'target': name 'load: {scenario: ...}'"
                " in the plan or in system.yaml"
            )
        if any(stop.sli is not None for stop in self.guardrails.stop):
            raise ValueError(
                "a stop condition on 'sli' needs a load: without one, stop on a 'promql' expression"
            )
        if any(e.expect.degraded is not None for e in self.experiments):
            raise ValueError("'degraded' speaks of endpoints under load, and the plan has no load")
        return self

    @model_validator(mode="after")
    def _allowed(self) -> Self:
        """The error stands where the fault does, as that is what has to go."""
        for loc, fault in self.faults():
            if fault.kind in self.guardrails.forbidden_kinds:
                why = PydanticCustomError(
                    "forbidden", "'guardrails.forbidden_kinds' of this plan forbids it"
                )
                error = InitErrorDetails(type=why, loc=loc, input=fault.kind)
                raise ValidationError.from_exception_data("Plan", [error])
        return self

    def steady_error_rate(self, objectives: Iterable[Objective]) -> float | None:
        """A ratio: with more failing than that, nothing is broken on purpose.

        The critical error rate by which the run is judged: the plan's, else the runbook's. None
        where the runbook has no such objective.
        """
        return self.critical("error_rate", objectives)

    def critical(self, name: str, objectives: Iterable[Objective]) -> float | None:
        """The plan's threshold, else the runbook's; None where the runbook has no such objective.

        A ratio, or seconds.
        """
        found = next((o for o in objectives if o.name == name), None)
        own = self.objectives.get(name)
        return None if found is None else (own or found).critical

    def faults(self) -> Iterator[tuple[tuple[str | int, ...], AnyFault]]:
        """All of them, each with where its kind stands in the document."""
        for number, experiment in enumerate(self.experiments):
            at = ("experiments", number)
            if experiment.fault is not None:
                yield (*at, "fault", "kind"), experiment.fault
            for place, timed in enumerate(experiment.faults):
                yield (*at, "faults", place, "fault", "kind"), timed.fault


def find_plan(name_or_path: str, folder: Path | None) -> Path:
    """A plan in the folder of a system's plans by name, else the path itself.

    Raises slo.documents.DocumentError where there is neither.
    """
    path = Path(name_or_path)
    if folder is not None and "/" not in name_or_path:
        named = folder / f"{name_or_path}.yaml"
        path = named if named.is_file() else path
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml"))) if folder else ""
        where = f"{folder} has {known}" if known else "there is no gameday/system.yaml here"
        raise DocumentError(f"there is no plan {name_or_path!r}: it is no file, and {where}")
    return path


def read_plan(path: Path, system: System | None = None) -> Plan:
    """What the plan leaves out is the system's. Raises slo.documents.DocumentError."""
    return read_document(path, Plan, context=system)
