"""`gameday runbook prove`: alerts and procedures of a runbook, put to the proof."""

import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from chaos.cli import target
from chaos.cli.app import VERSION, Json, console
from chaos.cli.cluster import embedded_cluster
from chaos.cli.errors import UsageError
from chaos.cli.load import duration_option
from chaos.cli.procedures import LIMIT, Embedded, Limit, Runs
from chaos.cli.run import new_run_dir, point_latest_at
from chaos.cli.runbook import runbook_app
from chaos.cli.system import SystemOption, prometheus_of, runbook_of, system_folder
from chaos.kube import Cluster
from chaos.prove.alerts import synthetic
from chaos.prove.alerts.live import Live, Rules
from chaos.prove.cases import NOT_PUT_BACK
from chaos.prove.overlay import read_overlay
from chaos.prove.prover import Correction, Prover
from chaos.run.interrupt import InterruptedRunError, interruptible
from chaos.run.preflight import LeftoverError, require_allowed
from chaos.run.progress import Progress, Quiet, Terminal
from chaos.undo.lease import Held
from chaos.undo.snapshot_store import SnapshotStoreError, put_back
from loadtests.runner import LoadHandle, LoadRunner
from loadtests.scenario import load_scenario
from reports import coverage
from reports import proofs as render
from reports.write import replace_text
from service.cluster.packages import PROMETHEUS as PROMETHEUS_PROGRAMS
from slo.exit_codes import ExitCode
from slo.observe.prometheus import Prometheus
from slo.runbook.model import Alert, Procedure, Runbook
from slo.runbook.reader import survey_runbook
from slo.system.folder import SystemFolder
from slo.system.model import Target as SystemTarget
from slo.system.prometheus import PrometheusAccess
from slo.verdict.proofs import (
    SCHEMA_VERSION,
    AlertProof,
    ProcedureProof,
    Proofs,
    dump,
    exit_code,
)

P95 = "response_time_p95"


@runbook_app.command("prove")
def prove(
    runbook: Annotated[
        Path | None, typer.Argument(help="The runbook. Default: the system's.")
    ] = None,
    *,
    system: SystemOption = None,
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
    namespace: target.Namespace = None,
    workload: target.Workload = None,
    service: target.Service = None,
    prometheus: Annotated[
        str | None, typer.Option(help="Its Service, with port; read through the Kubernetes API.")
    ] = None,
    rules: Annotated[
        str | None, typer.Option(help="The ConfigMap, with key, that it has its rules from.")
    ] = None,
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
    folder = system_folder(system, embedded=embedded)
    runbook = runbook_of(runbook, folder)
    book = survey_runbook(runbook)
    alerts, procedures = _chosen(book, only)
    screen = console(quiet=json)
    terminal = Terminal(screen)
    progress: Progress = Quiet() if json else terminal
    asked = _Asked(
        book=book,
        alerts=alerts,
        procedures=procedures,
        corrections=read_overlay(overlay, book) if overlay else {},
        values=target.values(set_),
        limits={} if offline else {n: _critical(book, n) for n in ("error_rate", P95)},
        scenario=load,
        step_limit_s=limit.total_seconds(),
        cure_within_s=cure_within.total_seconds() if cure_within else None,
        time_scale=time_scale,
        files=files,
        unconfined=unconfined,
        progress=progress,
    )
    metrics = _prometheus(folder, prometheus, rules)
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
                own = target.chosen(folder, namespace, workload, service)
                asking = prometheus_of(metrics, folder, own, cluster)
                _on_cluster(asked, cluster, own, metrics, asking, run_dir=run_dir, found=found)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is to be proved, and how. `limits` are the runbook's critical thresholds by name."""

    book: Runbook
    alerts: tuple[Alert, ...]
    procedures: tuple[Procedure, ...]
    corrections: Mapping[str, Correction]
    values: Mapping[str, str]
    limits: Mapping[str, float]
    scenario: str
    step_limit_s: float
    cure_within_s: float | None
    time_scale: float
    files: Path | None
    unconfined: bool
    progress: Progress


def _on_cluster(
    asked: _Asked,
    cluster: Cluster,
    own: SystemTarget,
    metrics: PrometheusAccess | None,
    prometheus: Prometheus,
    *,
    run_dir: Path,
    found: "_Found",
) -> None:
    """Try everything on a cluster. What is known so far stands in `found`, however it ends."""
    say, namespace = asked.progress.say, own.namespace
    require_allowed(cluster, namespace)
    place = target.system_under_test(cluster, own)
    found.target = f"{namespace}/{own.workload} at {place.url}"
    identity = f"prove-{secrets.token_hex(4)}"
    with ExitStack() as stack:
        stack.enter_context(Held(cluster, namespace, identity))
        for done in _put_back(cluster, namespace):
            say(f"left by a drill that died: {done}")
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gameday-")))
        users = stack.enter_context(_users(asked.scenario, place.url, run_dir))
        if asked.alerts and metrics is not None and metrics.rules is not None:
            live = Live(
                system=place,
                prometheus=prometheus,
                rules=_rules(metrics),
                scale=asked.time_scale,
                objectives=asked.book.objectives,
                say=say,
            )
            found.alerts = live.prove(found.alerts, asked.alerts)
        elif asked.alerts:
            say("alerts are tried on made series alone, as nobody names the ConfigMap of the rules")
        opened = target.shells(cluster, namespace, home, unconfined=asked.unconfined)
        prover = Prover(
            system=place,
            identity=identity,
            folder=home,
            run_dir=run_dir,
            files=asked.files,
            session=stack.enter_context(opened),
            load=users,
            book=asked.book,
            corrections=asked.corrections,
            error_rate=asked.limits["error_rate"],
            p95_s=asked.limits[P95],
            values=asked.values,
            step_limit_s=asked.step_limit_s,
            cure_within_s=asked.cure_within_s,
            say=say,
        )
        for procedure in asked.procedures:
            found.procedures.append(prover.prove(procedure))


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


def _prometheus(
    folder: SystemFolder | None, where: str | None, rules: str | None
) -> PrometheusAccess | None:
    """The system's, with what options say instead; None where there is none."""
    own = folder.system.prometheus if folder is not None else None
    if where is not None:
        name, port = target.split(where, "--prometheus")
        own = PrometheusAccess(service=name, port=port)
    if own is not None and rules is not None:
        if not all(rules.partition("/")):
            raise UsageError(
                f'--rules is written like "prometheus-config/alerts.yml", not {rules!r}'
            )
        own = own.model_copy(update={"rules": rules})
    return own


def _rules(metrics: PrometheusAccess) -> Rules:
    config_map, _, key = (metrics.rules or "").partition("/")
    return Rules(config_map=config_map, key=key, service=metrics.service or "", port=metrics.port)


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
    handle = LoadRunner.start(load_scenario(scenario), url, run_dir, seed=0)
    try:
        yield handle
    finally:
        handle.stop()
        handle.result()


def _notes(left: Sequence[Procedure], interrupted: InterruptedRunError | None) -> Iterator[str]:
    if interrupted is not None:
        titles = ", ".join(p.title for p in left)
        yield f"ended by {interrupted}; not tried: {titles or 'nothing'}"
