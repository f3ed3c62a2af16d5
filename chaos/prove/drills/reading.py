"""Procedures that only look: their promise is that every command answers."""

import contextlib
from collections.abc import Sequence

from chaos.kube import ClusterError
from chaos.kube.system_under_test import wait
from chaos.prove.drills.base import Drill, Stage, served, sight
from slo.runbook.model import Effect, Procedure, StepKind
from slo.verdict.proofs import Sight, StepState

RESTART_S = 60.0
# From inside, process 1 gets no SIGKILL, and usually is the application: most end at a SIGTERM.
END = "kill -TERM 1"


class Looking(Drill):
    condition = "somebody wants to know how things stand; one container has restarted"
    claim = "every command answers; whether the answers are right is not judged"
    cure_within_s = 0.0
    once = ("commands",)

    def fits(self, procedure: Procedure) -> bool:
        commands = [s for s in procedure.steps if s.kind is StepKind.COMMAND]
        return bool(commands) and all(s.effect is Effect.READS for s in commands)

    def prepare(self, stage: Stage) -> None:
        """One container has restarted: some commands look at what came before."""
        pods = stage.system.pods()
        if not pods:
            raise ClusterError(f"{stage.system.workload} has no pods")
        named = [p for p in pods if p.name == stage.values.get("pod-name")]
        pod = (named or pods)[0]  # the one that the commands ask about
        stage.values["pod-name"] = pod.name
        stage.memory["pod"] = pod
        with contextlib.suppress(
            ClusterError
        ):  # an image without a shell, or no handler: none restarts
            stage.system.exec(pod, ["sh", "-c", END])
        uid, before = pod.uid, sum(pod.restarts.values())

        def restarted() -> bool:
            now = [p for p in stage.system.pods() if p.uid == uid]
            return bool(now) and now[0].ready and sum(now[0].restarts.values()) > before

        wait(restarted, RESTART_S)

    def sights(self, stage: Stage) -> Sequence[Sight]:
        return answered(stage), served(stage)


def answered(stage: Stage) -> Sight:
    """Did every command that ran do so without an error?"""
    ran = [s for s in stage.steps if s.state in {StepState.DONE, StepState.FAILED}]
    bad = [s for s in ran if s.state is StepState.FAILED]
    seen = f"{len(ran) - len(bad)} of {len(ran)}"
    return sight("commands", "all answer", holds=bool(ran) and not bad, seen=seen)
