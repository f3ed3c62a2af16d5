"""What `gameday runbook prove` needs around the prover: its choice, its place, its report."""

import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from chaos.cli import target
from chaos.cli.errors import UsageError
from chaos.cli.system import prometheus_of
from chaos.kube import Cluster
from chaos.prove.alerts.live import Live, Rules
from chaos.prove.cases import NOT_PUT_BACK
from chaos.prove.corrections import Correction
from chaos.prove.drills import Drill
from chaos.prove.drills.own import check_choice, own_drills
from chaos.prove.prover import Prover
from chaos.run.interrupt import InterruptedRunError
from chaos.run.preflight import LeftoverError, require_allowed
from chaos.run.progress import Progress
from chaos.undo.lease import Held
from chaos.undo.snapshot_store import SnapshotStoreError, put_back
from loadtests.runner import LoadHandle, LoadRunner
from loadtests.scenario import Scenario
from reports import coverage
from reports import proofs as render
from reports.write import replace_text
from slo.exit_codes import ExitCode
from slo.runbook.model import Alert, Procedure, Runbook
from slo.system.folder import SystemFolder
from slo.system.model import Target
from slo.system.prometheus import PrometheusAccess
from slo.target_url import masked_url
from slo.verdict.proofs import AlertProof, ProcedureProof, Proofs, dump, exit_code

P95 = "response_time_p95"


@dataclass(slots=True)
class Found:
    """What is known so far: it stays when the rest is interrupted."""

    target: str = "made series, without a cluster"
    alerts: list[AlertProof] = field(default_factory=list)
    procedures: list[ProcedureProof] = field(default_factory=list)


def put_drills_back(cluster: Cluster, namespace: str) -> list[str]:
    try:
        return put_back(cluster, namespace) or []
    except SnapshotStoreError as error:
        raise LeftoverError(str(error)) from error


def prometheus_of_options(
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


def rules_of(metrics: PrometheusAccess) -> Rules:
    config_map, _, key = (metrics.rules or "").partition("/")
    return Rules(config_map=config_map, key=key, service=metrics.service or "", port=metrics.port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be proved, and how. `limits` are the runbook's critical thresholds by name.

    `drills` are those of the system's own.
    """

    book: Runbook
    alerts: tuple[Alert, ...]
    procedures: tuple[Procedure, ...]
    corrections: Mapping[str, Correction]
    drills: Sequence[type[Drill]]
    values: Mapping[str, str]
    limits: Mapping[str, float]
    scenario: Scenario
    crowd: Scenario
    step_limit_s: float
    cure_within_s: float | None
    time_scale: float
    files: Path | None
    unconfined: bool
    progress: Progress


def on_cluster(
    asked: Asked,
    cluster: Cluster,
    own: Target,
    metrics: PrometheusAccess | None,
    *,
    folder: SystemFolder | None,
    run_dir: Path,
    found: "Found",
) -> None:
    """Try everything on a cluster. What is known so far stands in `found`, however it ends."""
    say, namespace = asked.progress.say, own.namespace
    require_allowed(cluster, namespace)
    prometheus = prometheus_of(metrics, folder, own, cluster)
    place = target.system_under_test(cluster, own, folder)
    found.target = f"{namespace}/{own.workload} at {masked_url(place.url)}"
    identity = f"prove-{secrets.token_hex(4)}"
    with ExitStack() as stack:
        stack.enter_context(Held(cluster, namespace, identity))
        for done in put_drills_back(cluster, namespace):
            say(f"left by a drill that died: {done}")
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gameday-")))
        users = stack.enter_context(users_at_work(asked.scenario, place.url, run_dir))
        if asked.alerts and metrics is not None and metrics.rules is not None:
            live = Live(
                system=place,
                prometheus=prometheus,
                rules=rules_of(metrics),
                scale=asked.time_scale,
                objectives=asked.book.objectives,
                say=say,
            )
            found.alerts = live.prove(found.alerts, asked.alerts)
        elif asked.alerts:
            say("alerts are tried on made series alone, as nobody names the ConfigMap of the rules")
        opened = target.shells(cluster, namespace, home, unconfined=asked.unconfined, say=say)
        prover = Prover(
            system=place,
            identity=identity,
            folder=home,
            run_dir=run_dir,
            files=asked.files,
            session=stack.enter_context(opened),
            load=users,
            crowd=asked.crowd,
            book=asked.book,
            corrections=asked.corrections,
            error_rate=asked.limits["error_rate"],
            p95_s=asked.limits[P95],
            values=asked.values,
            step_limit_s=asked.step_limit_s,
            cure_within_s=asked.cure_within_s,
            own=asked.drills,
            say=say,
        )
        for procedure in asked.procedures:
            found.procedures.append(prover.prove(procedure))


def conclude(
    book: Runbook, proofs: Proofs, run_dir: Path, screen: Console, *, json: bool
) -> ExitCode:
    """Write it all down, and show it."""
    replace_text(run_dir / "proofs.json", dump(proofs))
    replace_text(run_dir / "runbook.html", coverage.render(book, proofs))
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


def chosen_of(
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


def drills_of(
    folder: SystemFolder | None, procedures: Sequence[Procedure]
) -> Sequence[type[Drill]]:
    """The system's own. Raises slo.documents.DocumentError for what is wrong with them."""
    if folder is None:
        return ()
    found = own_drills(folder.drills)
    check_choice(procedures, found, folder.system.parts)
    return found


def limits_of(book: Runbook) -> dict[str, float]:
    """The thresholds past which users are not served, by the objective's name."""
    return {name: critical_of(book, name) for name in ("error_rate", P95)}


def critical_of(book: Runbook, name: str) -> float:
    """The threshold past which users are not served."""
    found = next((o.critical for o in book.objectives if o.name == name), None)
    if found is None:
        title = name.replace("_", " ")
        raise UsageError(f"{book.file} has no objective for the {title}, so no cure can be seen")
    return found


@contextmanager
def users_at_work(scenario: Scenario, url: str, run_dir: Path) -> Iterator[LoadHandle]:
    """Users at work for as long as it lasts."""
    handle = LoadRunner.start(scenario, url, run_dir, seed=0)
    try:
        yield handle
    finally:
        handle.stop()
        handle.result()


def notes_on(left: Sequence[Procedure], interrupted: InterruptedRunError | None) -> Iterator[str]:
    if interrupted is not None:
        titles = ", ".join(p.title for p in left)
        yield f"ended by {interrupted}; not tried: {titles or 'nothing'}"
