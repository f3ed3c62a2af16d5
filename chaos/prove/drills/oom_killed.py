"""A memory limit below what the service needs: the kernel kills its containers."""

from collections.abc import Sequence

from chaos.kube import Json
from chaos.prove.drills.base import Drill, Stage, last_ends, served, sight, whole
from slo.verdict.proofs import Sight

LIMIT = "40Mi"  # the interpreter and its libraries alone take more


class OomKilled(Drill):
    topic = "oom_killed"
    condition = f"containers killed by the kernel at a limit of {LIMIT}"
    cure_within_s = 90.0

    def fault(self, stage: Stage) -> None:
        def change(found: Json) -> list[Json]:
            container = found["spec"]["template"]["spec"]["containers"][0]
            resources = container.get("resources") or {}
            lowered = {
                kind: {**resources.get(kind, {}), "memory": LIMIT}
                for kind in ("requests", "limits")
            }
            path = "/spec/template/spec/containers/0/resources"
            return [{"op": "add", "path": path, "value": {**resources, **lowered}}]

        stage.system.patch("Deployment", stage.system.workload, change)

    def sign(self, stage: Stage) -> str:
        found = [f"{p}: {w}" for p, w in last_ends(stage).items() if w == "OOMKilled"]
        for told in found:
            stage.values["pod-name"] = told.partition(":")[0]
        return found[0] if found else ""

    def sights(self, stage: Stage) -> Sequence[Sight]:
        ends = {p: w for p, w in last_ends(stage).items() if w == "OOMKilled"}
        seen = ", ".join(ends) or "none"
        return (
            whole(stage),
            sight("killed containers", "none", holds=not ends, seen=seen),
            served(stage),
        )
