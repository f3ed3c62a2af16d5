"""`gameday cluster`: the embedded cluster on this machine."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from chaos.cli.app import Json, app, console, print_json, tell
from chaos.run.interrupt import interruptible

cluster_app = typer.Typer(help="The embedded cluster on this machine.", no_args_is_help=True)
app.add_typer(cluster_app, name="cluster")


@cluster_app.command()
def up(
    *,
    nodes: Annotated[int, typer.Option(min=1, max=8, help="How many nodes.")] = 1,
    neo4j: Annotated[
        str | None, typer.Option(help="The Neo4j that images neo4j:* run: 5, the default, or 2026.")
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(help="Images of your own: YAML, a pattern and a command for each."),
    ] = None,
    bare: Annotated[
        bool, typer.Option("--bare", help="Without the reference service and its databases.")
    ] = False,
    json: Json = False,
) -> None:
    """Start it with the reference service, and wait until every pod is ready."""
    from chaos.cli.embedded import busy
    from chaos.run.progress import Progress, Quiet, Terminal
    from service.cluster import embedded
    from service.images.neo4j.distribution import DEFAULT_SERIES, SERIES

    neo4j = neo4j or DEFAULT_SERIES
    if neo4j not in SERIES:
        raise typer.BadParameter(f"{neo4j} is none of {', '.join(SERIES)}", param_hint="--neo4j")
    progress: Progress = Quiet() if json else Terminal(console())
    there = embedded.status()
    was_up = there.running
    if reason := busy(there):
        if json:
            print_json({"kubeconfig": str(there.kubeconfig), "boot_s": 0, "left_as_it_is": reason})
        else:
            tell(f"it is left as it is: {reason}\nexport KUBECONFIG={there.kubeconfig}")
        return
    with interruptible():
        try:
            info = embedded.up(
                nodes=nodes, neo4j=neo4j, images=images, deploy_service=not bare, say=progress.say
            )
        except BaseException:
            if not was_up:
                embedded.down()
            raise
    if json:
        print_json({"kubeconfig": str(info.kubeconfig), "boot_s": round(info.boot_s, 2)})
        return
    done = "it was up already" if was_up else f"all pods ready after {info.boot_s:.1f} s"
    tell(f"{done}\nexport KUBECONFIG={info.kubeconfig}")


@cluster_app.command()
def down(*, json: Json = False) -> None:
    """End it, and remove every trace of it."""
    from service.cluster import embedded

    there = embedded.down()
    if json:
        print_json({"ended": there})
    else:
        tell("ended, nothing is left" if there else "there was none")


@cluster_app.command()
def status(*, json: Json = False) -> None:
    """Say whether it runs and where its kubeconfig is; exit 1 if it does not run."""
    from service.cluster import embedded
    from slo.exit_codes import ExitCode

    found = embedded.status()
    if json:
        print_json(asdict(found))
    elif found.running:
        tell(
            f"running at {found.server}: {found.pods_ready} of {found.pods} pods ready on"
            f" {found.nodes} node(s)\nisolation: {found.isolation}\n"
            f"memory: {found.memory_bytes / 2**20:.0f} MiB\n"
            f"export KUBECONFIG={found.kubeconfig}"
        )
    else:
        tell("not running")
    if not found.running:
        raise typer.Exit(ExitCode.FAIL)
