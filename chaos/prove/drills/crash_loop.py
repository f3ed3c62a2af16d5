"""Pods that end as soon as they start."""

from collections.abc import Sequence

from chaos.prove.drills.base import Drill, Stage, served, sight, whole
from chaos.prove.drills.releases import BACK_OFF, crash, crashing
from slo.verdict.proofs import Sight


class CrashLoop(Drill):
    topic = "crash_loop"
    condition = "a rollout whose pods crash at once"
    cure_within_s = 45.0
    sign_within_s = 90.0

    def fault(self, stage: Stage) -> None:
        crash(stage)

    def sign(self, stage: Stage) -> str:
        found = crashing(stage)
        if found:
            stage.values["pod-name"] = found[0]
            return f"{found[0]}: {BACK_OFF}"
        return ""

    def sights(self, stage: Stage) -> Sequence[Sight]:
        left = crashing(stage)
        seen = ", ".join(f"{p}: {BACK_OFF}" for p in left) or "none"
        gone = sight("crashing pods", "none", holds=not left, seen=seen)
        return whole(stage), gone, served(stage)
