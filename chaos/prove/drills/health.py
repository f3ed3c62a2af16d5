"""Questions that people put to the service itself: is it well?"""

from collections.abc import Sequence

from chaos.prove.drills.base import Drill, Stage, served
from chaos.prove.drills.reading import answered
from slo.runbook.model import Effect, Procedure, StepKind
from slo.verdict.proofs import Sight


class Health(Drill):
    condition = "somebody asks the service, through its Ingress, whether it is well; it is"
    claim = "every question is answered, and not with an error"
    cure_within_s = 0.0
    once = ("commands",)

    def fits(self, procedure: Procedure) -> bool:
        steps = [s for s in procedure.steps if s.kind is StepKind.COMMAND]
        asks = [s for s in steps if any(c.program == "curl" for c in s.commands)]
        others = [s for s in steps if s not in asks]
        return bool(asks) and all(s.effect is Effect.READS for s in others)

    def sights(self, stage: Stage) -> Sequence[Sight]:
        return answered(stage), served(stage)
