"""A release that never becomes ready, as its container ends at once."""

from collections.abc import Sequence

from chaos.prove.drills.base import Drill, Stage, served, whole
from chaos.prove.drills.releases import BACK_OFF, crash, crashing, release_before
from slo.verdict.proofs import Sight


class Rollback(Drill):
    topic = "rollback"
    condition = "a release whose pods crash and never become ready"
    sign_within_s = 90.0

    def fault(self, stage: Stage) -> None:
        crash(stage)

    def sign(self, stage: Stage) -> str:
        found = crashing(stage)
        return f"{found[0]}: {BACK_OFF}" if found else ""

    def sights(self, stage: Stage) -> Sequence[Sight]:
        return whole(stage), release_before(stage), served(stage)
