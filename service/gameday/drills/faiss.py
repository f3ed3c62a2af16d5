"""The file of the vector index is damaged; a backup is at hand."""

from collections.abc import Sequence
from typing import Any

from chaos.prove.drills import Drill, Stage, served, sight, whole
from slo.verdict.proofs import Sight

FILE, BACKUP = "/data/faiss/main.index", "faiss-recovery.index"
QUERIES = ("the seed of the valley records trust", "an honest witness", "water and grain")


class VectorRecovery(Drill):
    topic = "recovery"
    words = ("faiss",)
    condition = f"{FILE} is damaged, and pods that start find no index"
    cure_within_s = 90.0
    sign_within_s = 90.0

    def prepare(self, stage: Stage) -> None:
        stage.memory["answers"] = _answers(stage)
        pod = stage.system.pods()[0].name
        stage.own(f"kubectl cp {stage.system.namespace}/{pod}:{FILE} {BACKUP}")

    def fault(self, stage: Stage) -> None:
        """By renaming: pods that run have the old file mapped, and would die of a shorter one."""
        pods = stage.system.pods()
        script = f"cp {FILE} {FILE}.kept && echo damaged > {FILE}.bad && mv {FILE}.bad {FILE}"
        stage.system.exec(pods[0], ["sh", "-c", script], within_s=60)
        ref = stage.system.ref("Pod", pods[-1].name)
        stage.system.cluster.delete(ref, uid=pods[-1].uid)

    def sign(self, stage: Stage) -> str:
        broken = [p for p in stage.system.pods() if sum(p.restarts.values()) and not p.ready]
        return f"{broken[0].name} ends at its start" if broken else ""

    def sights(self, stage: Stage) -> Sequence[Sight]:
        before, now = stage.memory["answers"], _answers(stage)
        same = sum(a is not None and a == b for a, b in zip(before, now, strict=True))
        wanted = f"the same neighbours for {len(QUERIES)} searches"
        seen = f"{same} of {len(QUERIES)} the same"
        return (
            whole(stage),
            sight("searches", wanted, holds=same == len(QUERIES), seen=seen),
            served(stage),
        )

    def tidy(self, stage: Stage) -> None:
        script = f"if [ -f {FILE}.kept ]; then mv {FILE}.kept {FILE}; fi; rm -f {FILE}.new"
        for pod in [p for p in stage.system.pods() if p.ready][:1]:
            stage.system.exec(pod, ["sh", "-c", script])


def _answers(stage: Stage) -> list[Any]:
    found = []
    for text in QUERIES:
        answer = stage.system.ask("POST", "/search", {"text": text, "k": 10})
        found.append(answer.json()["results"] if answer is not None and answer.is_success else None)
    return found
