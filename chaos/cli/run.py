"""`gameday run`: a whole game day, from an empty directory to a verdict."""

import secrets
import shutil
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
    runbook: Annotated[
        Path | None,
        typer.Option(help="The runbook whose thresholds decide. Default: the bundled one."),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(help="How to judge, beside the runbook. Default: the bundled one."),
    ] = None,
    runs: options.Runs = Path("runs"),
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be hit and what is not permitted.")
    ] = False,
    files: options.Files = None,
    unconfined: options.Unconfined = False,
    json: Json = False,
) -> None:
    """Load the service, break it, watch it, and say with evidence what held."""
    from chaos.cli.conclusion import conclude
    from chaos.cli.embedded import embedded_cluster
    from chaos.cli.recovery_procedures import check_procedures, recovery_procedures
    from chaos.cli.run_checks import check_forbidden, check_overrides, resolve, show_dry_run
    from chaos.cli.run_directory import new_run_dir, point_latest_at
    from chaos.kube import Cluster
    from chaos.plan.bundled import find_plan
    from chaos.plan.model import read_plan
    from chaos.run import game_day
    from chaos.run.dry_run import dry_run_of
    from chaos.run.preflight import preflight
    from chaos.run.progress import Progress, Quiet, Terminal
    from loadtests.scenario import load_scenario
    from slo.exit_codes import ExitCode
    from slo.policy import BUNDLED_POLICY, read_policy
    from slo.runbook.reader import BUNDLED_RUNBOOK, read_runbook

    runbook, policy = runbook or BUNDLED_RUNBOOK, policy or BUNDLED_POLICY
    plan_file = find_plan(plan)
    read = read_plan(plan_file)
    promises = read_runbook(runbook)
    read_policy(policy)
    scenario = load_scenario(read.load.scenario)
    check_overrides(plan_file, read, promises)
    check_procedures(plan_file, read, promises)
    if embedded and (kubeconfig or context):
        raise UsageError("--embedded brings its own cluster: leave --kubeconfig and --context out")

    screen = console(quiet=json)
    terminal = Terminal(screen)
    progress: Progress = Quiet() if json else terminal
    with ExitStack() as stack:
        stack.enter_context(interruptible())
        if embedded:
            kubeconfig = stack.enter_context(embedded_cluster(progress))
        cluster = Cluster.connect(kubeconfig, context)
        cluster.check()
        check_forbidden(plan_file, read, cluster)
        place = resolve(read, promises, cluster)
        if dry_run:
            found = dry_run_of(read, cluster, place.url)
            show_dry_run(found, screen, json=json)
            raise typer.Exit(ExitCode.USAGE if found.problems else ExitCode.PASS)
        interrupted: InterruptedRunError | None = None
        run_dir: Path | None = None
        try:
            identity = f"{read.name}-{secrets.token_hex(4)}"
            namespace = read.target.namespace
            with preflight(cluster, namespace, identity, read.watchdog, progress.say) as held:
                run_dir = new_run_dir(runs, read.name)
                shutil.copyfile(plan_file, run_dir / "plan.yaml")
                (run_dir / "runbook.md").write_bytes(runbook.read_bytes())
                (run_dir / "policy.yaml").write_bytes(policy.read_bytes())
                point_latest_at(run_dir)
                setting = game_day.Setting(
                    run_dir=run_dir,
                    plan=read,
                    scenario=scenario,
                    cluster=cluster,
                    prometheus=place.prometheus,
                    url=place.url,
                    steady_error_rate=place.steady_error_rate,
                    gameday_version=version(),
                    held=held,
                    cure=stack.enter_context(
                        recovery_procedures(read, promises, cluster, files, unconfined=unconfined)
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
