"""`gameday run`: a whole game day, from an empty directory to a verdict."""

import os
import secrets
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from chaos.cli import target
from chaos.cli.app import VERSION, Json, app, console, print_json
from chaos.cli.cluster import embedded_cluster
from chaos.cli.errors import UsageError
from chaos.cli.offline import conclude
from chaos.cli.recovery_procedures import check_procedures, recovery_procedures
from chaos.cli.reference import reference_scenario
from chaos.kube import Cluster, ClusterError
from chaos.plan.forbidden import ANNOTATION
from chaos.plan.model import Plan, PlanPrometheus, find_plan, read_plan
from chaos.run import game_day
from chaos.run.dry_run import DryRun, dry_run_of
from chaos.run.interrupt import InterruptedRunError, interruptible
from chaos.run.preflight import preflight, require_allowed
from chaos.run.progress import Progress, Quiet, Terminal
from slo.documents import place_of
from slo.evidence.journal import Threshold
from slo.exit_codes import ExitCode
from slo.observe.prometheus import Fetch, Prometheus, PrometheusError, http_fetch
from slo.policy import BUNDLED_POLICY, read_policy
from slo.runbook.reader import BUNDLED_RUNBOOK, Runbook, read_runbook
from slo.verdict.objectives import ThresholdError, override

PROMETHEUS_TIMEOUT_S = 10.0


@app.command()
def run(
    plan: Annotated[str, typer.Argument(help="A bundled plan or a YAML file.")] = "smoke",
    *,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="On a small cluster of its own, on this machine.")
    ] = False,
    runbook: Annotated[
        Path, typer.Option(help="The runbook whose thresholds decide.")
    ] = BUNDLED_RUNBOOK,
    policy: Annotated[
        Path, typer.Option(help="How to judge, beside the runbook.")
    ] = BUNDLED_POLICY,
    runs: Annotated[Path, typer.Option(help="Where run directories go.")] = Path("runs"),
    kubeconfig: Annotated[str | None, typer.Option(help="Default: as kubectl.")] = None,
    context: Annotated[str | None, typer.Option(help="A context of the kubeconfig.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be hit and what is not permitted.")
    ] = False,
    files: target.Files = None,
    unconfined: target.Unconfined = False,
    json: Json = False,
) -> None:
    """Load the service, break it, watch it, and say with evidence what held."""
    plan_file = find_plan(plan)
    read = read_plan(plan_file)
    promises = read_runbook(runbook)
    read_policy(policy)
    scenario = reference_scenario(read.load.scenario)
    _check_overrides(plan_file, read, promises)
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
        _check_forbidden(plan_file, read, cluster)
        place = _resolve(read, promises, cluster)
        if dry_run:
            found = dry_run_of(read, cluster, place.url)
            _show_rehearsal(found, screen, json=json)
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
                    gameday_version=VERSION,
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


def _show_rehearsal(found: DryRun, screen: Console, *, json: bool) -> None:
    if json:
        print_json({"would": found.would, "problems": found.problems})
        return
    for line in found.would:
        screen.print(line)
    for line in found.problems:
        screen.print(f"[red]problem[/]: {line}")
    screen.print("nothing was changed", style="dim")


def _check_overrides(plan_file: Path, plan: Plan, promises: Runbook) -> None:
    for name, wanted in plan.objectives.items():
        threshold = Threshold(target=wanted.target, critical=wanted.critical)
        try:
            override(promises.objectives, {name: threshold})
        except ThresholdError as error:
            raise UsageError(f"{place_of(plan_file, 'objectives', name)}: {error}") from error


def _check_forbidden(plan_file: Path, plan: Plan, cluster: Cluster) -> None:
    """What the namespace itself says, before anything is made."""
    namespace = plan.target.namespace
    banned = require_allowed(cluster, namespace)
    for place, fault in plan.faults():
        if fault.kind in banned:
            raise UsageError(
                f"{place_of(plan_file, *place)}: namespace {namespace} forbids {fault.kind}"
                f" (its annotation {ANNOTATION})"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a run happens. `steady_error_rate` is a ratio: more is not steady."""

    url: str
    prometheus: Prometheus
    steady_error_rate: float


def _resolve(plan: Plan, promises: Runbook, cluster: Cluster) -> _Place:
    """Names to addresses. Raises what speaks against a run, before anything is made."""
    target = plan.target
    cluster.workload(target.namespace, target.workload)
    url = target.url or cluster.service_url(target.namespace, target.service or "", target.port)
    steady = plan.steady_error_rate(promises.objectives)
    if steady is None:
        raise UsageError("the runbook has no objective for the error rate, so nothing is steady")
    prometheus = Prometheus(prometheus_fetch(plan.prometheus, target.namespace, cluster))
    return _Place(url=url, prometheus=prometheus, steady_error_rate=steady)


def prometheus_fetch(where: PlanPrometheus, namespace: str, cluster: Cluster) -> Fetch:
    if where.url is not None:
        return http_fetch(where.url, PROMETHEUS_TIMEOUT_S)
    service = where.service or ""

    def through_cluster(path: str, query: dict[str, str]) -> bytes:
        try:
            return cluster.get_through_service(namespace, service, where.port, path, query)
        except ClusterError as error:
            raise PrometheusError(str(error)) from error

    return through_cluster


def new_run_dir(runs: Path, plan: str) -> Path:
    """runs/<UTC time>-<plan>, new: a second run within the same second gets a number."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for number in range(1, 100):
        path = runs / (f"{stamp}-{plan}" + (f"-{number}" if number > 1 else ""))
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(f"{runs}: {error.strerror}") from error
        return path
    raise UsageError(f"{runs}: no free name for a run directory")


def point_latest_at(run_dir: Path) -> None:
    """runs/latest, replaced in one step."""
    link = run_dir.parent / f".latest-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(run_dir.name)
    link.replace(run_dir.parent / "latest")
