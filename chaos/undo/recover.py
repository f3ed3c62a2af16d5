"""Undoing what dead runs left: at the start of a run, by `gameday recover`, and by the watchdog."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from chaos.kube import Cluster, kind_of
from chaos.undo import lease as leases
from chaos.undo.leftovers import Leftover, Stuck, Undone, Unseen, leftovers, stuck, undo

LONGEST = 200  # characters of an error that nobody foresaw
ALLOWED = "gameday.dev/allowed"
"""The label on a namespace that lets faults into it: "true"."""


@dataclass(slots=True, kw_only=True)
class Recovered:
    """What was found in a namespace: `live` faults belong to a run that goes on."""

    undone: list[Undone] = field(default_factory=list)
    stuck: list[Stuck] = field(default_factory=list)
    live: list[Leftover] = field(default_factory=list)
    unseen: list[Unseen] = field(default_factory=list)

    @property
    def blind(self) -> bool:
        """Is there something in the namespace that could not be looked at?

        What has no namespace may be out of sight: who may not list it has not changed it.
        """
        return any(unseen.kind.namespaced for unseen in self.unseen)


def recover(cluster: Cluster, namespace: str, own: str = "", *, force: bool = False) -> Recovered:
    """Undo the faults of runs that are over or dead; `own` is a run that asks before its first.

    An expired fault is undone even if its run lives. With `force`, so is every other one: for who
    knows that the run is dead, and would not wait until its Lease expires.
    """
    now = datetime.now(UTC)
    lease = cluster.find(leases.ref(namespace))
    dead = force or lease is None or leases.expired(lease, now)
    alive = "" if dead else leases.holder(lease)
    found = sweep(cluster, namespace, alive="" if alive == own else alive)
    if lease is not None and not alive and not found.stuck:  # the next run need not wait for it
        leases.remove(cluster, namespace, leases.holder(lease))
    return found


def sweep(cluster: Cluster, namespace: str, alive: str) -> Recovered:
    """Undo every fault but those of the run `alive` that have not expired."""
    now = datetime.now(UTC)
    done = Recovered()
    found, done.unseen = leftovers(cluster, namespace)
    for leftover in found:
        nameless = not leftover.found.id  # its mark is gone, but a runner that lives remembers it
        if alive and (nameless or _holds(leftover, alive, now)):
            done.live.append(leftover)
            continue
        result = _undone(cluster, leftover)
        if isinstance(result, Undone):
            done.undone.append(result)
        else:
            done.stuck.append(result)
    return done


def _undone(cluster: Cluster, leftover: Leftover) -> Undone | Stuck:
    """One mark that cannot be carried out must not keep the others from being undone."""
    try:
        return undo(cluster, leftover)
    except Exception as error:  # noqa: BLE001 - whatever somebody wrote into it
        what = f"{type(error).__name__}: {error}"[:LONGEST]
        return stuck(leftover, f"its undo data cannot be carried out ({what})")


def _holds(leftover: Leftover, alive: str, now: datetime) -> bool:
    mark = leftover.found.mark
    return mark is not None and mark.run == alive and not leftover.found.expired(now)


def game_days(cluster: Cluster) -> dict[str, str]:
    """The runs whose Lease is fresh, by namespace."""
    now = datetime.now(UTC)
    found = {name: cluster.find(leases.ref(name)) for name in allowed_namespaces(cluster)}
    return {
        name: leases.holder(lease)
        for name, lease in found.items()
        if lease is not None and leases.holder(lease) and not leases.expired(lease, now)
    }


def allowed_namespaces(cluster: Cluster) -> list[str]:
    """Names of the namespaces that faults are allowed in."""
    found = cluster.objects(kind_of("Namespace"), labels=f"{ALLOWED}=true")
    return [n["metadata"]["name"] for n in found]
