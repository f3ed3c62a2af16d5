"""Which part of system.yaml is meant, and the one object that a look at the cluster gives."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import httpx

from chaos.kube import ClusterError, Json, Kind, kind_of
from chaos.kube.system_under_test import SystemUnderTest
from slo.system.parts import AnyPart, WorkloadKind

Chosen = TypeVar("Chosen", bound=AnyPart)
KINDS: tuple[WorkloadKind, ...] = ("StatefulSet", "Deployment", "DaemonSet")


class PartError(Exception):
    """The system has no such part, or nobody says which one is meant: one sentence with the YAML.

    Nothing was changed when it is raised.
    """


def add(what: str, **fields: str) -> str:
    """The YAML that would help, as the end of a sentence."""
    inner = ", ".join(f"{k}: {v}" for k, v in fields.items())
    return f"{what}; add to system.yaml: parts: [{{{inner}}}]"


def part_of(
    parts: Iterable[AnyPart], kind: type[Chosen], texts: Sequence[str] = ()
) -> Chosen | None:
    """The part of this kind that the first text names, else the first one; None without any."""
    fitting = [p for p in parts if isinstance(p, kind)]
    for text in texts:
        for part in fitting:
            if part.named_in(text):
                return part
    return next(iter(fitting), None)


def images(workload: Json) -> list[str]:
    """The names of its containers' images, without registry, tag and digest."""
    containers = workload["spec"]["template"]["spec"]["containers"]
    return [c["image"].partition("@")[0].rpartition("/")[2].partition(":")[0] for c in containers]


def by_image(system: SystemUnderTest, image: str) -> list[Json]:
    """The namespace's workloads that run it."""
    return [
        obj
        for kind in KINDS
        for obj in system.cluster.objects(kind_of(kind), system.namespace)
        if image in images(obj)
    ]


def objects(system: SystemUnderTest, kind: Kind) -> list[Json]:
    """Of the namespace; none where the cluster does not know the kind."""
    try:
        return system.cluster.objects(kind, system.namespace)
    except ClusterError as error:
        if error.status == httpx.codes.NOT_FOUND:
            return []
        raise


def only(found: Sequence[Json], what: str, where: str, yaml: Callable[[str], str]) -> Json:
    """The one that there is. Raises PartError: `yaml` makes the sentence's end of a name."""
    if len(found) == 1:
        return found[0]
    if not found:
        raise PartError(yaml(f"{where} has no {what}"))
    names = ", ".join(o["metadata"]["name"] for o in found)
    raise PartError(yaml(f"{where} has several {what}s ({names})"))


def workload_of_part(
    system: SystemUnderTest, named: str | None, kind: WorkloadKind | None, image: str, title: str
) -> Json:
    """The workload that system.yaml names, else the only one with such an image.

    Raises PartError, ClusterError.
    """
    if named is not None:
        return named_workload(system, named, kind, title)
    return only(
        by_image(system, image),
        f"workload with an image of {title}",
        f"namespace {system.namespace}",
        lambda why: add(why, name=title, kind=image, workload="NAME"),
    )


def named_workload(system: SystemUnderTest, name: str, kind: str | None, title: str) -> Json:
    """Of this kind, else of whatever kind there is. Raises PartError, ClusterError."""
    for each in (kind,) if kind else KINDS:
        found = system.find(each, name)
        if found is not None:
            return found
    raise PartError(
        f"{title} is not here: namespace {system.namespace} has no {kind or 'workload'} {name!r},"
        " which system.yaml names"
    )
