"""A new version beside the old one, and users moved over."""

from collections.abc import Sequence

from chaos.kube import kind_of
from chaos.prove.drills import Drill, Stage, served, sight
from slo.verdict.proofs import Sight


class BlueGreen(Drill):
    topic = "blue_green"
    condition = "a new version is to take over without a gap"
    cure_within_s = 60.0
    once = ("requests lost",)

    def prepare(self, stage: Stage) -> None:
        stage.memory["failed before"] = stage.load.progress().errors

    def sights(self, stage: Stage) -> Sequence[Sight]:
        versions = _versions_behind(stage)
        lost = stage.load.progress().errors - stage.memory["failed before"]
        blue = stage.system.find("Deployment", stage.system.workload)
        running = blue is not None and blue["spec"].get("replicas", 1) > 0
        return (
            sight(
                "users",
                "on green alone",
                holds=versions == {"green"},
                seen=" and ".join(sorted(versions)) or "nobody",
            ),
            sight("blue", "gone", holds=not running, seen="still runs" if running else "gone"),
            sight("requests lost", "none", holds=lost == 0, seen=str(lost)),
            served(stage),
        )


def _versions_behind(stage: Stage) -> set[str]:
    """The label `version` of the ready pods that the users' Service sends traffic to."""
    labels = {
        p["metadata"]["uid"]: p["metadata"].get("labels", {}).get("version", "?")
        for p in stage.system.raw_pods()
    }
    name = f"{stage.system.workload}-service"
    slices = stage.system.cluster.objects(
        kind_of("EndpointSlice"), stage.system.namespace, f"kubernetes.io/service-name={name}"
    )
    return {
        labels.get((point.get("targetRef") or {}).get("uid", ""), "?")
        for piece in slices
        for point in piece.get("endpoints") or []
        if (point.get("conditions") or {}).get("ready") is not False
    }
