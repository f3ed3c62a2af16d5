"""A memory limit below what the service needs: the kernel kills its containers."""

from collections.abc import Sequence

from chaos.kube import Json
from chaos.prove.drills.base import Drill, Stage, last_ends, served, sight, whole
from slo.verdict.proofs import Sight

REASON = "OOMKilled"
SHARE = 4  # of what is used now, so that not even the start gets by
MIB = 1024 * 1024
LEAST_MIB, NOT_MEASURED_MIB = 12, 40  # with less than 12 MiB no container starts at all


class OomKilled(Drill):
    topic = "oom_killed"
    condition = "containers killed by the kernel at a memory limit far below what they use"
    cure_within_s = 90.0

    def fault(self, stage: Stage) -> None:
        limit = f"{_limit_mib(stage)}Mi"

        def change(container: Json) -> Json:
            resources = container.get("resources") or {}
            lowered = {
                kind: {**resources.get(kind, {}), "memory": limit}
                for kind in ("requests", "limits")
            }
            return {"resources": {**resources, **lowered}}

        stage.system.change_container(change)

    def sign(self, stage: Stage) -> str:
        found = [f"{p}: {w}" for p, w in last_ends(stage).items() if w == REASON]
        for told in found:
            stage.values["pod-name"] = told.partition(":")[0]
        return found[0] if found else ""

    def sights(self, stage: Stage) -> Sequence[Sight]:
        ends = {p: w for p, w in last_ends(stage).items() if w == REASON}
        seen = ", ".join(ends) or "none"
        return (
            whole(stage),
            sight("killed containers", "none", holds=not ends, seen=seen),
            served(stage),
        )


def _limit_mib(stage: Stage) -> int:
    """Of what the smallest of its containers uses, by the resource metrics API."""
    name = stage.system.template_container()["name"]
    used = [
        measured.memory
        for pod in stage.system.pods()
        if (measured := stage.system.cluster.usage(pod.namespace, pod.name, name)) is not None
    ]
    return max(LEAST_MIB, min(used) // SHARE // MIB) if used else NOT_MEASURED_MIB
