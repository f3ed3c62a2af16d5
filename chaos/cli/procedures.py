"""`gameday runbook run` and `gameday runbook prove`: carried out by hand, and put to the proof."""

import secrets
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from chaos.cli import completion, options
from chaos.cli.app import Json, console, print_json, version
from chaos.cli.errors import UsageError
from chaos.cli.runbook import runbook_app
from chaos.run.interrupt import InterruptedRunError, interruptible

Embedded = Annotated[
    bool, typer.Option("--embedded", help="On the embedded cluster, started if it is not up.")
]
Limit = Annotated[
    timedelta, typer.Option(parser=options.duration_option, help="For each step; then it is ended.")
]
NAMESPACE, WORKLOAD, SERVICE = "bizra-system", "bizra-api", "bizra-api-service:80"
PROMETHEUS, RULES = "prometheus-service:9090", "prometheus-config/bizra-alerts.yml"
LIMIT = timedelta(minutes=2)


@runbook_app.command("run")
def run(
    procedure: Annotated[
        str,
        typer.Argument(
            help="Its name or title, as in `runbook show`.", autocompletion=completion.procedures
        ),
    ],
    *,
    runbook: Annotated[
        Path | None, typer.Option(help="The runbook. Default: the bundled one.")
    ] = None,
    set_: options.Set = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would run; run nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before each step.")] = False,
    embedded: Embedded = False,
    namespace: options.Namespace = NAMESPACE,
    workload: options.Workload = WORKLOAD,
    files: options.Files = None,
    limit: Limit = LIMIT,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    unconfined: options.Unconfined = False,
    runs: options.Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Carry out a procedure of a runbook, step by step, as it is written."""
    from chaos.cli import target
    from chaos.cli.carrying_out import Told, ask, code_of
    from chaos.cli.embedded import embedded_cluster
    from chaos.cli.recovery_procedures import find_procedure
    from chaos.cli.run_directory import new_run_dir
    from chaos.kube import Cluster
    from chaos.kube.system_under_test import SystemUnderTest
    from chaos.prove.steps.execution import Hand, rehearse
    from chaos.prove.steps.recorder import record
    from chaos.prove.steps.secret_mask import SecretMask
    from chaos.run.journal_writer import JournalWriter
    from chaos.run.progress import Progress, Quiet, Terminal
    from slo.runbook.reader import BUNDLED_RUNBOOK, survey_runbook

    runbook = runbook or BUNDLED_RUNBOOK
    chosen = find_procedure(survey_runbook(runbook), procedure)
    given = target.values(set_)
    if dry_run:
        for line in rehearse(chosen, given):
            print(line)
        return
    if not yes and not sys.stdin.isatty():
        raise UsageError("there is nobody to ask before each step: say --yes, or --dry-run")
    screen = console(quiet=json)
    progress: Progress = Quiet() if json else Terminal(screen)
    with ExitStack() as stack:
        stack.enter_context(interruptible())
        if embedded:
            kubeconfig = stack.enter_context(embedded_cluster(progress))
        cluster = Cluster.connect(kubeconfig, context)
        cluster.check()
        cluster.namespace(namespace)
        where = SystemUnderTest(cluster=cluster, namespace=namespace, workload=workload, url="")
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gameday-")))
        opened = target.shells(cluster, namespace, home, unconfined=unconfined)
        known = SecretMask.of(where)
        session = stack.enter_context(opened)(home / "shell", known.mask)
        if files is not None:
            session.place(files)
        hand = Hand(
            session=session,
            values={**where.guesses(), **given},
            limit_s=limit.total_seconds(),
            ask=None if yes else ask,
            tell=Told(progress),
        )
        run_dir = new_run_dir(runs, chosen.name)
        (run_dir / "runbook.md").write_bytes(runbook.read_bytes())
        with JournalWriter(run_dir / "journal.jsonl") as journal:
            proofs = record(chosen, hand, journal)
    if json:
        print_json({"run": str(run_dir), "steps": [asdict(p) for p in proofs]})
    raise typer.Exit(code_of(proofs))


@runbook_app.command("prove")
def prove(
    runbook: Annotated[
        Path | None, typer.Argument(help="The runbook. Default: the bundled one.")
    ] = None,
    *,
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
    namespace: options.Namespace = NAMESPACE,
    workload: options.Workload = WORKLOAD,
    service: options.Service = SERVICE,
    prometheus: Annotated[
        str, typer.Option(help="Its Service, with port; read through the Kubernetes API.")
    ] = PROMETHEUS,
    rules: Annotated[
        str, typer.Option(help="The ConfigMap, with key, that it has its rules from.")
    ] = RULES,
    time_scale: Annotated[
        float, typer.Option(min=1, help="Divide windows and waits of alerts, on the cluster.")
    ] = 1.0,
    files: options.Files = None,
    load: options.ScenarioOption = "drill",
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
    from chaos.cli.embedded import embedded_cluster
    from chaos.cli.run_directory import new_run_dir, point_latest_at
    from chaos.kube import Cluster
    from chaos.prove.alerts import synthetic
    from chaos.prove.alerts.live import Live
    from chaos.prove.overlay import read_overlay
    from chaos.prove.prover import Prover
    from chaos.run.preflight import require_allowed
    from chaos.run.progress import Progress, Quiet, Terminal
    from chaos.undo.lease import Held
    from service.cluster.packages import PROMETHEUS as PROMETHEUS_PROGRAMS
    from slo.exit_codes import ExitCode
    from slo.runbook.reader import BUNDLED_RUNBOOK, survey_runbook
    from slo.verdict.proofs import SCHEMA_VERSION, Proofs

    runbook = runbook or BUNDLED_RUNBOOK
    book = survey_runbook(runbook)
    corrections = read_overlay(overlay, book) if overlay else {}
    alerts, procedures = proving.chosen_of(book, only)
    given = target.values(set_)
    limits = (
        {} if offline else {n: proving.critical_of(book, n) for n in ("error_rate", proving.P95)}
    )
    screen = console(quiet=json)
    terminal = Terminal(screen)
    progress: Progress = Quiet() if json else terminal
    begun = datetime.now(UTC)
    run_dir = new_run_dir(runs, "prove")
    (run_dir / "runbook.md").write_bytes(runbook.read_bytes())
    point_latest_at(run_dir)
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
                cluster = Cluster.connect(kubeconfig, context)
                cluster.check()
                require_allowed(cluster, namespace)
                place = target.system_under_test(cluster, namespace, workload, service)
                found.target = f"{namespace}/{workload} at {place.url}"
                identity = f"prove-{secrets.token_hex(4)}"
                stack.enter_context(Held(cluster, namespace, identity))
                for done in proving.put_drills_back(cluster, namespace):
                    progress.say(f"left by a drill that died: {done}")
                home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gameday-")))
                users = stack.enter_context(proving.users_at_work(load, place.url, run_dir))
                if alerts:
                    live = Live(
                        system=place,
                        prometheus=proving.prometheus_at(cluster, namespace, prometheus),
                        rules=proving.rules_at(prometheus, rules),
                        scale=time_scale,
                        objectives=book.objectives,
                        say=progress.say,
                    )
                    found.alerts = live.prove(found.alerts, alerts)
                opened = target.shells(cluster, namespace, home, unconfined=unconfined)
                prover = Prover(
                    system=place,
                    identity=identity,
                    folder=home,
                    run_dir=run_dir,
                    files=files,
                    session=stack.enter_context(opened),
                    load=users,
                    book=book,
                    corrections=corrections,
                    error_rate=limits["error_rate"],
                    p95_s=limits[proving.P95],
                    values=given,
                    step_limit_s=limit.total_seconds(),
                    cure_within_s=cure_within.total_seconds() if cure_within else None,
                    say=progress.say,
                )
                for procedure in procedures:
                    found.procedures.append(prover.prove(procedure))
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
