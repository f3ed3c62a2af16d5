"""`gameday init`: the folder of a system, written from what can be found out about it."""

from pathlib import Path
from typing import Annotated

import typer

from chaos.cli import options
from chaos.cli.app import app, console
from chaos.cli.errors import UsageError


@app.command()
def init(
    *,
    directory: Annotated[
        Path, typer.Option("--dir", help="Where the folder is written.", file_okay=False)
    ] = Path("gameday"),
    namespace: Annotated[str | None, typer.Option(help="Where the service runs.")] = None,
    workload: Annotated[str | None, typer.Option(help="Its Deployment, or the like.")] = None,
    url: Annotated[
        str | None, typer.Option(help="Where users reach it. Default: the Service in front of it.")
    ] = None,
    prometheus: Annotated[
        str | None, typer.Option(help="Its address. Default: the Service that looks like it.")
    ] = None,
    openapi: Annotated[
        str | None, typer.Option(help="A file or URL. Default: where services usually have it.")
    ] = None,
    har: Annotated[
        Path | None, typer.Option(help="Requests that a browser recorded.", dir_okay=False)
    ] = None,
    locustfile: Annotated[
        Path | None, typer.Option(help="Users that you have already.", dir_okay=False)
    ] = None,
    runbook: Annotated[
        Path | None, typer.Option(help="The runbook that you have already.", dir_okay=False)
    ] = None,
    ca_file: Annotated[
        Path | None,
        typer.Option(
            help="Authorities that the service's certificate is checked by.", dir_okay=False
        ),
    ] = None,
    writes: Annotated[
        bool, typer.Option("--writes", help="Also requests that change something.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="Look at the embedded cluster, which must be up.")
    ] = False,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
) -> None:
    """Look at a service, and write the folder that describes it to gameday."""
    from chaos.cli.describing import Asked, describe, must_exist, written
    from chaos.kube import Cluster
    from chaos.run.rbac import allow
    from loadtests.scenario import unusable
    from service.cluster import embedded as cluster_here

    if embedded:
        found = cluster_here.status()
        if not found.running:
            raise UsageError("the embedded cluster is not up: start it with gameday cluster up")
        kubeconfig = str(found.kubeconfig)
    for option, path in (
        ("--locustfile", locustfile),
        ("--runbook", runbook),
        ("--har", har),
        ("--ca-file", ca_file),
    ):
        must_exist(option, path)
    if ca_file is not None and (why := unusable(ca_file)):
        raise UsageError(f"--ca-file: {why}")
    cluster = Cluster.connect(kubeconfig, context)
    cluster.check()
    asked = Asked(
        directory=directory,
        namespace=namespace,
        workload=workload,
        url=url,
        prometheus=prometheus,
        openapi=openapi,
        har=har,
        locustfile=locustfile,
        runbook=runbook,
        writes=writes,
        ca_file=ca_file,
    )
    screen = console()

    def say(line: str) -> None:
        screen.print(line, markup=False, soft_wrap=True)

    texts = describe(asked, cluster, say)
    names = written(directory, texts, force=force)
    where = texts.namespace
    if texts.custom:
        where += f" --custom {texts.custom}"
    say(f"\nwritten to {directory}: {', '.join(names)}")
    say("\nType next:")
    say(f"  gameday rbac {where} | kubectl apply -f -   # once: accounts and their Roles")
    say(f"  {allow(texts.namespace)}   # once: faults are allowed in there")
    say("  gameday run smoke --dry-run   # what would be hit, and which permission is missing")
    say("  gameday run smoke             # the first verdict")
