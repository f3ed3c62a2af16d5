"""A rollout to an image that no registry has."""

from collections.abc import Sequence

from chaos.kube.views import with_tag
from chaos.prove.drills.base import Drill, Stage, served, sight, waiting_reasons, whole
from slo.verdict.proofs import Sight

NOWHERE = "no-such-version"
REASONS = ("ImagePullBackOff", "ErrImagePull")


class ImagePull(Drill):
    topic = "image_pull"
    condition = "a rollout to an image that the registry does not have"
    cure_within_s = 30.0

    def fault(self, stage: Stage) -> None:
        stage.system.change_container(lambda c: {"image": with_tag(c["image"], NOWHERE)})

    def sign(self, stage: Stage) -> str:
        found = [f"{p}: {w}" for p, w in waiting_reasons(stage).items() if w in REASONS]
        for told in found:
            stage.values["pod-name"] = told.partition(":")[0]
        return found[0] if found else ""

    def sights(self, stage: Stage) -> Sequence[Sight]:
        waiting = {p: w for p, w in waiting_reasons(stage).items() if w in REASONS}
        seen = ", ".join(f"{p}: {w}" for p, w in waiting.items()) or "none"
        gone = sight("pods without an image", "none", holds=not waiting, seen=seen)
        return whole(stage), gone, served(stage)
