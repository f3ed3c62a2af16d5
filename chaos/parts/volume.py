"""Files on a volume: whose they are, which claim has them, where the runbook keeps their backup."""

from dataclasses import dataclass

from chaos.kube import Json, Ref
from chaos.kube.system_under_test import SystemUnderTest
from chaos.kube.views import containers_of, selector_of
from chaos.parts.find import PartError, add, named_workload
from slo.system.parts import VolumePart


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """`ref` is the workload that has the claim, `selector` finds its pods.

    `image`, `security` and `start` are for a pod that looks at the files: its image, its security
    context, what its container runs. `backup` is a name in the folder that the steps run in.
    """

    ref: Ref
    selector: str
    claim: str
    image: str
    security: Json
    start: Json
    backup: str


def files_of(system: SystemUnderTest, part: VolumePart) -> Files:
    """Raises PartError, ClusterError."""
    named, of = part.workload or system.workload, part.workload_kind
    found = named_workload(system, named, of if part.workload else system.kind, part.name)
    kind, name = found["kind"], found["metadata"]["name"]
    where = {"name": part.name, "kind": "volume"}
    claim = claim_of(found, part.claim)
    if not claim:
        why = f"nobody says which claim has the files of {part.name}"
        raise PartError(add(why, **where, workload=name, claim="NAME"))
    if kind == "DaemonSet":
        raise PartError(f"{name} is a DaemonSet: its volume cannot be looked at while it is away")
    template = found["spec"]["template"]
    own = name == system.workload and kind == system.kind
    container = system.container_of(template)[1] if own else containers_of(template)[0]
    return Files(
        ref=Ref.of(kind, system.namespace, name),
        selector=selector_of(found["spec"]["selector"]),
        claim=claim,
        image=container["image"],
        security=template["spec"].get("securityContext") or {},
        start={"command": ["sleep", "600"]},
        backup=part.backup or f"{part.name.casefold().replace(' ', '-')}-backup",
    )


def claim_of(workload: Json, named: str | None, mounted_at: str = "") -> str:
    """The claim that system.yaml names; else the one at that path, or the only one; else "".

    Of a StatefulSet it is that of its first pod.
    """
    if named is not None:
        return named
    spec = workload["spec"]
    pod = spec["template"]["spec"]
    name = workload["metadata"]["name"]
    first = (spec.get("ordinals") or {}).get("start") or 0
    claims = {
        t["metadata"]["name"]: f"{t['metadata']['name']}-{name}-{first}"
        for t in spec.get("volumeClaimTemplates") or ()
    }
    for volume in pod.get("volumes") or ():
        if "persistentVolumeClaim" in volume:
            claims[volume["name"]] = volume["persistentVolumeClaim"]["claimName"]
    if mounted_at and len(claims) > 1:
        for container in pod["containers"]:
            for mount in container.get("volumeMounts") or ():
                if mount["mountPath"] == mounted_at and mount["name"] in claims:
                    return str(claims[mount["name"]])
    return next(iter(claims.values())) if len(claims) == 1 else ""
