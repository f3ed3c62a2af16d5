"""All pods are replaced on purpose: by those of a new version, or by bigger ones."""

from collections.abc import Sequence
from typing import Any

from chaos.prove.drills.base import Drill, Stage, served, sight, whole
from slo.runbook.model import Procedure
from slo.verdict.proofs import Sight

LOST = "requests lost"


class Rollout(Drill):
    """One field of the service's container is to be another one, and nobody to notice."""

    cure_within_s = 90.0
    once = (LOST,)
    wanted = ""

    def value(self, container: dict[str, Any]) -> object:
        raise NotImplementedError

    def prepare(self, stage: Stage) -> None:
        stage.memory["before"] = self.value(stage.system.template_container())
        stage.memory["failed before"] = stage.load.progress().errors

    def sights(self, stage: Stage) -> Sequence[Sight]:
        now = self.value(stage.system.template_container())
        lost = stage.load.progress().errors - stage.memory["failed before"]
        changed = now != stage.memory["before"]
        return (
            sight("template", self.wanted, holds=changed, seen=f"{now}"),
            sight(LOST, "none", holds=lost == 0, seen=str(lost)),
            whole(stage),
            served(stage),
        )


class NewVersion(Rollout):
    """The version is `<version>` where the runbook leaves it open: by default the next patch."""

    topic = "deployment"
    condition = "a new version waits in the registry"
    claim = "the new version serves, and no request was lost on the way"
    wanted = "another image than before"

    def fits(self, procedure: Procedure) -> bool:
        sets = any(c.plain[:3] == ("kubectl", "set", "image") for c in procedure.commands)
        return procedure.topic in {self.topic, ""} and sets

    def value(self, container: dict[str, Any]) -> object:
        return container["image"]

    def prepare(self, stage: Stage) -> None:
        super().prepare(stage)
        stage.values.setdefault("version", _next(_tag(stage.memory["before"])))


class BiggerPods(Rollout):
    topic = "scaling"
    condition = "pods are to ask for more than they do"
    claim = "pods ask for something else, and no request was lost on the way"
    wanted = "other requests than before"

    def fits(self, procedure: Procedure) -> bool:
        patches = any(c.plain[:2] == ("kubectl", "patch") for c in procedure.commands)
        asks = any('"requests"' in step.text for step in procedure.steps)
        return procedure.topic in {self.topic, ""} and patches and asks

    def value(self, container: dict[str, Any]) -> object:
        return container.get("resources", {}).get("requests", {})


def _tag(image: str) -> str:
    """v1.0.0 of registry:5000/shop:v1.0.0; "" of an image without one."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2]


def _next(version: str) -> str:
    """v1.0.1 of v1.0.0; what does not end with a number stays."""
    head, dot, last = version.rpartition(".")
    return f"{head}{dot}{int(last) + 1}" if last.isdecimal() else version
