"""`gameday recover`, `abort` and `rbac`: what is needed around a run, or after one that died."""

import getpass
import socket
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from chaos.cli import options
from chaos.cli.app import Json, app, print_json, tell
from chaos.cli.errors import UsageError

ENDS_WITHIN_S = 120.0

Embedded = Annotated[bool, typer.Option("--embedded", help="On the embedded cluster.")]
Namespace = Annotated[str | None, typer.Option(help="In this namespace alone.")]


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
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    embedded: Embedded = False,
    json: Json = False,
) -> None:
    """Undo what dead runs left, from the cluster alone; exit 5 if something cannot be undone."""
    from chaos.cli.recovery_steps import as_json, connect, drill_leftover, show
    from chaos.undo.recover import allowed_namespaces
    from chaos.undo.recover import recover as recover_namespace
    from slo.exit_codes import ExitCode

    cluster = connect(kubeconfig, context, embedded=embedded)
    names = [namespace] if namespace else allowed_namespaces(cluster)
    found = {name: recover_namespace(cluster, name, force=force) for name in names}
    drills = {name: drill_leftover(cluster, name, force=force) for name in names}
    if json:
        print_json({name: as_json(each, drills[name]) for name, each in found.items()})
    else:
        for name, each in found.items():
            show(name, each, drills[name])
        if not names:
            tell("no namespace allows faults, so there is nothing to look at")
    if any(each.stuck for each in found.values()) or any(d.stuck for d in drills.values()):
        raise typer.Exit(ExitCode.FAULT_STUCK)
    if any(each.blind for each in found.values()) or any(d.unseen for d in drills.values()):
        raise typer.Exit(ExitCode.INCONCLUSIVE)


@app.command()
def abort(
    run: Annotated[Path | None, typer.Argument(help="A run directory, e.g. runs/latest.")] = None,
    *,
    namespace: Namespace = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    embedded: Embedded = False,
    json: Json = False,
) -> None:
    """End the game day that runs, from another terminal or machine; everything is undone."""
    from chaos.cli.recovery_steps import connect, only_one, started_run
    from chaos.undo import lease as leases
    from chaos.undo.leftovers import leftovers
    from slo.exit_codes import ExitCode

    if run is not None and namespace is not None:
        raise UsageError("say which game day: either a run directory or --namespace")
    cluster = connect(kubeconfig, context, embedded=embedded)
    started = started_run(run) if run else None
    where = started.namespace if started else namespace or only_one(cluster)
    who = f"{getpass.getuser()} on {socket.gethostname()}"
    identity = leases.ask_to_end(cluster, where, started.plan if started else "", f"asked by {who}")
    if not json:
        tell(f"asked {identity} to end")
    deadline = time.monotonic() + ENDS_WITHIN_S
    while leases.holder(cluster.find(leases.ref(where))) == identity:
        if time.monotonic() > deadline:
            raise UsageError(f"{identity} did not end within {ENDS_WITHIN_S:g} s: gameday recover")
        time.sleep(0.2)
    left, _ = leftovers(cluster, where)
    if left:
        tell(f"it has ended, but there is still: {left[0]}: gameday recover", error=True)
        raise typer.Exit(ExitCode.FAULT_STUCK)
    if json:
        print_json({"ended": identity, "undone": True})
    else:
        tell("it has ended, and everything was undone")


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def watchdog(context: typer.Context) -> None:
    """Undo faults of dead runs in --namespace; a run places it by itself."""
    from chaos.undo.watchdog import main

    main(context.args)


@app.command()
def rbac(
    namespace: Annotated[str, typer.Argument(help="The namespace to allow faults in.")],
    *,
    nodes: Annotated[bool, typer.Option(help="Allow faults on nodes too, cluster-wide.")] = False,
    custom: Annotated[
        list[str] | None,
        typer.Option(help="Workloads of this custom resource, e.g. rollouts.argoproj.io."),
    ] = None,
    json: Json = False,
) -> None:
    """Print what an administrator applies once: `gameday rbac shop | kubectl apply -f -`."""
    from ruamel.yaml import YAML

    from chaos.run import rbac as permissions

    for name in custom or ():
        if "." not in name:
            raise UsageError(
                f"--custom {name}: name the resource with its group, e.g. rollouts.argoproj.io"
            )
    found = permissions.manifests(namespace, nodes=nodes, custom=custom or ())
    if json:
        print_json({"apiVersion": "v1", "kind": "List", "items": found})
        return
    print(
        "# Accounts and Roles for game days. The namespace itself is not in here, as its labels\n"
        "# belong to whoever made it; its owner allows faults in it with:\n"
        f"#   {permissions.allow(namespace)}"
    )
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.default_flow_style = False
    yaml.dump_all(found, sys.stdout)
