"""`gameday runbook prove`: alerts and procedures of a runbook, put to the proof."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from chaos.cli import completion, options
from chaos.cli.app import Json, console, version
from chaos.cli.procedures import LIMIT, Embedded, Limit
from chaos.cli.runbook import runbook_app
from chaos.run.interrupt import InterruptedRunError, interruptible


@runbook_app.command("prove")
def prove(
    runbook: Annotated[
        Path | None, typer.Argument(help="The runbook. Default: the system's.")
    ] = None,
    *,
    system: options.System = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="These alerts and procedures alone, by name.",
            autocompletion=completion.promises,
        ),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Alerts on made series alone; needs no cluster.")
    ] = False,
    overlay: Annotated[
        Path | None, typer.Option(help="Corrections to try where a procedure does not hold.")
    ] = None,
    set_: options.Set = None,
    embedded: Embedded = False,
    namespace: options.Namespace = None,
    workload: options.Workload = None,
    service: options.Service = None,
    prometheus: Annotated[
        str | None, typer.Option(help="Its Service, with port; read through the Kubernetes API.")
    ] = None,
    rules: Annotated[
        str | None, typer.Option(help="The ConfigMap, with key, that it has its rules from.")
    ] = None,
    time_scale: Annotated[
        float,
        typer.Option(min=1, help="Speed alerts' windows up by this factor, on the cluster."),
    ] = 1.0,
    files: options.Files = None,
    load: options.ScenarioChoice = None,
    limit: Limit = LIMIT,
    cure_within: Annotated[
        timedelta | None,
        typer.Option(parser=options.duration_option, help="Look no longer than this for a cure."),
    ] = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    unconfined: options.Unconfined = False,
    runs: options.Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Find out which of a runbook's alerts and procedures hold: proven, refuted, or neither."""
    from chaos.cli import proving, target
    from chaos.cli.embedded import embedded_cluster, say_what_pods_reach
    from chaos.cli.run_directory import new_run_dir, point_latest_at
    from chaos.cli.system import runbook_of, system_folder, users_of
    from chaos.kube import Cluster
    from chaos.prove.alerts import synthetic
    from chaos.prove.overlay import read_overlay
    from chaos.run.progress import Progress, Quiet, Terminal
    from service.cluster.packages import PROMETHEUS as PROMETHEUS_PROGRAMS
    from slo.exit_codes import ExitCode
    from slo.runbook.reader import survey_runbook
    from slo.verdict.proofs import SCHEMA_VERSION, Proofs

    folder = system_folder(system, embedded=embedded)
    runbook = runbook_of(runbook, folder)
    book = survey_runbook(runbook)
    alerts, procedures = proving.chosen_of(book, only)
    users, crowd = users_of(load, folder)
    screen = console(quiet=json)
    terminal = Terminal(screen)
    progress: Progress = Quiet() if json else terminal
    asked = proving.Asked(
        book=book,
        alerts=alerts,
        procedures=procedures,
        corrections=read_overlay(overlay, book) if overlay else {},
        drills=() if offline else proving.drills_of(folder, procedures),
        values=target.values(set_),
        limits={} if offline else proving.limits_of(book),
        scenario=users,
        crowd=crowd,
        step_limit_s=limit.total_seconds(),
        cure_within_s=cure_within.total_seconds() if cure_within else None,
        time_scale=time_scale,
        files=files,
        unconfined=unconfined,
        progress=progress,
    )
    metrics = proving.prometheus_of_options(folder, prometheus, rules)
    begun = datetime.now(UTC)
    run_dir = new_run_dir(runs, "prove")
    (run_dir / "runbook.md").write_bytes(runbook.read_bytes())
    point_latest_at(run_dir, link="latest-proofs")
    found = proving.Found()
    interrupted: InterruptedRunError | None = None
    try:
        with ExitStack() as stack:
            stack.enter_context(interruptible())
            tool = PROMETHEUS_PROGRAMS.fetch().with_name("promtool") if alerts else Path()
            found.alerts = [synthetic.prove(a, book.objectives, tool) for a in alerts]
            if not offline:
                if embedded:
                    kubeconfig = stack.enter_context(embedded_cluster(progress))
                    say_what_pods_reach(progress)
                cluster = Cluster.connect(kubeconfig, context)
                cluster.check()
                own = target.chosen(folder, namespace, workload, service)
                proving.on_cluster(
                    asked, cluster, own, metrics, folder=folder, run_dir=run_dir, found=found
                )
    except InterruptedRunError as error:
        interrupted = error
    finally:
        terminal.close()
    left = () if offline else procedures[len(found.procedures) :]
    proofs = Proofs(
        schema_version=SCHEMA_VERSION,
        gameday_version=version(),
        runbook=runbook.name,
        target=found.target,
        started=begun,
        ended=datetime.now(UTC),
        time_scale=time_scale,
        alerts=tuple(found.alerts),
        procedures=tuple(found.procedures),
        notes=tuple(proving.notes_on(left, interrupted)),
    )
    code = proving.conclude(book, proofs, run_dir, screen, json=json)
    if interrupted is not None and code is not ExitCode.FAULT_STUCK:
        raise typer.Exit(interrupted.exit_code)
    raise typer.Exit(code)
