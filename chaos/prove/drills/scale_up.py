"""More users than the pods were made for: the autoscaler adds some, and so does who asks for them.

This machine cannot bring as many users as the autoscaler's target is for. So its CPU target is set,
for the drill, to twice of what the pods use before; what it makes of that is its own business.
"""

from collections.abc import Sequence

from chaos.kube import Json, Ref
from chaos.kube.kinds import AUTOSCALER
from chaos.kube.views import workload_of
from chaos.parts.find import PartError, objects
from chaos.prove.drills.base import ASKED_FOR, Drill, Stage, served, sight, whole
from chaos.undo.objects import fresh
from slo.runbook.model import Procedure
from slo.stats.estimates import Share
from slo.verdict.proofs import Sight
from slo.verdict.users_served import decided

AT_LEAST = 4  # percent; less is noise
MEANWHILE = "users meanwhile"


class ScaleUp(Drill):
    topic = "scaling"
    condition = (
        "three times as many users, past the autoscaler's CPU target (lowered to be reached)"
    )
    claim = "more pods under load, by the autoscaler and by hand, and nobody noticed"
    cure_within_s = 90.0
    sign_within_s = 120.0
    once = (MEANWHILE,)

    def fits(self, procedure: Procedure) -> bool:
        scales = any(c.plain[:2] == ("kubectl", "scale") for c in procedure.commands)
        return super().fits(procedure) and scales

    def needs(self, stage: Stage) -> None:
        if stage.system.kind == "DaemonSet":
            raise PartError(
                f"{stage.system.workload} is a DaemonSet, which has a pod on each node and no"
                " number of replicas"
            )

    def prepare(self, stage: Stage) -> None:
        stage.memory["pods"] = _wanted(stage)
        stage.memory["autoscaler"] = _autoscaler(stage)
        stage.memory["load before"] = stage.load.progress()

    def fault(self, stage: Stage) -> None:
        stage.memory["crowd"] = stage.crowd()
        if stage.memory["autoscaler"] is not None:
            _lower_target(stage, stage.memory["autoscaler"])

    def sign(self, stage: Stage) -> str:
        found = _autoscaler(stage)
        if found is None:
            return ASKED_FOR
        before, now = stage.memory["pods"], (found.get("status") or {}).get("desiredReplicas", 0)
        name = found["metadata"]["name"]
        return f"{name} wants {now} pods, {before} before" if now > before else ""

    def sights(self, stage: Stage) -> Sequence[Sight]:
        before = stage.memory["pods"]
        ready = sum(p.ready for p in stage.system.pods())
        more = sight(
            "pods", f"more than {before} ready", holds=ready > before, seen=f"{ready} ready"
        )
        return (
            more,
            *_in_charge(stage),
            whole(stage),
            served(stage),
            _meanwhile(stage),
        )

    def tidy(self, stage: Stage) -> None:
        """The autoscaler is made anew: what it remembers would bring the pods back.

        As it is by now: what others have changed in it meanwhile stays.
        """
        now = _autoscaler(stage)
        if stage.memory.get("autoscaler") is not None and now is not None:
            stage.system.cluster.delete(_ref(now), uid=now["metadata"]["uid"])
            stage.system.scale(stage.system.kind, stage.system.workload, stage.memory["pods"])
            stage.system.cluster.make(_ref(now), fresh(now))


def _meanwhile(stage: Stage) -> Sight:
    """All requests since the crowd came, its own among them."""
    before, now = stage.memory["load before"], stage.load.progress()
    crowd = stage.memory["crowd"].progress()
    share = Share(
        now.errors - before.errors + crowd.errors,
        max(1, now.requests - before.requests + crowd.requests),
    )
    wanted = f"errors at most {stage.error_rate:.3g} all the time"
    seen = f"errors {share.value:.2%} of {share.count} requests"
    return Sight(name=MEANWHILE, finding=decided(share, stage.error_rate), wanted=wanted, seen=seen)


def _autoscaler(stage: Stage) -> Json | None:
    """Of the workload."""
    for found in objects(stage.system, AUTOSCALER):
        ref = found["spec"]["scaleTargetRef"]
        if (ref["kind"], ref["name"]) == (stage.system.kind, stage.system.workload):
            return found
    return None


def _wanted(stage: Stage) -> int:
    """How many pods the target is to have."""
    return workload_of(stage.system.target).desired


def _ref(found: Json) -> Ref:
    return Ref(AUTOSCALER, found["metadata"]["name"], found["metadata"]["namespace"])


def _lower_target(stage: Stage, found: Json) -> None:
    used = [
        m["resource"]["current"].get("averageUtilization", 0)
        for m in (found.get("status") or {}).get("currentMetrics") or []
        if m.get("type") == "Resource" and m["resource"]["name"] == "cpu"
    ]
    wanted = max(AT_LEAST, 2 * max(used, default=0))

    def change(now: Json) -> list[Json]:
        return [
            {
                "op": "replace",
                "path": f"/spec/metrics/{i}/resource/target/averageUtilization",
                "value": wanted,
            }
            for i, m in enumerate(now["spec"].get("metrics") or [])
            if m.get("type") == "Resource"
            and m["resource"]["name"] == "cpu"
            and m["resource"]["target"].get("averageUtilization", 0) > wanted
        ]

    stage.system.patch(AUTOSCALER, found["metadata"]["name"], change)


def _in_charge(stage: Stage) -> Sequence[Sight]:
    found = _autoscaler(stage)
    if found is None:
        return ()
    most = found["spec"]["maxReplicas"]
    pods = _wanted(stage)
    active = any(
        c["type"] == "ScalingActive" and c["status"] == "True"
        for c in (found.get("status") or {}).get("conditions") or []
    )
    seen = f"{'active' if active else 'not active'}, {pods} pods wanted"
    wanted = f"active, at most {most} pods"
    return (sight("autoscaler", wanted, holds=active and pods <= most, seen=seen),)
