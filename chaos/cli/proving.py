"""What `gameday runbook prove` needs around the prover: its choice, its place, its report."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from chaos.cli import target
from chaos.cli.errors import UsageError
from chaos.cli.run_checks import prometheus_fetch
from chaos.kube import Cluster
from chaos.plan.model import PlanPrometheus
from chaos.prove.alerts.live import Rules
from chaos.prove.cases import NOT_PUT_BACK
from chaos.run.interrupt import InterruptedRunError
from chaos.run.preflight import LeftoverError
from chaos.undo.snapshot_store import SnapshotStoreError, put_back
from loadtests.runner import LoadHandle, LoadRunner
from loadtests.scenario import load_scenario
from reports import coverage
from reports import proofs as render
from reports.write import replace_text
from slo.exit_codes import ExitCode
from slo.observe.prometheus import Prometheus
from slo.runbook.model import Alert, Procedure, Runbook
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


def prometheus_at(cluster: Cluster, namespace: str, where: str) -> Prometheus:
    name, port = target.split(where, "--prometheus")
    place = PlanPrometheus(service=name, port=port)
    return Prometheus(prometheus_fetch(place, namespace, cluster))


def rules_at(prometheus: str, rules: str) -> Rules:
    service, port = target.split(prometheus, "--prometheus")
    config_map, slash, key = rules.partition("/")
    if not slash or not key:
        raise UsageError(f'--rules is written like "prometheus-config/alerts.yml", not {rules!r}')
    return Rules(config_map=config_map, key=key, service=service, port=port)


def conclude(
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


def critical_of(book: Runbook, name: str) -> float:
    """The threshold past which users are not served."""
    found = next((o.critical for o in book.objectives if o.name == name), None)
    if found is None:
        title = name.replace("_", " ")
        raise UsageError(f"{book.file} has no objective for the {title}, so no cure can be seen")
    return found


@contextmanager
def users_at_work(scenario: str, url: str, run_dir: Path) -> Iterator[LoadHandle]:
    """Users at work for as long as it lasts."""
    handle = LoadRunner.start(load_scenario(scenario), url, run_dir, seed=0)
    try:
        yield handle
    finally:
        handle.stop()
        handle.result()


def notes_on(left: Sequence[Procedure], interrupted: InterruptedRunError | None) -> Iterator[str]:
    if interrupted is not None:
        titles = ", ".join(p.title for p in left)
        yield f"ended by {interrupted}; not tried: {titles or 'nothing'}"
