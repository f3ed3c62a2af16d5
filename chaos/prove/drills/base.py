"""What a drill is: the condition that a procedure is for, and how one sees that it is gone.

One condition, one file. The prover decides when things happen; a drill says how to bring its
condition about, how it shows, what must hold afterwards, and what to clear away beside the objects
that are put back anyway.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chaos.kube import Json
from chaos.kube.system_under_test import SystemUnderTest
from chaos.prove.shell.shell_session import Ran
from chaos.prove.steps.secret_mask import SecretMask
from loadtests.runner import LoadHandle
from loadtests.tail import RECENT_S
from slo.runbook.model import Procedure
from slo.system.parts import AnyPart
from slo.verdict.proofs import Database, ProofOutcome, Sight, StepProof
from slo.verdict.users_served import users_served as judged

ASKED_FOR = "asked for"
SERVED = "users are served"
SERVED_S = 15.0  # looked at together: at 40 requests/s, enough to rule out 1 % of errors


@dataclass(slots=True, kw_only=True)
class Stage:
    """Where a drill takes place. `values` fill placeholders; `memory` is the drill's own.

    `scratch` is the folder that the steps run in, `own` runs a command of ours there.
    `counterpart` carries out the procedure that switches on what this one switches off, and is
    false where the runbook has none; `crowd` starts more users, who go before all is put back.
    `error_rate` and `p95_s` are the runbook's critical thresholds: a ratio, and seconds.
    `databases` are those that the procedure is about.
    """

    procedure: Procedure
    system: SystemUnderTest
    scratch: Path
    load: LoadHandle
    own: Callable[[str], Ran]
    counterpart: Callable[[], bool]
    crowd: Callable[[], LoadHandle]
    error_rate: float
    p95_s: float
    values: dict[str, str] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)
    secrets: SecretMask
    databases: tuple[Database, ...] = ()
    steps: list[StepProof] = field(default_factory=list)


class Drill:
    """The defaults are those of a condition that needs nothing special.

    `topic` is the procedure's (slo.runbook.reading.topics); what else `fits` may want is `words` of
    its title, or `parts`, those that system.yaml names. `cases` are drills of their own, for a
    procedure that has to fit several conditions: each is tried, under its `case`, and the worst
    answer counts. Everything that a drill does may raise ClusterError.
    """

    topic = ""
    words: tuple[str, ...] = ()  # that the title must have beside the topic
    condition = ""
    claim = "cured, as seen from users and cluster"  # what a proof of it says
    cure_within_s = 60.0
    sign_within_s = 60.0
    case = ""
    cases: "tuple[type[Drill], ...]" = ()
    touches: tuple[str, ...] = ()  # databases that it asks, whatever the procedure's text names
    once: tuple[str, ...] = ()  # sights of what has happened, which no waiting mends

    def __init__(self, parts: Sequence[AnyPart] = ()) -> None:
        self.parts = tuple(parts)

    def fits(self, procedure: Procedure) -> bool:
        """Is it for this procedure? A drill without a topic has to say it itself."""
        title = procedure.title.casefold()
        about = bool(self.topic) and procedure.topic == self.topic
        return about and all(w in title for w in self.words)

    def needs(self, stage: Stage) -> None:
        """Find the parts that it is about, before anything is changed.

        Raises PartError where the system does not have them: then it is not verifiable here.
        """

    def prepare(self, stage: Stage) -> None:
        """Before anything is broken: data to look for later, files that an operator would have."""

    def fault(self, stage: Stage) -> None:
        """Bring the condition about."""

    def sign(self, stage: Stage) -> str:
        """How the condition shows from outside; "" until it does."""
        del stage
        return ASKED_FOR

    def sights(self, stage: Stage) -> Sequence[Sight]:
        """What must hold once the procedure has done its work."""
        raise NotImplementedError

    def before_step(self, stage: Stage) -> None:
        """Each step of the procedure is about to run."""

    def after_step(self, stage: Stage) -> None:
        """The last of `stage.steps` has just run."""

    def undo(self, stage: Stage) -> None:
        """Before the objects are put back: what can be undone only while they are as they are."""

    def tidy(self, stage: Stage) -> None:
        """Data and files on volumes; objects are put back without this."""


def sight(name: str, wanted: str, *, holds: bool, seen: str) -> Sight:
    finding = ProofOutcome.PROVEN if holds else ProofOutcome.REFUTED
    return Sight(name=name, finding=finding, wanted=wanted, seen=seen)


def whole(stage: Stage, kind: str = "", name: str = "") -> Sight:
    """All pods of the target, or of another workload, are ready and of its last version."""
    why = stage.system.settled(kind, name)
    title = name or stage.system.workload
    return sight("whole", f"all pods of {title} ready", holds=not why, seen=why or "all ready")


def served(stage: Stage, over_s: float = SERVED_S) -> Sight:
    """By the clients' own requests of the last seconds."""
    wanted = f"errors at most {stage.error_rate:.3g}, p95 at most {stage.p95_s * 1000:.0f} ms"
    recent = stage.load.recent(over_s)
    finding, seen = judged(
        recent.requests,
        recent.failed,
        np.array(recent.times),
        error_rate=stage.error_rate,
        p95_s=stage.p95_s,
    )
    return Sight(name=SERVED, finding=finding, wanted=wanted, seen=seen)


def suffering(stage: Stage) -> str:
    """Users feel it: the last seconds are surely past a critical threshold."""
    found = served(stage, RECENT_S)
    return found.seen if found.finding is ProofOutcome.REFUTED else ""


def container_states(pod: Json) -> list[Json]:
    return [dict(s) for s in (pod.get("status") or {}).get("containerStatuses") or []]


def waiting_reasons(stage: Stage) -> dict[str, str]:
    """Pods of the workload's namespace that wait, and for what: {"web-x": "ErrImagePull"}."""
    found = {}
    for pod in stage.system.raw_pods():
        for state in container_states(pod):
            reason = (state.get("state") or {}).get("waiting", {}).get("reason", "")
            if reason:
                found[pod["metadata"]["name"]] = reason
    return found


def last_ends(stage: Stage) -> dict[str, str]:
    """Why containers ended, by pod, e.g. {"web-x": "OOMKilled"}."""
    found = {}
    for pod in stage.system.raw_pods():
        for state in container_states(pod):
            for when in ("state", "lastState"):
                reason = (state.get(when) or {}).get("terminated", {}).get("reason", "")
                if reason:
                    found[pod["metadata"]["name"]] = reason
    return found
