"""A Secret is due for rotation: it gets another value, and whoever reads it starts again."""

import secrets
from collections.abc import Sequence

from chaos.kube import Json
from chaos.parts.secrets import RotatedSecret, reads, rotated_by
from chaos.prove.drills.base import Drill, Stage, container_states, served, sight, whole
from chaos.prove.steps.placeholders import key
from slo.verdict.proofs import Sight

_NEW = ("password", "secret", "key", "token", "credential")


class SecretRotation(Drill):
    topic = "secret_rotation"
    condition = "a secret is due for rotation"
    claim = "the Secret is another one, and every pod that reads it has started since"
    cure_within_s = 120.0

    def needs(self, stage: Stage) -> None:
        stage.memory["secret"] = rotated_by(stage.system, stage.procedure)

    def prepare(self, stage: Stage) -> None:
        fill_in_new_ones(stage)
        stage.memory["old"] = stage.memory["seen"] = _values(stage)
        stage.memory["stale"] = frozenset()

    def before_step(self, stage: Stage) -> None:
        stage.memory["starts"] = _starts(stage)

    def after_step(self, stage: Stage) -> None:
        """Who ran when the Secret changed still has the old value."""
        now = _values(stage)
        if now != stage.memory["seen"]:
            stage.memory["seen"], stage.memory["stale"] = now, stage.memory["starts"]

    def sights(self, stage: Stage) -> Sequence[Sight]:
        own: RotatedSecret = stage.memory["secret"]
        old, new = stage.memory["old"], _values(stage)
        changed = bool(new) and (
            new != old if not own.key else new.get(own.key) != old.get(own.key)
        )
        value = f"its value {own.key}" if own.key else "its values"
        left = len(stage.memory["stale"] & _starts(stage))
        readers = len(_starts(stage))
        seen = f"{left} of {readers} still run with the old value" if left else f"{readers} pods"
        return (
            sight(
                f"secret {own.name}",
                "another one than before",
                holds=changed,
                seen=f"{value} changed" if changed else f"{value} did not change",
            ),
            sight("readers", "all started since", holds=changed and not left, seen=seen),
            whole(stage),
            served(stage),
        )


def fill_in_new_ones(stage: Stage) -> None:
    """Each placeholder that stands for a secret gets a value that nobody had before."""
    asked = {key(p) for step in stage.procedure.steps for p in step.placeholders}
    for name in sorted({"new-password", "new-key", *asked}):
        if name not in stage.values and any(word in name for word in _NEW):
            stage.values[name] = secrets.token_urlsafe(18)
            stage.secrets.add(stage.values[name])


def _values(stage: Stage) -> dict[str, str]:
    return stage.system.secret(stage.memory["secret"].name)


def _starts(stage: Stage) -> frozenset[tuple[str, int]]:
    """Of the pods that have the Secret in their environment: each pod with its restarts."""
    return frozenset(
        (pod["metadata"]["uid"], _restarts(pod))
        for pod in stage.system.raw_pods()
        if reads(pod["spec"], stage.memory["secret"].name)
        and "deletionTimestamp" not in pod["metadata"]
    )


def _restarts(pod: Json) -> int:
    return sum(s["restartCount"] for s in container_states(pod))
