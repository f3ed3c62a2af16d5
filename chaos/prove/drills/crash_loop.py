"""Pods that end as soon as they start, because of a setting that the service refuses."""

from collections.abc import Sequence

from chaos.prove.drills.base import Drill, Stage, served, sight, waiting_reasons, whole
from slo.verdict.proofs import Sight

REASON = "CrashLoopBackOff"


class CrashLoop(Drill):
    topic = "crash_loop"
    condition = "a rollout whose pods crash at once (LOG_LEVEL=NONSENSE)"
    cure_within_s = 45.0

    def fault(self, stage: Stage) -> None:
        stage.system.set_env("LOG_LEVEL", "NONSENSE")

    def sign(self, stage: Stage) -> str:
        found = [pod for pod, why in waiting_reasons(stage).items() if why == REASON]
        if found:
            stage.values["pod-name"] = found[0]
            return f"{found[0]}: {REASON}"
        return ""

    def sights(self, stage: Stage) -> Sequence[Sight]:
        waiting = {p: w for p, w in waiting_reasons(stage).items() if w == REASON}
        seen = ", ".join(f"{p}: {w}" for p, w in waiting.items()) or "none"
        gone = sight("crashing pods", "none", holds=not waiting, seen=seen)
        return whole(stage), gone, served(stage)
