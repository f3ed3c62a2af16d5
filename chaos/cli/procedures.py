"""`gameday runbook run`: a procedure of a runbook, carried out."""

import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from chaos.cli import completion, options
from chaos.cli.app import Json, console, print_json, tell
from chaos.cli.errors import UsageError
from chaos.cli.runbook import runbook_app
from chaos.run.interrupt import interruptible

Embedded = Annotated[
    bool, typer.Option("--embedded", help="On the embedded cluster, started if it is not up.")
]
Limit = Annotated[
    timedelta, typer.Option(parser=options.duration_option, help="For each step; then it is ended.")
]
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
    system: options.System = None,
    runbook: options.Runbook = None,
    set_: options.Set = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would run; run nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before each step.")] = False,
    embedded: Embedded = False,
    namespace: options.Namespace = None,
    workload: options.Workload = None,
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
    from chaos.cli.embedded import embedded_cluster, say_what_pods_reach
    from chaos.cli.recovery_procedures import find_procedure
    from chaos.cli.run_directory import new_run_dir
    from chaos.cli.system import runbook_of, system_folder
    from chaos.kube import Cluster
    from chaos.kube.system_under_test import SystemUnderTest
    from chaos.prove.steps.execution import Hand, rehearse
    from chaos.prove.steps.recorder import record
    from chaos.prove.steps.secret_mask import SecretMask
    from chaos.run.journal_writer import JournalWriter
    from chaos.run.progress import Progress, Quiet, Terminal
    from slo.runbook.reader import survey_runbook

    folder = system_folder(system, embedded=embedded)
    runbook = runbook_of(runbook, folder)
    chosen = find_procedure(survey_runbook(runbook), procedure)
    given = target.values(set_)
    if dry_run:
        for line in rehearse(chosen, given):
            tell(line)
        return
    if not yes and not sys.stdin.isatty():
        raise UsageError("there is nobody to ask before each step: say --yes, or --dry-run")
    screen = console(quiet=json)
    progress: Progress = Quiet() if json else Terminal(screen)
    with ExitStack() as stack:
        stack.enter_context(interruptible())
        if embedded:
            kubeconfig = stack.enter_context(embedded_cluster(progress))
            say_what_pods_reach(progress)
        cluster = Cluster.connect(kubeconfig, context)
        cluster.check()
        own = target.chosen(folder, namespace, workload or "")
        namespace = own.namespace
        cluster.namespace(namespace)
        where = SystemUnderTest(
            cluster=cluster, namespace=namespace, workload=own.workload, kind=own.full_kind, url=""
        )
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gameday-")))
        opened = target.shells(cluster, namespace, home, unconfined=unconfined, say=progress.say)
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
