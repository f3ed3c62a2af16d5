"""More detail in the logs while somebody looks, and as before afterwards."""

from collections.abc import Sequence

from chaos.prove.drills import Drill, Stage, served, sight, whole
from slo.runbook.model import Procedure
from slo.verdict.proofs import Sight

VARIABLE = "LOG_LEVEL"


class DebugOn(Drill):
    topic = "debug_mode"
    condition = "somebody wants to see more in the logs"
    cure_within_s = 90.0
    level = "DEBUG"

    def fits(self, procedure: Procedure) -> bool:
        return super().fits(procedure) and not procedure.title.casefold().endswith(": off")

    def sights(self, stage: Stage) -> Sequence[Sight]:
        seen = _level(stage)
        wanted = f"{VARIABLE}={self.level}"
        switched = sight("level", wanted, holds=seen == self.level, seen=f"{VARIABLE}={seen}")
        return switched, whole(stage), served(stage)


class DebugOff(DebugOn):
    condition = "somebody has seen enough"
    level = "INFO"

    def fits(self, procedure: Procedure) -> bool:
        return procedure.topic == self.topic and procedure.title.casefold().endswith(": off")

    def fault(self, stage: Stage) -> None:
        stage.system.set_env(VARIABLE, "DEBUG")

    def sign(self, stage: Stage) -> str:
        return "" if stage.system.settled() else super().sign(stage)


def _level(stage: Stage) -> str:
    container = stage.system.template_container()
    values = {e["name"]: e.get("value", "") for e in container.get("env") or []}
    return str(values.get(VARIABLE, ""))
