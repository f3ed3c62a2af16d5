"""`gameday runbook run` and `gameday runbook prove`: carried out by hand, and put to the proof."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from chaos.alerts import promtool
from chaos.cli import target
from chaos.cli.app import VERSION, Json, console, print_json
from chaos.cli.cluster import embedded_cluster
from chaos.cli.errors import UsageError
from chaos.cli.load import duration_option
from chaos.cli.run import new_run_dir, point_latest_at
from chaos.cli.runbook import runbook_app
from chaos.cluster import Cluster
from chaos.interrupt import InterruptedRunError, interruptible
from chaos.journal import Journal
from chaos.procedures.access import withdraw
from chaos.procedures.overlay import read_overlay
from chaos.procedures.prove import NOT_PUT_BACK, SNAPSHOT, Prover
from chaos.procedures.record import record
from chaos.procedures.secrecy import Secrets
from chaos.procedures.steps import Hand, rehearse
from chaos.procedures.world import Snapshot, World
from chaos.progress import Progress, Quiet, Terminal
from loadtests.runner import LoadProgress, LoadRunner
from loadtests.scenario import load_scenario
from reports import proofs as render
from reports.write import replace_text
from service.cluster.prometheus_binary import fetch_prometheus
from slo.exit_codes import ExitCode
from slo.proofs import (
    SCHEMA_VERSION,
    AlertProof,
    ProcedureProof,
    Proofs,
    StepProof,
    StepState,
    dump,
    exit_code,
)
from slo.reading.model import Alert, Procedure, Runbook, Step
from slo.runbook import BUNDLED_RUNBOOK, survey_runbook

Book = Annotated[Path, typer.Option("--runbook", help="The runbook.")]
Embedded = Annotated[
    bool, typer.Option("--embedded", help="On the embedded cluster, started if it is not up.")
]
Limit = Annotated[
    timedelta, typer.Option(parser=duration_option, help="For each step; then it is ended.")
]
Runs = Annotated[Path, typer.Option(help="Where run directories go.")]

NAMESPACE, WORKLOAD, SERVICE = "bizra-system", "bizra-api", "bizra-api-service:80"
LIMIT = timedelta(minutes=2)


@runbook_app.command("run")
def run(
    procedure: Annotated[str, typer.Argument(help="Its name or title, as in `runbook show`.")],
    *,
    runbook: Book = BUNDLED_RUNBOOK,
    set_: target.Set = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would run; run nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before each step.")] = False,
    embedded: Embedded = False,
    namespace: target.Namespace = NAMESPACE,
    workload: target.Workload = WORKLOAD,
    files: target.Files = None,
    limit: Limit = LIMIT,
    kubeconfig: target.Kubeconfig = None,
    context: target.Context = None,
    unconfined: target.Unconfined = False,
    runs: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Carry out a procedure of a runbook, step by step, as it is written."""
    chosen = _procedure(survey_runbook(runbook), procedure)
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
        where = World(cluster=cluster, namespace=namespace, workload=workload, url="")
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gameday-")))
        opened = target.shells(cluster, namespace, home, unconfined=unconfined)
        secrets = Secrets.of(where)
        session = stack.enter_context(opened)(home / "shell", secrets.mask)
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
        with Journal(run_dir / "journal.jsonl") as journal:
            proofs = record(chosen, hand, journal)
    if json:
        print_json({"run": str(run_dir), "steps": proofs})
    raise typer.Exit(_code(proofs))


def _procedure(book: Runbook, wanted: str) -> Procedure:
    for procedure in book.procedures:
        if wanted.casefold() in {procedure.name, procedure.title.casefold()}:
            return procedure
    names = ", ".join(p.name for p in book.procedures) or "none at all"
    raise UsageError(f"{book.file} has no procedure {wanted!r}; it has {names}")


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


@runbook_app.command("prove")
def prove(
    runbook: Annotated[Path, typer.Argument(help="The runbook.")] = BUNDLED_RUNBOOK,
    *,
    only: Annotated[
        list[str] | None, typer.Option(help="These alerts and procedures alone, by name.")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Alerts on made series alone; needs no cluster.")
    ] = False,
    overlay: Annotated[
        Path | None, typer.Option(help="Corrections to try where a procedure does not hold.")
    ] = None,
    set_: target.Set = None,
    embedded: Embedded = False,
    namespace: target.Namespace = NAMESPACE,
    workload: target.Workload = WORKLOAD,
    service: target.Service = SERVICE,
    files: target.Files = None,
    load: Annotated[str, typer.Option(help="The scenario that users play.")] = "smoke",
    limit: Limit = LIMIT,
    kubeconfig: target.Kubeconfig = None,
    context: target.Context = None,
    unconfined: target.Unconfined = False,
    runs: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Find out which of a runbook's alerts and procedures hold: proven, refuted, or neither."""
    book = survey_runbook(runbook)
    corrections = read_overlay(overlay, book) if overlay else {}
    alerts, procedures = _chosen(book, only)
    if offline:
        procedures = ()
    screen = console(quiet=json)
    terminal = Terminal(screen)
    progress: Progress = Quiet() if json else terminal
    begun = datetime.now(UTC)
    run_dir = new_run_dir(runs, "prove")
    (run_dir / "runbook.md").write_bytes(runbook.read_bytes())
    point_latest_at(run_dir)
    given = target.values(set_)
    found: list[ProcedureProof] = []
    shown: tuple[AlertProof, ...] = ()
    interrupted: InterruptedRunError | None = None
    where = "made series, without a cluster"
    try:
        with ExitStack() as stack:
            stack.enter_context(interruptible())
            tool = fetch_prometheus().with_name("promtool") if alerts else Path()
            shown = tuple(promtool.prove(a, book.objectives, tool) for a in alerts)
            if procedures:
                if embedded:
                    kubeconfig = stack.enter_context(embedded_cluster(progress))
                cluster = Cluster.connect(kubeconfig, context)
                cluster.check()
                place = target.world(cluster, namespace, workload, service)
                where = f"{namespace}/{workload} at {place.url}"
                home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gameday-")))
                opened = target.shells(cluster, namespace, home, unconfined=unconfined)
                prover = Prover(
                    world=place,
                    folder=home,
                    run_dir=run_dir,
                    files=files,
                    session=stack.enter_context(opened),
                    load=stack.enter_context(_users(load, place.url, run_dir)),
                    error_rate=_critical(book, "error_rate"),
                    p95_s=_critical(book, "response_time_p95"),
                    values=given,
                    step_limit_s=limit.total_seconds(),
                    say=progress.say,
                )
                for procedure in procedures:
                    correction = corrections.get(procedure.name)
                    found.append(prover.prove(procedure, correction))
    except InterruptedRunError as error:
        interrupted = error
    finally:
        terminal.close()
    proofs = Proofs(
        schema_version=SCHEMA_VERSION,
        gameday_version=VERSION,
        runbook=runbook.name,
        target=where,
        started=begun,
        ended=datetime.now(UTC),
        time_scale=1.0,
        alerts=shown,
        procedures=tuple(found),
        notes=tuple(_notes(procedures, found, interrupted)),
    )
    _write(proofs, run_dir)
    if json:
        print(dump(proofs), end="")
    else:
        render.show(proofs, screen, where=str(run_dir / "proofs.md"))
    if any(p.put_back.startswith(NOT_PUT_BACK) for p in found):
        raise typer.Exit(ExitCode.FAULT_STUCK)
    raise typer.Exit(interrupted.exit_code if interrupted else exit_code(proofs))


def _write(proofs: Proofs, run_dir: Path) -> None:
    replace_text(run_dir / "proofs.json", dump(proofs))
    replace_text(run_dir / "proofs.md", render.markdown(proofs))
    replace_text(run_dir / "junit.xml", render.junit(proofs))


def _chosen(
    book: Runbook, only: list[str] | None
) -> tuple[tuple[Alert, ...], tuple[Procedure, ...]]:
    """All, or those that are named. Raises UsageError for a name that is not there."""
    if not only:
        if not book.alerts and not book.procedures:
            raise UsageError(f"{book.file} has neither alerts nor procedures to prove")
        return book.alerts, book.procedures
    alerts = tuple(a for a in book.alerts if a.name in only)
    procedures = tuple(p for p in book.procedures if p.name in only)
    known = {a.name for a in alerts} | {p.name for p in procedures}
    for name in only:
        if name not in known:
            raise UsageError(f"{book.file} has no alert and no procedure called {name!r}")
    return alerts, procedures


def _critical(book: Runbook, name: str) -> float:
    """The threshold past which users are not served."""
    found = next((o.critical for o in book.objectives if o.name == name), None)
    if found is None:
        title = name.replace("_", " ")
        raise UsageError(f"{book.file} has no objective for the {title}, so no cure can be seen")
    return found


@contextmanager
def _users(scenario: str, url: str, run_dir: Path) -> Iterator[Callable[[], LoadProgress]]:
    """Users at work for as long as it lasts; how they fare."""
    handle = LoadRunner.start(load_scenario(scenario), url, run_dir, seed=0)
    try:
        yield handle.progress
    finally:
        handle.stop()
        handle.result()


def _notes(
    wanted: tuple[Procedure, ...],
    found: list[ProcedureProof],
    interrupted: InterruptedRunError | None,
) -> Iterator[str]:
    if interrupted is not None:
        left = ", ".join(p.title for p in wanted[len(found) :])
        yield f"ended by {interrupted}; not tried: {left or 'nothing'}"


@runbook_app.command("put-back")
def put_back(
    run: Annotated[Path, typer.Argument(help="The directory of a `prove` that was killed.")],
    *,
    namespace: target.Namespace = NAMESPACE,
    workload: target.Workload = WORKLOAD,
    kubeconfig: target.Kubeconfig = None,
    context: target.Context = None,
    json: Json = False,
) -> None:
    """Make the namespace's objects again what they were before the last drill began."""
    path = run / SNAPSHOT
    if not path.exists():
        raise UsageError(f"{run}: no drill was under way in there: {SNAPSHOT} is not there")
    cluster = Cluster.connect(kubeconfig, context)
    cluster.check()
    where = World(cluster=cluster, namespace=namespace, workload=workload, url="")
    done = Snapshot.read(path, where).restore()
    withdraw(cluster, namespace)
    path.unlink()
    if json:
        print_json({"done": done})
    else:
        print("\n".join(done) or "nothing had to be")
