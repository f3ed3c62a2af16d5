"""Users see a page instead of the service, and the service again afterwards."""

from collections.abc import Sequence

from chaos.prove.drills.base import Drill, Stage, served, sight, whole
from chaos.prove.shell.ingress_tunnel import address_of
from slo.runbook.model import Procedure
from slo.verdict.proofs import ProofOutcome, Sight

ANNOTATION = "nginx.ingress.kubernetes.io/custom-http-errors"
HOST = "api.bizra.io"
PATH = "/health"


class MaintenanceOn(Drill):
    topic = "maintenance_mode"
    condition = "maintenance is about to begin"
    cure_within_s = 45.0

    def fits(self, procedure: Procedure) -> bool:
        return super().fits(procedure) and not procedure.title.casefold().endswith(": off")

    def sights(self, stage: Stage) -> Sequence[Sight]:
        return (through_the_door(stage, page=True),)


class MaintenanceOff(Drill):
    topic = "maintenance_mode"
    condition = "maintenance is over; users see the page, which was put up as the runbook says"
    cure_within_s = 90.0
    sign_within_s = 20.0

    def fits(self, procedure: Procedure) -> bool:
        return super().fits(procedure) and procedure.title.casefold().endswith(": off")

    def fault(self, stage: Stage) -> None:
        stage.counterpart()

    def sign(self, stage: Stage) -> str:
        """Without users who see the page, nothing was there to be switched off."""
        return super().sign(stage) if _page(stage) else ""

    def sights(self, stage: Stage) -> Sequence[Sight]:
        return through_the_door(stage, page=False), whole(stage), served(stage)


def _page(stage: Stage) -> bool:
    return through_the_door(stage, page=True).finding is ProofOutcome.PROVEN


def through_the_door(stage: Stage, *, page: bool) -> Sight:
    """What a user of the Ingress gets: the page, or the service."""
    wanted = "users get the maintenance page" if page else "users get the service"
    address = address_of(stage.system)
    if not address:
        seen = "no Ingress has an address here"
        return Sight(name="users", finding=ProofOutcome.NOT_VERIFIABLE, wanted=wanted, seen=seen)
    answer = stage.system.ask("GET", PATH, url=f"https://{address}", host=HOST)
    if answer is None:
        return sight("users", wanted, holds=False, seen="no answer")
    service = "json" in answer.headers.get("content-type", "") and answer.is_success
    seen = f"{answer.status_code}, {answer.text.strip()[:60]!r}"
    shown = not service and "maintenance" in answer.text.casefold()
    return sight("users", wanted, holds=shown if page else service, seen=seen)
