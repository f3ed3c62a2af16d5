"""What `recover` and `abort` do: look at what dead runs left, and say what became of it."""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from chaos.cli.app import tell
from chaos.cli.errors import UsageError
from chaos.kube import Cluster, ClusterError
from chaos.undo import lease as leases
from chaos.undo.recover import Recovered, allowed_namespaces
from chaos.undo.snapshot_store import SnapshotStoreError, is_left, put_back
from service.cluster import embedded as embedded_cluster
from slo.evidence.journal import RunStarted, read_journal

_FORBIDDEN = 403


def connect(kubeconfig: str | None, context: str | None, *, embedded: bool) -> Cluster:
    if not embedded:
        return Cluster.connect(kubeconfig, context)
    if kubeconfig or context:
        raise UsageError(
            "--embedded has a cluster of its own: leave --kubeconfig and --context out"
        )
    found = embedded_cluster.status()
    if found.kubeconfig is None:
        raise UsageError("the embedded cluster is not running")
    return Cluster.connect(str(found.kubeconfig))


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillLeftover:
    """What became of what a drill of a procedure left: "" and nothing where there was none.

    `barred`: this account may not look, and so has made none.
    """

    done: list[str] = field(default_factory=list)
    stuck: str = ""
    live: str = ""
    unseen: str = ""
    barred: str = ""


def drill_leftover(cluster: Cluster, namespace: str, *, force: bool) -> DrillLeftover:
    """What a drill of a procedure that died has left is put back."""
    try:
        left = is_left(cluster, namespace)
    except ClusterError as error:
        if error.status == _FORBIDDEN:
            return DrillLeftover(barred=str(error))
        return DrillLeftover(unseen=str(error))
    if not left:
        return DrillLeftover()
    try:
        lease = cluster.find(leases.ref(namespace))
        if lease is not None and force:
            leases.remove(cluster, namespace, leases.holder(lease))
        elif lease is not None and not leases.expired(lease, datetime.now(UTC)):
            return DrillLeftover(live=leases.holder(lease))
        with leases.Held(cluster, namespace, f"recover-{secrets.token_hex(4)}"):
            return DrillLeftover(done=put_back(cluster, namespace, force=force) or [])
    except (SnapshotStoreError, ClusterError, leases.LeaseError) as error:
        return DrillLeftover(stuck=str(error))


def as_json(found: Recovered, drill: DrillLeftover) -> dict[str, list[str]]:
    barred = [f"drills were not looked for: {drill.barred}"] if drill.barred else []
    return {
        "undone": [f"{u.leftover}: {u.said}" for u in found.undone],
        "left_to_others": [note for u in found.undone for note in u.notes],
        "stuck": [str(s) for s in found.stuck] + [drill.stuck] * bool(drill.stuck),
        "live": [str(f) for f in found.live] + [drill.live] * bool(drill.live),
        "not_looked_at": [
            *(u.reason for u in found.unseen),
            *[drill.unseen] * bool(drill.unseen),
            *barred,
        ],
        "drill": drill.done,
    }


def show(namespace: str, found: Recovered, drill: DrillLeftover) -> None:
    for undone in found.undone:
        tell(f"undone: {undone.leftover}: {undone.said}")
        for note in undone.notes:
            tell(f"  {note}")
    for live in found.live:
        tell(f"left alone, its run lives: {live} (end it with: gameday abort)")
    for entry in drill.done:
        tell(f"put back: {entry}")
    if drill.live:
        tell(f"left alone, its run lives: the drill of {drill.live}")
    unseen = [u.reason for u in found.unseen] + [drill.unseen] * bool(drill.unseen)
    for reason in unseen:
        tell(f"not looked at: {reason}")
    if drill.barred:
        tell(f"drills were not looked for: {drill.barred}")
    for stuck in found.stuck:
        tell(f"CANNOT BE UNDONE: {stuck.leftover}: {stuck.reason}", error=True)
        tell(f"  before: {stuck.before}", error=True)
        tell(f"  by hand: {stuck.command}", error=True)
    if drill.stuck:
        tell(f"CANNOT BE PUT BACK, what a drill changed: {drill.stuck}", error=True)
    if found.undone or found.live or found.stuck or drill.done or drill.live or drill.stuck:
        return
    if unseen:
        tell(f"namespace {namespace}: nothing was found where it could be looked")
    else:
        tell(f"namespace {namespace}: nothing is left of any fault")


def only_one(cluster: Cluster) -> str:
    """The namespace in which a game day runs, if there is just one."""
    names = allowed_namespaces(cluster)
    busy = [name for name in names if leases.holder(cluster.find(leases.ref(name)))]
    if len(busy) == 1:
        return busy[0]
    if not busy:
        raise UsageError("no game day is running")
    raise UsageError(f"game days are running in {', '.join(busy)}: choose one with --namespace")


def started_run(run: Path) -> RunStarted:
    found = read_journal(run / "journal.jsonl")
    for entry in found:
        if isinstance(entry, RunStarted):
            return entry
    raise UsageError(f"{run}: the journal does not say where the run is")
