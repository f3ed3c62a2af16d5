"""Users see a page instead of the service, and the service again afterwards."""

from collections.abc import Sequence

import httpx

from chaos.kube import ClusterError
from chaos.kube.system_under_test import wait
from chaos.parts.doors import Door, door_of
from chaos.prove.drills.base import Drill, Stage, served, sight, whole
from slo.runbook.model import Procedure
from slo.verdict.proofs import ProofOutcome, Sight

OFF = ": off"
WORD = "maintenance"  # what tells the page from the service's own errors
WELL_S = 20.0


class MaintenanceOn(Drill):
    topic = "maintenance_mode"
    condition = "maintenance is about to begin"
    cure_within_s = 45.0

    def fits(self, procedure: Procedure) -> bool:
        return super().fits(procedure) and not procedure.title.casefold().endswith(OFF)

    def needs(self, stage: Stage) -> None:
        stage.memory["door"] = door_of(stage.system, stage.procedure.title)

    def prepare(self, stage: Stage) -> None:
        """What the service answers while it is well, to know it again."""
        door: Door = stage.memory["door"]
        if not door.address:
            return

        def well() -> bool:
            answer = _ask(stage, door)
            stage.memory["type"] = _type(answer)
            return answer is not None and answer.is_success

        if not wait(well, WELL_S):
            raise ClusterError(
                f"{door.path} at {door.host or door.address} does not answer before the drill"
                " (field 'path' of the part of kind ingress in system.yaml)"
            )

    def sights(self, stage: Stage) -> Sequence[Sight]:
        return (through_the_door(stage, page=True),)


class MaintenanceOff(MaintenanceOn):
    condition = "maintenance is over; users see the page, which was put up as the runbook says"
    cure_within_s = 90.0
    sign_within_s = 20.0

    def fits(self, procedure: Procedure) -> bool:
        return procedure.topic == self.topic and procedure.title.casefold().endswith(OFF)

    def fault(self, stage: Stage) -> None:
        stage.counterpart()

    def sign(self, stage: Stage) -> str:
        """Without users who see the page, nothing was there to be switched off."""
        return super().sign(stage) if _page(stage) else ""

    def sights(self, stage: Stage) -> Sequence[Sight]:
        return through_the_door(stage, page=False), whole(stage), served(stage)


def through_the_door(stage: Stage, *, page: bool) -> Sight:
    """What a user of the Ingress gets: the page, or the service."""
    wanted = "users get the maintenance page" if page else "users get the service"
    door: Door = stage.memory["door"]
    if not door.address:
        seen = "the Ingress has no address here"
        return Sight(name="users", finding=ProofOutcome.NOT_VERIFIABLE, wanted=wanted, seen=seen)
    answer = _ask(stage, door)
    if answer is None:
        return sight("users", wanted, holds=False, seen="no answer")
    service = answer.is_success and _type(answer) == stage.memory["type"]
    seen = f"{answer.status_code}, {answer.text.strip()[:60]!r}"
    shown = not service and WORD in answer.text.casefold()
    return sight("users", wanted, holds=shown if page else service, seen=seen)


def _page(stage: Stage) -> bool:
    return through_the_door(stage, page=True).finding is ProofOutcome.PROVEN


def _ask(stage: Stage, door: Door) -> httpx.Response | None:
    return stage.system.ask("GET", door.path, url=door.url, host=door.host)


def _type(answer: httpx.Response | None) -> str:
    """The kind of content, without its encoding."""
    return answer.headers.get("content-type", "").partition(";")[0] if answer is not None else ""
