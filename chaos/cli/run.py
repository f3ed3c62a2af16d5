"""`gameday run`: a whole game day, from an empty directory to a verdict."""

import secrets
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from chaos.cli import options
from chaos.cli.app import Json, app, console, version
from chaos.cli.errors import UsageError
from chaos.run.interrupt import InterruptedRunError, interruptible


@app.command()
def run(
    plan: options.Plan = "smoke",
    *,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="On a small cluster of its own, on this machine.")
    ] = False,
    system: options.System = None,
    runbook: options.Runbook = None,
    policy: Annotated[
        Path | None, typer.Option(help="How to judge, beside the runbook. Default: the system's.")
    ] = None,
    runs: options.Runs = Path("runs"),
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be hit and what is not permitted.")
    ] = False,
    in_cluster: Annotated[
        bool,
        typer.Option(
            "--in-cluster", help="As a Job in the target's namespace, followed from here."
        ),
    ] = False,
    secret: Annotated[
        list[str] | None,
        typer.Option(help="With --in-cluster: a Secret there that becomes environment variables."),
    ] = None,
    files: options.Files = None,
    unconfined: options.Unconfined = False,
    json: Json = False,
) -> None:
    """Load the service, break it, watch it, and say with evidence what held."""
    from chaos.cli.conclusion import conclude
    from chaos.cli.embedded import embedded_cluster
    from chaos.cli.in_cluster import run_in_cluster
    from chaos.cli.reachable import require_reachable, unreachable
    from chaos.cli.recovery_procedures import recovery_procedures
    from chaos.cli.run_checks import check_forbidden, read_given, resolve, show_dry_run
    from chaos.cli.run_directory import new_run_dir, point_latest_at
    from chaos.cli.system import system_folder
    from chaos.kube import Cluster
    from chaos.run import game_day
    from chaos.run.dry_run import dry_run_of
    from chaos.run.preflight import RefusedError, preflight
    from chaos.run.progress import Progress, Quiet, Terminal
    from slo.exit_codes import ExitCode

    if embedded and (kubeconfig or context):
        raise UsageError("--embedded brings its own cluster: leave --kubeconfig and --context out")
    if in_cluster and embedded:
        raise UsageError("--embedded runs on this machine: leave --in-cluster out")
    given = read_given(plan, system_folder(system, embedded=embedded), runbook, policy)
    read = given.plan
    if in_cluster:
        code = run_in_cluster(
            given,
            Cluster.connect(kubeconfig, context),
            runs,
            console(quiet=json),
            files=files,
            secrets=secret or (),
            flags=[*(["--dry-run"] if dry_run else []), *(["--unconfined"] if unconfined else [])],
            json=json,
        )
        raise typer.Exit(code)

    screen = console(quiet=json)
    terminal = Terminal(screen)
    progress: Progress = Quiet() if json else terminal
    with ExitStack() as stack:
        stack.enter_context(interruptible())
        if embedded:
            kubeconfig = stack.enter_context(embedded_cluster(progress))
        cluster = Cluster.connect(kubeconfig, context)
        cluster.check()
        check_forbidden(given.plan_file, read, cluster)
        place = resolve(given, cluster)
        for line in (*place.unmeasured, *place.unanswered):
            progress.say(line)
        found = dry_run_of(read, cluster, place.url)
        if dry_run:
            found.problems += [*place.unanswered, *unreachable(read, place.services)]
            show_dry_run(found, screen, json=json)
            bad = found.problems or found.denied
            raise typer.Exit(ExitCode.USAGE if bad else ExitCode.PASS)
        if found.denied:  # before anything is broken that could not be put back
            raise RefusedError("; ".join(found.denied))
        require_reachable(read, place.services)
        interrupted: InterruptedRunError | None = None
        run_dir: Path | None = None
        try:
            identity = f"{read.name}-{secrets.token_hex(4)}"
            namespace = read.target.namespace
            with preflight(cluster, namespace, identity, read.watchdog, progress.say) as ready:
                run_dir = new_run_dir(runs, read.name)
                given.keep(run_dir)
                point_latest_at(run_dir)
                setting = game_day.Setting(
                    run_dir=run_dir,
                    plan=read,
                    services=place.services,
                    cluster=cluster,
                    prometheus=place.prometheus,
                    scope=place.scope,
                    url=place.url,
                    gameday_version=version(),
                    held=ready.held,
                    watchdog_image=ready.watchdog_image,
                    cure=stack.enter_context(
                        recovery_procedures(
                            read, given.promises, cluster, files, unconfined=unconfined
                        )
                    ),
                )
                game_day.run(setting, progress)
        except InterruptedRunError as error:
            interrupted = error
        finally:
            terminal.close()
        code = ExitCode.PASS if run_dir is None else conclude(run_dir, screen, json=json)
    if interrupted is not None and code is not ExitCode.FAULT_STUCK:
        raise typer.Exit(interrupted.exit_code)
    raise typer.Exit(code)
