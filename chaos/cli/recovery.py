"""`gameday recover`, `abort` and `rbac`: what is needed around a run, or after one that died."""

import getpass
import secrets
import socket
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from ruamel.yaml import YAML

from chaos.cli.app import Json, app, print_json
from chaos.cli.errors import UsageError
from chaos.kube import Cluster, ClusterError
from chaos.run import rbac as permissions
from chaos.undo import lease as leases
from chaos.undo.leftovers import leftovers
from chaos.undo.recover import Recovered, allowed_namespaces
from chaos.undo.recover import recover as recover_namespace
from chaos.undo.snapshot_store import SnapshotStoreError, is_left, put_back
from service.cluster import embedded as embedded_cluster
from slo.evidence.journal import RunStarted, read_journal
from slo.exit_codes import ExitCode

ENDS_WITHIN_S = 120.0
_FORBIDDEN = 403

Kubeconfig = Annotated[str | None, typer.Option(help="Default: as kubectl.")]
Context = Annotated[str | None, typer.Option(help="A context of the kubeconfig.")]
Embedded = Annotated[bool, typer.Option("--embedded", help="On the embedded cluster.")]
Namespace = Annotated[str | None, typer.Option(help="In this namespace alone.")]


def _connect(kubeconfig: str | None, context: str | None, *, embedded: bool) -> Cluster:
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


@app.command()
def recover(
    *,
    namespace: Namespace = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="The run is dead, though its Lease is fresh; put a drill back, though it is old.",
        ),
    ] = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    embedded: Embedded = False,
    json: Json = False,
) -> None:
    """Undo what dead runs left, from the cluster alone; exit 5 if something cannot be undone."""
    cluster = _connect(kubeconfig, context, embedded=embedded)
    names = [namespace] if namespace else allowed_namespaces(cluster)
    found = {name: recover_namespace(cluster, name, force=force) for name in names}
    drills = {name: _drill(cluster, name, force=force) for name in names}
    if json:
        print_json({name: _as_json(each, drills[name]) for name, each in found.items()})
    else:
        for name, each in found.items():
            _show(name, each, drills[name])
        if not names:
            print("no namespace allows faults, so there is nothing to look at")
    if any(each.stuck for each in found.values()) or any(d.stuck for d in drills.values()):
        raise typer.Exit(ExitCode.FAULT_STUCK)
    if any(each.blind for each in found.values()) or any(d.unseen for d in drills.values()):
        raise typer.Exit(ExitCode.INCONCLUSIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drill:
    """What became of what a drill of a procedure left: "" and nothing where there was none.

    `barred`: this account may not look, and so has made none.
    """

    done: list[str] = field(default_factory=list)
    stuck: str = ""
    live: str = ""
    unseen: str = ""
    barred: str = ""


def _drill(cluster: Cluster, namespace: str, *, force: bool) -> _Drill:
    """What a drill of a procedure that died has left is put back."""
    try:
        left = is_left(cluster, namespace)
    except ClusterError as error:
        if error.status == _FORBIDDEN:
            return _Drill(barred=str(error))
        return _Drill(unseen=str(error))
    if not left:
        return _Drill()
    try:
        lease = cluster.find(leases.ref(namespace))
        if lease is not None and force:
            leases.remove(cluster, namespace, leases.holder(lease))
        elif lease is not None and not leases.expired(lease, datetime.now(UTC)):
            return _Drill(live=leases.holder(lease))
        with leases.Held(cluster, namespace, f"recover-{secrets.token_hex(4)}"):
            return _Drill(done=put_back(cluster, namespace, force=force) or [])
    except (SnapshotStoreError, ClusterError, leases.LeaseError) as error:
        return _Drill(stuck=str(error))


def _as_json(found: Recovered, drill: _Drill) -> dict[str, list[str]]:
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


def _show(namespace: str, found: Recovered, drill: _Drill) -> None:
    for undone in found.undone:
        print(f"undone: {undone.leftover}: {undone.said}")
        for note in undone.notes:
            print(f"  {note}")
    for live in found.live:
        print(f"left alone, its run lives: {live} (end it with: gameday abort)")
    for entry in drill.done:
        print(f"put back: {entry}")
    if drill.live:
        print(f"left alone, its run lives: the drill of {drill.live}")
    unseen = [u.reason for u in found.unseen] + [drill.unseen] * bool(drill.unseen)
    for reason in unseen:
        print(f"not looked at: {reason}")
    if drill.barred:
        print(f"drills were not looked for: {drill.barred}")
    for stuck in found.stuck:
        print(f"CANNOT BE UNDONE: {stuck.leftover}: {stuck.reason}", file=sys.stderr)
        print(f"  before: {stuck.before}", file=sys.stderr)
        print(f"  by hand: {stuck.command}", file=sys.stderr)
    if drill.stuck:
        print(f"CANNOT BE PUT BACK, what a drill changed: {drill.stuck}", file=sys.stderr)
    if found.undone or found.live or found.stuck or drill.done or drill.live or drill.stuck:
        return
    if unseen:
        print(f"namespace {namespace}: nothing was found where it could be looked")
    else:
        print(f"namespace {namespace}: nothing is left of any fault")


@app.command()
def abort(
    run: Annotated[Path | None, typer.Argument(help="A run directory, e.g. runs/latest.")] = None,
    *,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    embedded: Embedded = False,
    json: Json = False,
) -> None:
    """End the game day that runs, from another terminal or machine; everything is undone."""
    if run is not None and namespace is not None:
        raise UsageError("say which game day: either a run directory or --namespace")
    cluster = _connect(kubeconfig, context, embedded=embedded)
    started = _started(run) if run else None
    where = started.namespace if started else namespace or _only_one(cluster)
    who = f"{getpass.getuser()} on {socket.gethostname()}"
    identity = leases.ask_to_end(cluster, where, started.plan if started else "", f"asked by {who}")
    if not json:
        print(f"asked {identity} to end")
    deadline = time.monotonic() + ENDS_WITHIN_S
    while leases.holder(cluster.find(leases.ref(where))) == identity:
        if time.monotonic() > deadline:
            raise UsageError(f"{identity} did not end within {ENDS_WITHIN_S:g} s: gameday recover")
        time.sleep(0.2)
    left, _ = leftovers(cluster, where)
    if left:
        print(f"it has ended, but there is still: {left[0]}: gameday recover", file=sys.stderr)
        raise typer.Exit(ExitCode.FAULT_STUCK)
    if json:
        print_json({"ended": identity, "undone": True})
    else:
        print("it has ended, and everything was undone")


def _only_one(cluster: Cluster) -> str:
    """The namespace in which a game day runs, if there is just one."""
    names = allowed_namespaces(cluster)
    busy = [name for name in names if leases.holder(cluster.find(leases.ref(name)))]
    if len(busy) == 1:
        return busy[0]
    found = f"they run in {', '.join(busy)}: name one with --namespace" if busy else "none runs"
    raise UsageError(f"which game day? {found}")


def _started(run: Path) -> RunStarted:
    found = read_journal(run / "journal.jsonl")
    for entry in found:
        if isinstance(entry, RunStarted):
            return entry
    raise UsageError(f"{run}: the journal does not say where the run is")


@app.command()
def rbac(
    namespace: Annotated[str, typer.Argument(help="The namespace to allow faults in.")],
    *,
    nodes: Annotated[bool, typer.Option(help="Allow faults on nodes too, cluster-wide.")] = False,
    json: Json = False,
) -> None:
    """Print what an administrator applies once: `gameday rbac shop | kubectl apply -f -`."""
    found = permissions.manifests(namespace, nodes=nodes)
    if json:
        print_json({"apiVersion": "v1", "kind": "List", "items": found})
        return
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.default_flow_style = False
    yaml.dump_all(found, sys.stdout)
