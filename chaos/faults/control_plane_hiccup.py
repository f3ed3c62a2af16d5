"""Control plane hiccup: the API server answers some requests with errors, or not at all."""

from collections import Counter
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from chaos.faults.base import NoTargetError, Part, Scene, Tag, Target
from chaos.faults.changes import Change, Create
from chaos.kube import ClusterError, kind_of
from chaos.undo.marks import LABEL

MOST, MOST_TIMEOUTS = 50.0, 10.0  # percent: beyond that our own undo might not get through in time
LOOKS = 10  # requests of our own each time that the effect is looked for
NOT_FOUND = 404


def _bearable(answers: dict[str, float]) -> dict[str, float]:
    together = sum(answers.values())
    if together > MOST or answers.get("timeout", 0) > MOST_TIMEOUTS:
        raise ValueError(
            f"at most {MOST:g} % together, and {MOST_TIMEOUTS:g} % of time-outs: what undoes"
            " faults must get through"
        )
    return answers


Answer = Annotated[Literal["409", "429", "500", "timeout"], BeforeValidator(str)]
Answers = Annotated[
    dict[Answer, Annotated[float, Field(gt=0, le=100)]],
    Field(min_length=1),
    AfterValidator(_bearable),
]


class ControlPlaneHiccup(Part):
    """`answers` in percent of the requests for objects of the namespace; 409 to writes alone."""

    kind: Literal["control-plane-hiccup"]
    answers: Answers

    def describe(self) -> str:
        said = ", ".join(f"{share:g} % {name}" for name, share in sorted(self.answers.items()))
        return f"{self.kind}: {said}"

    def select(self, scene: Scene) -> tuple[Target, ...]:
        """The namespace; `before` counts what our own client had to ask again until now."""
        try:
            scene.cluster.objects(kind_of("Hiccup"), scene.namespace)
        except ClusterError as error:
            if error.status != NOT_FOUND:
                raise
            raise NoTargetError(
                "this cluster's API server has no switch for hiccups (no resource"
                f" hiccups.{kind_of('Hiccup').group}), so there is nothing to inject"
            ) from error
        uid = scene.cluster.namespace(scene.namespace)["metadata"]["uid"]
        before = dict(Counter(scene.cluster.retried))
        return (
            Target(kind="Namespace", namespace="", name=scene.namespace, uid=uid, before=before),
        )

    def changes(self, scene: Scene, targets: tuple[Target, ...], tag: Tag) -> tuple[Change, ...]:
        """An object that says what is wanted, and until when even if nobody takes it away."""
        del targets
        spec = {
            "rates": {name: share / 100 for name, share in sorted(self.answers.items())},
            "until": tag.expires.isoformat(),
        }
        kind = kind_of("Hiccup")
        manifest = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"name": tag.name, "namespace": scene.namespace},
            "spec": spec,
        }
        return (Create(manifest=manifest),)

    def effect(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        """Our own client had to ask again, after an answer that was asked for."""
        _look(scene)
        more = Counter(scene.cluster.retried) - Counter(targets[0].before)
        seen = [f"{more[name]} x {name}" for name in sorted(self.answers) if more[name]]
        return f"our own requests had to be made again: {', '.join(seen)}" if seen else None

    def undone(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        del targets
        if scene.cluster.objects(kind_of("Hiccup"), scene.namespace, labels=LABEL):
            return None
        before = len(scene.cluster.retried)
        _look(scene)
        if len(scene.cluster.retried) > before:
            return None
        return f"the switch is gone, and {LOOKS} requests in a row were answered at once"


def _look(scene: Scene) -> None:
    for _ in range(LOOKS):
        scene.under_test()
