"""A release whose answers fail while its probes are well: only users notice."""

from collections.abc import Sequence

from chaos.prove.drills import Drill, Stage, served, sight, suffering, whole
from slo.verdict.proofs import Sight

VARIABLE, SHARE = "RELEASE_ERROR_RATE", "0.3"


class FailingRelease(Drill):
    topic = "rollback"
    condition = "a release that answers 30 % of the requests with 5xx, well to its probes"

    def fault(self, stage: Stage) -> None:
        stage.system.set_env(VARIABLE, SHARE)

    def sign(self, stage: Stage) -> str:
        return "" if stage.system.settled() else suffering(stage)

    def sights(self, stage: Stage) -> Sequence[Sight]:
        return whole(stage), _gone(stage), served(stage)


def _gone(stage: Stage) -> Sight:
    container = stage.system.template_container()
    left = [e["value"] for e in container.get("env") or [] if e["name"] == VARIABLE]
    seen = f"{VARIABLE}={left[0]} is still there" if left else "the release before"
    return sight("release", "the release before the bad one", holds=not left, seen=seen)
