"""Experiments of the Chaos Toolkit, read as plans and written from them. Pure.

Its open format (chaostoolkit.org/reference/api/experiment) says what to do, not how the result is
judged, and what to roll back, where here the undo belongs to the fault. So nothing is carried over
in silence: whatever has no place on the other side is named.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chaos.plan.model import Experiment, Plan, Slot
from slo.documents import say

Json = dict[str, Any]
SECONDS = 30.0  # of a phase, where the experiment names no pause
EXTENSION = "gameday"


class ToolkitError(Exception):
    """This is no experiment that could be read; the message is one sentence."""


@dataclass(slots=True)
class Read:
    """A plan's document, and sentences about what was not carried over."""

    plan: Json
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a plan needs and an experiment does not say; `namespace` where its actions do not."""

    workload: str
    url: str
    prometheus: str
    scenario: str = "steady"
    namespace: str = "default"


class _Part(BaseModel):
    """Of the format, as far as it is read here; the rest may be anything."""

    model_config = ConfigDict(frozen=True, extra="allow")


class _Named(_Part):
    name: str = "?"


class _Pauses(_Part):
    before: float | None = Field(default=None, ge=0)
    after: float | None = Field(default=None, ge=0)


class _Activity(_Named):
    type: str = ""
    provider: dict[str, Any] = Field(default_factory=dict)
    pauses: _Pauses | None = None


class _Extension(_Named):
    plan: dict[str, Any] | None = None


class _Hypothesis(_Part):
    probes: tuple[_Named, ...] | None = None


class _Document(_Part):
    title: str = "experiment"
    description: str | None = None
    method: tuple[_Activity, ...]
    configuration: dict[str, Any] | None = None
    extensions: tuple[_Extension, ...] | None = None
    hypothesis: _Hypothesis | None = Field(default=None, alias="steady-state-hypothesis")
    rollbacks: tuple[_Named, ...] | None = None
    controls: Any = None
    secrets: Any = None


class _Arguments(dict[str, Any]):
    """Of one action; knows which of them were read."""

    def __init__(self, given: Any) -> None:
        super().__init__(given if isinstance(given, Mapping) else {})
        self.read: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.read.add(key)
        return super().get(key, default)

    def unread(self) -> list[str]:
        return [f"{key} {self[key]}" for key in self if key not in self.read]


def read(document: Any, around: Around) -> Read:
    """Raises ToolkitError for what is no experiment, or one without an action that we know."""
    if not isinstance(document, Mapping) or not isinstance(document.get("method"), list):
        raise ToolkitError("no Chaos Toolkit experiment: it has no list 'method'")
    try:
        found = _Document.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        raise ToolkitError(f"no Chaos Toolkit experiment: {say(first['loc'], first)}") from error
    for extension in found.extensions or ():
        if extension.name == EXTENSION and extension.plan is not None:
            return Read(extension.plan)
    values = _configuration(found)
    notes: list[str] = []
    experiments: list[Json] = []
    namespaces: set[str] = set()
    for activity in found.method:
        name = activity.name
        if activity.type != "action":
            notes.append(f"probe '{name}' of the method: what is measured is in the verdict")
            continue
        provider = _substituted(activity.provider, values)
        given = _Arguments(provider.get("arguments"))
        reader = _READERS.get(_called(provider))
        try:
            fault = reader(given) if reader else None
        except (TypeError, ValueError) as error:
            raise ToolkitError(f"action '{name}': {error}") from error
        if fault is None:
            notes.append(f"action '{name}': {_called(provider)} has no fault of ours")
            continue
        namespaces.add(str(given.get("ns", around.namespace)))
        notes += [f"action '{name}': {each} has no place in a plan" for each in given.unread()]
        pauses = activity.pauses or _Pauses()
        experiments.append(_experiment(name, fault, pauses, len(experiments)))
    notes += _left_out(found)
    if not experiments:
        raise ToolkitError(f"no action of it is known: {'; '.join(notes) or 'it has none'}")
    if len(namespaces) > 1:
        raise ToolkitError(f"a plan has one namespace, not {', '.join(sorted(namespaces))}")
    return Read(_plan(found, experiments, namespaces.pop(), around), notes)


def _left_out(document: _Document) -> list[str]:
    """Parts that a plan has no place for."""
    probes = document.hypothesis.probes if document.hypothesis else ()
    return [
        *(
            f"probe '{probe.name}' of the steady state: here it is the objectives of"
            " the runbook, and a workload that is whole"
            for probe in probes or ()
        ),
        *(
            f"rollback '{rollback.name}': every fault brings its own undo"
            for rollback in document.rollbacks or ()
        ),
        *(
            f"'{part}' has no place in a plan"
            for part in ("controls", "secrets")
            if getattr(document, part)
        ),
    ]


def _plan(document: _Document, experiments: list[Json], home: str, around: Around) -> Json:
    return {
        "name": _slug(document.title),
        "description": document.description or document.title,
        "target": {"namespace": home, "workload": around.workload, "url": around.url},
        "prometheus": {"url": around.prometheus},
        "load": {"scenario": around.scenario},
        "experiments": experiments,
    }


def _experiment(name: str, fault: Json, pauses: _Pauses, number: int) -> Json:
    before, after = (seconds or SECONDS for seconds in (pauses.before, pauses.after))
    return {
        "name": _slug(name) or f"action-{number + 1}",
        "title": name,
        "fault": fault,
        "baseline": f"{before:g}s",
        "duration": f"{after:g}s",
        "recovery": f"{SECONDS:g}s",
    }


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].strip("-")


def _configuration(document: _Document) -> dict[str, Any]:
    """Values as they stand; of environment variables the default, as theirs is the runner's."""
    found = {}
    for name, value in (document.configuration or {}).items():
        found[name] = value.get("default") if isinstance(value, Mapping) else value
    return found


def _substituted(node: Any, values: Mapping[str, Any]) -> Any:
    """With ${name} replaced. Raises ToolkitError for a name without a value."""
    if isinstance(node, Mapping):
        return {k: _substituted(v, values) for k, v in node.items()}
    if isinstance(node, list):
        return [_substituted(v, values) for v in node]
    if not isinstance(node, str):
        return node

    def value(match: re.Match[str]) -> str:
        if values.get(match[1]) is None:
            raise ToolkitError(f"the configuration has no value for '{match[1]}'")
        return str(values[match[1]])

    return re.sub(r"\$\{(\w+)\}", value, node)


def _called(provider: Json) -> str:
    if provider.get("type") == "python":
        return f"{provider.get('module')}.{provider.get('func')}"
    return str(provider.get("path") or provider.get("url") or provider.get("type") or "nothing")


def _labels(selector: str) -> dict[str, str]:
    """Raises ToolkitError for what is no list of equalities."""
    pairs = [re.fullmatch(r"([^=!,]+)==?([^=!,]+)", part) for part in selector.split(",")]
    if not all(pairs):
        raise ToolkitError(f"the label selector '{selector}' is more than equalities")
    return {p[1]: p[2] for p in pairs if p}


def _terminate(given: Mapping[str, Any]) -> Json:
    """`rand` is how a plan draws, and `grace_period` 0 how it kills."""
    if not given.get("label_selector"):
        raise ToolkitError("a plan picks pods by labels: it needs a 'label_selector'")
    select: Json = {"labels": _labels(str(given.get("label_selector")))}
    quantity, mode = given.get("qty", 1), given.get("mode", "fixed")
    given.get("rand")
    if "grace_period" in given and given["grace_period"] == 0:
        given.get("grace_period")  # any other has no place
    if given.get("all"):
        select["percent"] = 100
    elif mode == "percentage":
        select["percent"] = quantity
    else:
        select["count"] = quantity
    return {"kind": "pod-kill", "select": select}


def _scale(kind: str) -> Callable[[Mapping[str, Any]], Json | None]:
    def read(given: Mapping[str, Any]) -> Json | None:
        if int(given.get("replicas", 1)) != 0:
            return None
        workload = {"kind": kind, "name": str(given.get("name", ""))}
        return {"kind": "scale-to-zero", "workload": workload}

    return read


def _drain(given: Mapping[str, Any]) -> Json | None:
    return {"kind": "node-drain", "node": str(given["name"])} if given.get("name") else None


_READERS: dict[str, Callable[[Mapping[str, Any]], Json | None]] = {
    "chaosk8s.pod.actions.terminate_pods": _terminate,
    "chaosk8s.deployment.actions.scale_deployment": _scale("Deployment"),
    "chaosk8s.statefulset.actions.scale_statefulset": _scale("StatefulSet"),
    "chaosk8s.node.actions.drain_nodes": _drain,
}
"""Actions of chaostoolkit-kubernetes by their full names."""


def write(plan: Plan, document: Json) -> tuple[Json, list[str]]:
    """The experiment, and sentences about what the Chaos Toolkit cannot do.

    `document` is the plan as it was read: it goes along as an extension, so that nothing is lost
    on the way back.
    """
    notes: list[str] = []
    home = plan.target.namespace
    method, rollbacks = [], []
    for experiment in plan.experiments:
        for slot in experiment.timetable():
            made = _action(experiment, slot, home)
            if made is None:
                notes.append(
                    f"{experiment.name}: the Chaos Toolkit has no action for {slot.fault.kind}"
                )
                continue
            action, back = made
            method.append(action)
            rollbacks += back
        if experiment.procedure is not None:
            notes.append(f"{experiment.name}: nothing there carries a runbook's procedure out")
    probe = {
        "type": "probe",
        "name": f"{plan.target.workload} is whole",
        "tolerance": True,
        "provider": _provider(
            "chaosk8s.deployment.probes",
            "deployment_fully_available",
            {"name": plan.target.workload, "ns": home},
        ),
    }
    written = {
        "version": "1.0.0",
        "title": plan.name,
        "description": plan.description or plan.name,
        "steady-state-hypothesis": {"title": f"{plan.target.workload} serves", "probes": [probe]},
        "method": method,
        "rollbacks": rollbacks,
        "extensions": [{"name": EXTENSION, "plan": json.loads(json.dumps(document, default=str))}],
    }
    return written, notes


def _provider(module: str, func: str, arguments: Json) -> Json:
    return {"type": "python", "module": module, "func": func, "arguments": arguments}


def _action(experiment: Experiment, slot: Slot, home: str) -> tuple[Json, list[Json]] | None:
    """The action and what rolls it back."""
    fault: Any = slot.fault.model_dump(by_alias=True)
    pauses = {"after": slot.lasts.total_seconds()}
    if slot.after:
        pauses["before"] = slot.after.total_seconds()

    def action(name: str, provider: Json) -> Json:
        return {"type": "action", "name": name, "provider": provider}

    if fault["kind"] == "pod-kill" and fault["how"] == "delete":
        select = fault["select"]
        amount = (
            {"mode": "fixed", "qty": select["count"]}
            if select["count"] is not None
            else {"mode": "percentage", "qty": select["percent"]}
        )
        given = {"label_selector": _words(select["labels"]), "rand": True, **amount}
        provider = _provider(
            "chaosk8s.pod.actions", "terminate_pods", {**given, "grace_period": 0, "ns": home}
        )
        return {**action(experiment.title, provider), "pauses": pauses}, []
    if fault["kind"] == "scale-to-zero":
        kind, name = fault["workload"]["kind"].lower(), fault["workload"]["name"]
        module, func = f"chaosk8s.{kind}.actions", f"scale_{kind}"
        given = {"name": name, "ns": home}
        away = action(experiment.title, _provider(module, func, {**given, "replicas": 0}))
        return {**away, "pauses": pauses}, [
            action(f"{name} has a pod again", _provider(module, func, {**given, "replicas": 1}))
        ]
    if fault["kind"] == "node-drain" and fault["node"]:
        given = {"name": fault["node"]}
        drain = action(experiment.title, _provider("chaosk8s.node.actions", "drain_nodes", given))
        back = _provider("chaosk8s.node.actions", "uncordon_node", given)
        return {**drain, "pauses": pauses}, [action(f"{fault['node']} takes pods again", back)]
    return None


def _words(labels: Mapping[str, str]) -> str:
    return ",".join(f"{k}={v}" for k, v in sorted(labels.items()))


__all__: Sequence[str] = ["Around", "Read", "ToolkitError", "read", "write"]
