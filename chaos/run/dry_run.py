"""A dry run: what would be hit, what would be changed, and which permission is missing."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from chaos.faults import NoTargetError, Scene, changes
from chaos.faults.changes import Change
from chaos.faults.injection import Tag
from chaos.kube import Cluster, ClusterError, Ref
from chaos.plan import forbidden
from chaos.plan.model import Experiment, Plan
from chaos.run import rbac
from chaos.undo.fields import show


@dataclass(slots=True)
class DryRun:
    """Lines for people: what a run would do, and what would keep it from doing so.

    `denied` are permissions that are missing, `problems` everything else.
    """

    would: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)


def dry_run_of(plan: Plan, cluster: Cluster, url: str) -> DryRun:
    """Resolve all targets as they are now, and ask for every permission. Changes nothing."""
    found = DryRun()
    needed = set(rbac.AROUND)
    if plan.target.api_version is not None:
        kind = cluster.kind(plan.target.full_kind)
        needed |= rbac.of_custom(f"{kind.plural}.{kind.group}")
    for experiment, slot in ((e, s) for e in plan.experiments for s in e.timetable()):
        scene = scene_of(plan, experiment, cluster, url, slot.label)
        tag = Tag(
            id="dry-run",
            run="dry-run",
            experiment=experiment.name,
            kind=slot.fault.kind,
            namespace=plan.target.namespace,
            expires=datetime.now(UTC),
        )
        try:
            targets = slot.fault.select(scene)
            made = slot.fault.changes(scene, targets, tag)
            forbidden.check(scene, slot.fault.kind, made)
        except (NoTargetError, ClusterError) as error:
            found.problems.append(f"{experiment.name}: {error}")
            continue
        needed |= rbac.needed(made)
        found.would += [f"{experiment.name}: {words(change)}" for change in made]
    namespace = plan.target.namespace
    for permission in sorted(needed):
        wide = permission in rbac.OF_NODES
        where = "" if wide else namespace
        if not cluster.allowed(permission.verb, permission.group, permission.resource, where):
            place = "in the cluster" if wide else f"in namespace {namespace}"
            found.denied.append(f"not permitted {place}: {permission}")
    return found


def scene_of(
    plan: Plan, experiment: Experiment, cluster: Cluster, url: str, label: str = ""
) -> Scene:
    """Of one fault; `label` is its own among those of the experiment, so that draws differ."""
    drawn = f"{plan.seed}/{experiment.name}" + (f"/{label}" if label else "")
    return Scene(
        cluster=cluster,
        namespace=plan.target.namespace,
        workload=plan.target.workload,
        seed=Random(drawn),  # noqa: S311 - repeatable on purpose
        max_share=plan.guardrails.max_share_of_pods,
        anyway=plan.guardrails.all_pods_of,
        url=url,
        forbidden=plan.guardrails.forbidden_kinds,
        workload_kind=plan.target.full_kind,
    )


def words(change: Change) -> str:
    """What a change does, for people. What a Secret would hold is not said."""
    match change:
        case changes.Edit(ref=ref, fields=fields):
            hidden = ref.kind.kind == "Secret"
            sets = [
                f"{show(f.path)} = {'(secret)' if hidden else f.value[0]!r}"
                if f.value
                else f"{show(f.path)} taken away"
                for f in fields
            ]
            return f"change {ref}: {', '.join(sets)}"
        case changes.Create(manifest=manifest):
            return f"create {Ref.to(manifest)}"
        case changes.Inside(pod=pod, container=container):
            return f"run a command in container {container} of {pod}"
        case changes.Delete(ref=ref):
            return f"delete {ref}"
        case changes.Evict(ref=ref):
            return f"evict {ref}"
        case changes.Await(ref=ref):
            return f"wait until {ref} is ready"
