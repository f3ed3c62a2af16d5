"""`gameday runbook run` and `gameday runbook prove`: carried out by hand, and put to the proof."""

import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from chaos.cli import target
from chaos.cli.app import Json, console, print_json
from chaos.cli.cluster import embedded_cluster
from chaos.cli.errors import UsageError
from chaos.cli.load import duration_option
from chaos.cli.recovery_procedures import find_procedure
from chaos.cli.run import new_run_dir
from chaos.cli.runbook import runbook_app
from chaos.cli.system import SystemOption, runbook_of, system_folder
from chaos.kube import Cluster
from chaos.kube.system_under_test import SystemUnderTest
from chaos.prove.steps.execution import Hand, rehearse
from chaos.prove.steps.recorder import record
from chaos.prove.steps.secret_mask import SecretMask
from chaos.run.interrupt import interruptible
from chaos.run.journal_writer import JournalWriter
from chaos.run.progress import Progress, Quiet, Terminal
from slo.exit_codes import ExitCode
from slo.runbook.model import Step
from slo.runbook.reader import survey_runbook
from slo.verdict.proofs import (
    StepProof,
    StepState,
)

Book = Annotated[Path | None, typer.Option("--runbook", help="The runbook. Default: the system's.")]
Embedded = Annotated[
    bool, typer.Option("--embedded", help="On the embedded cluster, started if it is not up.")
]
Limit = Annotated[
    timedelta, typer.Option(parser=duration_option, help="For each step; then it is ended.")
]
Runs = Annotated[Path, typer.Option(help="Where run directories go.")]

LIMIT = timedelta(minutes=2)


@runbook_app.command("run")
def run(
    procedure: Annotated[str, typer.Argument(help="Its name or title, as in `runbook show`.")],
    *,
    system: SystemOption = None,
    runbook: Book = None,
    set_: target.Set = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would run; run nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before each step.")] = False,
    embedded: Embedded = False,
    namespace: target.Namespace = None,
    workload: target.Workload = None,
    files: target.Files = None,
    limit: Limit = LIMIT,
    kubeconfig: target.Kubeconfig = None,
    context: target.Context = None,
    unconfined: target.Unconfined = False,
    runs: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Carry out a procedure of a runbook, step by step, as it is written."""
    folder = system_folder(system, embedded=embedded)
    runbook = runbook_of(runbook, folder)
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
        own = target.chosen(folder, namespace, workload)
        namespace = own.namespace
        cluster.namespace(namespace)
        where = SystemUnderTest(cluster=cluster, namespace=namespace, workload=own.workload, url="")
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
            ask=None if yes else _ask,
            tell=_Told(progress),
        )
        run_dir = new_run_dir(runs, chosen.name)
        (run_dir / "runbook.md").write_bytes(runbook.read_bytes())
        with JournalWriter(run_dir / "journal.jsonl") as journal:
            proofs = record(chosen, hand, journal)
    if json:
        print_json({"run": str(run_dir), "steps": [asdict(p) for p in proofs]})
    raise typer.Exit(_code(proofs))


def _ask(step: Step, text: str) -> bool:
    title = f"{step.title}\n" if step.title and step.title != text else ""
    print(f"\nline {step.source.line}: {title}{text}")
    return typer.confirm("done?" if not step.commands else "run it?", default=False)


class _Told:
    """Steps on the screen, as they begin and end."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def begins(self, step: Step, text: str) -> None:
        self._progress.say(f"line {step.source.line}: [cyan]{escape(text)}[/]")

    def ended(self, proof: StepProof) -> None:
        if proof.output.strip():
            self._progress.say(escape(proof.output.rstrip()))
        why = "; ".join(filter(None, (proof.reason, proof.note)))
        told = f"{proof.state.value}: {why}" if why else proof.state.value
        self._progress.say(f"line {proof.line}: [bold]{escape(told)}[/]")


def _code(proofs: tuple[StepProof, ...]) -> ExitCode:
    states = {p.state for p in proofs}
    if states & {StepState.FAILED, StepState.REFUSED}:
        return ExitCode.FAIL
    return ExitCode.PASS if states <= {StepState.DONE} else ExitCode.INCONCLUSIVE
