"""`gameday cluster`: the embedded cluster on this machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import typer

from chaos.cli.app import Json, app, console, print_json
from chaos.kube import Cluster, ClusterError, Patience
from chaos.run.interrupt import interruptible
from chaos.run.progress import Progress, Quiet, Terminal
from chaos.undo.recover import game_days
from service.cluster import embedded
from service.images.neo4j.distribution import DEFAULT_SERIES, SERIES
from slo.exit_codes import ExitCode

cluster_app = typer.Typer(help="The embedded cluster on this machine.", no_args_is_help=True)
app.add_typer(cluster_app, name="cluster")


@contextmanager
def embedded_cluster(progress: Progress) -> Iterator[str]:
    """The kubeconfig of the embedded cluster; ended afterwards if it was started for this."""
    found = embedded.status()
    was_up = found.running
    if busy := _busy(found):
        progress.say(f"the embedded cluster is left as it is: {busy}")
        yield str(found.kubeconfig)
        return
    if not was_up:
        progress.say("starting the embedded cluster")
    try:
        info = embedded.up(owner_pid=None if was_up else os.getpid())
        progress.say(
            "using the embedded cluster that is up"
            if was_up
            else f"all pods ready after {info.boot_s:.1f} s"
        )
        yield str(info.kubeconfig)
    finally:
        if not was_up:
            embedded.down()


IMPATIENT = Patience(within_s=3.0, attempt_s=2.0)


def _busy(found: embedded.ClusterStatus) -> str:
    """The game day that goes on there, in words: applying manifests would undo its faults."""
    if found.kubeconfig is None:
        return ""
    try:
        runs = game_days(Cluster.connect(str(found.kubeconfig), patience=IMPATIENT))
    except ClusterError:  # an API server that is not there is what `up` is asked to mend
        return ""
    return ", ".join(f"a game day runs in namespace {name} ({run})" for name, run in runs.items())


@cluster_app.command()
def up(
    *,
    nodes: Annotated[int, typer.Option(min=1, max=8, help="How many nodes.")] = 1,
    neo4j: Annotated[
        str, typer.Option(help="The Neo4j that images neo4j:* run: 5 or 2026.")
    ] = DEFAULT_SERIES,
    json: Json = False,
) -> None:
    """Start it with the reference service, and wait until every pod is ready."""
    if neo4j not in SERIES:
        raise typer.BadParameter(f"{neo4j} is none of {', '.join(SERIES)}", param_hint="--neo4j")
    progress: Progress = Quiet() if json else Terminal(console())
    there = embedded.status()
    was_up = there.running
    if busy := _busy(there):
        if json:
            print_json({"kubeconfig": str(there.kubeconfig), "boot_s": 0, "left_as_it_is": busy})
        else:
            print(f"it is left as it is: {busy}\nexport KUBECONFIG={there.kubeconfig}")
        return
    with interruptible():
        try:
            info = embedded.up(nodes=nodes, neo4j=neo4j, say=progress.say)
        except BaseException:
            if not was_up:
                embedded.down()
            raise
    if json:
        print_json({"kubeconfig": str(info.kubeconfig), "boot_s": round(info.boot_s, 2)})
        return
    done = "it was up already" if was_up else f"all pods ready after {info.boot_s:.1f} s"
    print(f"{done}\nexport KUBECONFIG={info.kubeconfig}")


@cluster_app.command()
def down(*, json: Json = False) -> None:
    """End it, and remove every trace of it."""
    there = embedded.down()
    if json:
        print_json({"ended": there})
    else:
        print("ended, nothing is left" if there else "there was none")


@cluster_app.command()
def status(*, json: Json = False) -> None:
    """Say whether it runs and where its kubeconfig is; exit 1 if it does not run."""
    found = embedded.status()
    if json:
        print_json(asdict(found))
    elif found.running:
        print(
            f"running at {found.server}: {found.pods_ready} of {found.pods} pods ready on"
            f" {found.nodes} node(s)\nisolation: {found.isolation}\n"
            f"memory: {found.memory_bytes / 2**20:.0f} MiB\n"
            f"export KUBECONFIG={found.kubeconfig}"
        )
    else:
        print("not running")
    if not found.running:
        raise typer.Exit(ExitCode.FAIL)
