"""Network degrade: a relay in the path of a Service delays, loses, throttles or resets."""

import json
from datetime import timedelta
from importlib import resources
from typing import Literal, Self

from pydantic import Field, model_validator

from chaos.faults.base import NoTargetError, Part, Scene, Tag, Target, ref_of
from chaos.faults.changes import Await, Change, Create, Edit, Set
from chaos.faults.helper_pods import IMAGE, STARTS_WITHIN_S
from chaos.faults.probes import Probe, require_unseen, seen
from chaos.kube import Json, Ref
from slo.documents import Duration

RELAY = "gameday.dev/relay"  # a label of the relay's pod, by which the Service finds it


class NetworkDegrade(Part):
    """`loss` and `reset` in percent, of data and of connections; `rate` in bytes a second."""

    kind: Literal["network-degrade"]
    service: str
    latency: Duration = timedelta(0)
    jitter: Duration = timedelta(0)
    loss: float = Field(default=0, ge=0, le=90)
    reset: float = Field(default=0, ge=0, le=100)
    rate: int = Field(default=0, ge=0)
    image: str = IMAGE
    witnesses: tuple[Probe, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not (self.latency or self.loss or self.reset or self.rate):
            raise ValueError("say what to degrade: 'latency', 'loss', 'reset' or 'rate'")
        return self

    def describe(self) -> str:
        parts = {
            "latency": f"{self.latency.total_seconds() * 1000:g} ms" if self.latency else "",
            "loss": f"{self.loss:g} %" if self.loss else "",
            "reset": f"{self.reset:g} % of connections" if self.reset else "",
            "rate": f"{self.rate} B/s" if self.rate else "",
        }
        said = ", ".join(f"{name} {value}" for name, value in parts.items() if value)
        return f"{self.kind} ({said}): service {self.service}"

    def select(self, scene: Scene) -> tuple[Target, ...]:
        service = self._service(scene)
        if not service["spec"].get("selector"):
            raise NoTargetError(f"service {self.service} selects no pods: nothing to step between")
        if service["spec"].get("clusterIP") in (None, "", "None"):
            raise NoTargetError(f"service {self.service} has no address of its own to step behind")
        require_unseen(scene, self.witnesses)
        uid = service["metadata"]["uid"]
        return (Target(kind="Service", namespace=scene.namespace, name=self.service, uid=uid),)

    def _service(self, scene: Scene) -> Json:
        ref = Ref.of("Service", scene.namespace, self.service)
        found = scene.cluster.find(ref)
        if found is None:
            raise NoTargetError(f"there is no {ref}")
        return found

    def changes(self, scene: Scene, targets: tuple[Target, ...], tag: Tag) -> tuple[Change, ...]:
        """A second Service for the pods, the relay, and once that is ready the Service to it.

        Where other policies isolate all pods, one of its own lets traffic through the relay:
        policies add up. The relay is ready once it reaches the pods, so that no policy of theirs
        makes an outage of what was to be a slow network.
        """
        (target,) = targets
        spec = self._service(scene)["spec"]
        labels = {RELAY: tag.id}
        # Key by key, so that undoing finds its own key whatever others made of the rest meanwhile.
        away = [Set(("spec", "selector", key), ()) for key in spec["selector"]]
        to_relay = Set(("spec", "selector", RELAY), (tag.id,))
        metadata = {"name": tag.name, "namespace": scene.namespace}
        ports = [
            {
                "name": f"p{p['port']}",
                "port": p["port"],
                "targetPort": p.get("targetPort", p["port"]),
            }
            for p in spec["ports"]
        ]
        behind = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": spec["selector"], "ports": ports},
        }
        relay = Ref.of("Pod", scene.namespace, tag.name)
        through = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": metadata,
            "spec": {
                "podSelector": {"matchLabels": labels},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{}],
                "egress": [{}],
            },
        }
        hint = (
            f"it does not reach the pods of service {self.service}: a NetworkPolicy may forbid it"
        )
        return (
            Create(manifest=behind),
            Create(manifest=through),
            Create(manifest=self._relay(scene, tag, spec["ports"], labels)),
            Await(ref=relay, within_s=STARTS_WITHIN_S, hint=hint),
            Edit(ref=ref_of(target), uid=target.uid, fields=(to_relay, *away)),
        )

    def _relay(self, scene: Scene, tag: Tag, ports: list[Json], labels: Json) -> Json:
        """It listens where the Service's target ports lead, by number or by name."""
        listen = {_listens(p): p["port"] for p in ports}
        setting = {
            "to": f"{tag.name}.{scene.namespace}.svc",
            "ports": listen,
            "host": "$(POD_IP)",
            "latency_s": self.latency.total_seconds(),
            "jitter_s": self.jitter.total_seconds(),
            "loss": self.loss / 100,
            "reset": self.reset / 100,
            "rate": self.rate,
            "seed": tag.id,
        }
        program = resources.files("chaos.faults").joinpath("relay.py").read_text()
        named = [p for p in ports if isinstance(p.get("targetPort"), str)]
        container = {
            "name": "relay",
            "image": self.image,
            "command": ["python3", "-c", program.replace("$(", "$$("), json.dumps(setting)],
            "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
            "ports": [{"name": p["targetPort"], "containerPort": p["port"]} for p in named],
            "readinessProbe": {
                "tcpSocket": {"port": next(iter(listen))},
                "periodSeconds": 1,
            },
            "resources": {
                "requests": {"cpu": "50m", "memory": "32Mi"},
                "limits": {"memory": "128Mi"},
            },
        }
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": tag.name, "namespace": scene.namespace, "labels": labels},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
        }

    def effect(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        del targets
        return seen(scene, self.witnesses)

    def undone(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        """The Service leads to its pods again, and what the witnesses saw is over."""
        (target,) = targets
        service = scene.cluster.get(ref_of(target))
        if RELAY in service["spec"]["selector"] or seen(scene, self.witnesses):
            return None
        return f"service {self.service} leads to its own pods again"


def _listens(port: Json) -> int:
    target = port.get("targetPort", port["port"])
    return int(target) if isinstance(target, int) else int(port["port"])
