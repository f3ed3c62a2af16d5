"""`gameday runbook run` and `gameday runbook prove`: carried out by hand, and put to the proof."""

import secrets
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from chaos.cli import target
from chaos.cli.app import VERSION, Json, console, print_json
from chaos.cli.cluster import embedded_cluster
from chaos.cli.errors import UsageError
from chaos.cli.load import duration_option
from chaos.cli.recovery_procedures import find_procedure
from chaos.cli.reference import reference_scenario
from chaos.cli.run import new_run_dir, point_latest_at, prometheus_fetch
from chaos.cli.runbook import runbook_app
from chaos.kube import Cluster
from chaos.kube.system_under_test import SystemUnderTest
from chaos.plan.model import PlanPrometheus
from chaos.prove.alerts import synthetic
from chaos.prove.alerts.live import Live, Rules
from chaos.prove.cases import NOT_PUT_BACK
from chaos.prove.overlay import read_overlay
from chaos.prove.prover import Prover
from chaos.prove.steps.execution import Hand, rehearse
from chaos.prove.steps.recorder import record
from chaos.prove.steps.secret_mask import SecretMask
from chaos.run.interrupt import InterruptedRunError, interruptible
from chaos.run.journal_writer import JournalWriter
from chaos.run.preflight import LeftoverError, require_allowed
from chaos.run.progress import Progress, Quiet, Terminal
from chaos.undo.lease import Held
from chaos.undo.snapshot_store import SnapshotStoreError, put_back
from loadtests.runner import LoadHandle, LoadRunner
from reports import coverage
from reports import proofs as render
from reports.write import replace_text
from service.cluster.packages import PROMETHEUS as PROMETHEUS_PROGRAMS
from slo.exit_codes import ExitCode
from slo.observe.prometheus import Prometheus
from slo.runbook.model import Alert, Procedure, Runbook, Step
from slo.runbook.reader import BUNDLED_RUNBOOK, survey_runbook
from slo.verdict.proofs import (
    SCHEMA_VERSION,
    AlertProof,
    ProcedureProof,
    Proofs,
    StepProof,
    StepState,
    dump,
    exit_code,
)

Book = Annotated[Path, typer.Option("--runbook", help="The runbook.")]
Embedded = Annotated[
    bool, typer.Option("--embedded", help="On the embedded cluster, started if it is not up.")
]
Limit = Annotated[
    timedelta, typer.Option(parser=duration_option, help="For each step; then it is ended.")
]
Runs = Annotated[Path, typer.Option(help="Where run directories go.")]

NAMESPACE, WORKLOAD, SERVICE = "bizra-system", "bizra-api", "bizra-api-service:80"
PROMETHEUS, RULES = "prometheus-service:9090", "prometheus-config/bizra-alerts.yml"
P95 = "response_time_p95"
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
    prometheus: Annotated[
        str, typer.Option(help="Its Service, with port; read through the Kubernetes API.")
    ] = PROMETHEUS,
    rules: Annotated[
        str, typer.Option(help="The ConfigMap, with key, that it has its rules from.")
    ] = RULES,
    time_scale: Annotated[
        float, typer.Option(min=1, help="Divide windows and waits of alerts, on the cluster.")
    ] = 1.0,
    files: target.Files = None,
    load: Annotated[str, typer.Option(help="The scenario that users play.")] = "drill",
    limit: Limit = LIMIT,
    cure_within: Annotated[
        timedelta | None,
        typer.Option(parser=duration_option, help="Look no longer than this for a cure."),
    ] = None,
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
    given = target.values(set_)
    limits = {} if offline else {n: _critical(book, n) for n in ("error_rate", P95)}
    screen = console(quiet=json)
    terminal = Terminal(screen)
    progress: Progress = Quiet() if json else terminal
    begun = datetime.now(UTC)
    run_dir = new_run_dir(runs, "prove")
    (run_dir / "runbook.md").write_bytes(runbook.read_bytes())
    point_latest_at(run_dir)
    found = _Found()
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
                for done in _put_back(cluster, namespace):
                    progress.say(f"left by a drill that died: {done}")
                home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gameday-")))
                users = stack.enter_context(_users(load, place.url, run_dir))
                if alerts:
                    live = Live(
                        system=place,
                        prometheus=_prometheus(cluster, namespace, prometheus),
                        rules=_rules(prometheus, rules),
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
                    crowd=reference_scenario("crowd"),
                    book=book,
                    corrections=corrections,
                    error_rate=limits["error_rate"],
                    p95_s=limits[P95],
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
        gameday_version=VERSION,
        runbook=runbook.name,
        target=found.target,
        started=begun,
        ended=datetime.now(UTC),
        time_scale=time_scale,
        alerts=tuple(found.alerts),
        procedures=tuple(found.procedures),
        notes=tuple(_notes(left, interrupted)),
    )
    code = _conclude(book, proofs, run_dir, screen, json=json)
    if interrupted is not None and code is not ExitCode.FAULT_STUCK:
        raise typer.Exit(interrupted.exit_code)
    raise typer.Exit(code)


@dataclass(slots=True)
class _Found:
    """What is known so far: it stays when the rest is interrupted."""

    target: str = "made series, without a cluster"
    alerts: list[AlertProof] = field(default_factory=list)
    procedures: list[ProcedureProof] = field(default_factory=list)


def _put_back(cluster: Cluster, namespace: str) -> list[str]:
    try:
        return put_back(cluster, namespace) or []
    except SnapshotStoreError as error:
        raise LeftoverError(str(error)) from error


def _prometheus(cluster: Cluster, namespace: str, where: str) -> Prometheus:
    name, port = target.split(where, "--prometheus")
    place = PlanPrometheus(service=name, port=port)
    return Prometheus(prometheus_fetch(place, namespace, cluster))


def _rules(prometheus: str, rules: str) -> Rules:
    service, port = target.split(prometheus, "--prometheus")
    config_map, slash, key = rules.partition("/")
    if not slash or not key:
        raise UsageError(f'--rules is written like "prometheus-config/alerts.yml", not {rules!r}')
    return Rules(config_map=config_map, key=key, service=service, port=port)


def _conclude(
    book: Runbook, proofs: Proofs, run_dir: Path, screen: Console, *, json: bool
) -> ExitCode:
    """Write it all down, and show it."""
    replace_text(run_dir / "runbook.html", coverage.render(book, proofs))
    replace_text(run_dir / "proofs.json", dump(proofs))
    replace_text(run_dir / "proofs.md", render.markdown(proofs))
    replace_text(run_dir / "junit.xml", render.junit(proofs))
    if json:
        print(dump(proofs), end="")
    else:
        render.show(proofs, screen, where=str(run_dir / "proofs.md"))
    every = (*proofs.procedures, *(p.corrected for p in proofs.procedures if p.corrected))
    if any(p.put_back.startswith(NOT_PUT_BACK) for p in every):
        return ExitCode.FAULT_STUCK
    return exit_code(proofs)


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
def _users(scenario: str, url: str, run_dir: Path) -> Iterator[LoadHandle]:
    """Users at work for as long as it lasts."""
    handle = LoadRunner.start(reference_scenario(scenario), url, run_dir, seed=0)
    try:
        yield handle
    finally:
        handle.stop()
        handle.result()


def _notes(left: Sequence[Procedure], interrupted: InterruptedRunError | None) -> Iterator[str]:
    if interrupted is not None:
        titles = ", ".join(p.title for p in left)
        yield f"ended by {interrupted}; not tried: {titles or 'nothing'}"
