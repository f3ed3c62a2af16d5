"""Releases that are bad on purpose: what they change, and how one sees that they are gone."""

from chaos.kube import Json
from chaos.prove.drills.base import Stage, container_states, sight
from slo.verdict.proofs import Sight

EXIT_CODE = 17  # of no other's use, so that it is known whose crash it is
SAYS = "gameday: this release crashes on purpose"
# Where the image has no shell, the container cannot be started, which is a crash as well.
CRASH = ["sh", "-c", f"echo '{SAYS}' >&2; exit {EXIT_CODE}"]
BACK_OFF = "CrashLoopBackOff"


def crash(stage: Stage) -> None:
    """A rollout of the target whose container ends as soon as it starts."""
    stage.memory["good"] = stage.system.template_container()
    stage.system.change_container(lambda _: {"command": CRASH})


def crashing(stage: Stage) -> list[str]:
    """The target's pods that have ended and are started again in vain, by name."""
    names = {p.name for p in stage.system.pods()}
    return [
        pod["metadata"]["name"]
        for pod in stage.system.raw_pods()
        if pod["metadata"]["name"] in names and any(map(_fails, container_states(pod)))
    ]


def release_before(stage: Stage) -> Sight:
    """The target is no longer to run the release that crashes."""
    now, good = stage.system.template_container(), stage.memory["good"]
    gone = now.get("command") != CRASH
    seen = "the bad release is still there"
    if gone:
        same = now["image"] == good["image"]
        seen = "the release before" if same else f"another one, {now['image']}"
    return sight("release", "not the bad one", holds=gone, seen=seen)


def _fails(state: Json) -> bool:
    waiting = (state.get("state") or {}).get("waiting") or {}
    return waiting.get("reason") == BACK_OFF
