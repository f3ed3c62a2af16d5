"""`gameday run`: a whole game day, from an empty directory to a verdict."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from chaos.cli import target
from chaos.cli.app import VERSION, Json, app, console, print_json
from chaos.cli.cluster import embedded_cluster
from chaos.cli.errors import UsageError
from chaos.cli.offline import conclude
from chaos.cli.recovery_procedures import check_procedures, recovery_procedures
from chaos.cli.system import (
    SystemOption,
    prometheus_of,
    runbook_of,
    scope_of,
    system_folder,
    unanswered,
)
from chaos.kube import Cluster
from chaos.plan.forbidden import ANNOTATION
from chaos.plan.model import Plan, find_plan, read_plan
from chaos.run import game_day
from chaos.run.dry_run import DryRun, dry_run_of
from chaos.run.interrupt import InterruptedRunError, interruptible
from chaos.run.preflight import preflight, require_allowed
from chaos.run.progress import Progress, Quiet, Terminal
from loadtests.scenario import Scenario, load_scenario
from slo.documents import place_of
from slo.evidence.journal import Threshold
from slo.exit_codes import ExitCode
from slo.indicators.client import client_view
from slo.indicators.slis import Indicators, yaml_for
from slo.observe.phases import Scope
from slo.observe.prometheus import Prometheus
from slo.policy import BUNDLED_POLICY, read_policy
from slo.runbook.reader import Runbook, read_runbook
from slo.system.folder import SystemFolder
from slo.verdict.objectives import ThresholdError, override


@app.command()
def run(
    plan: Annotated[
        str, typer.Argument(help="A plan of the system's folder, or a YAML file.")
    ] = "smoke",
    *,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="On a small cluster of its own, on this machine.")
    ] = False,
    system: SystemOption = None,
    runbook: Annotated[
        Path | None,
        typer.Option(help="The runbook whose thresholds decide. Default: the system's."),
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="How to judge, beside the runbook. Default: the system's.")
    ] = None,
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
    if embedded and (kubeconfig or context):
        raise UsageError("--embedded brings its own cluster: leave --kubeconfig and --context out")
    given = _read(plan, system_folder(system, embedded=embedded), runbook, policy)
    read, scenario, promises = given.plan, given.scenario, given.promises

    screen = console(quiet=json)
    terminal = Terminal(screen)
    progress: Progress = Quiet() if json else terminal
    with ExitStack() as stack:
        stack.enter_context(interruptible())
        if embedded:
            kubeconfig = stack.enter_context(embedded_cluster(progress))
        cluster = Cluster.connect(kubeconfig, context)
        cluster.check()
        _check_forbidden(given.plan_file, read, cluster)
        place = _resolve(given, cluster)
        for line in place.unmeasured:
            progress.say(f"[yellow]{escape(line)}[/]")
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
                given.keep(run_dir)
                point_latest_at(run_dir)
                setting = game_day.Setting(
                    run_dir=run_dir,
                    plan=read,
                    scenario=scenario,
                    cluster=cluster,
                    prometheus=place.prometheus,
                    scope=place.scope,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What people wrote, read and checked, and the files that it stands in."""

    plan_file: Path
    plan: Plan
    scenario: Scenario
    runbook_file: Path
    promises: Runbook
    policy_file: Path
    folder: SystemFolder | None

    @property
    def indicators(self) -> Indicators:
        return Indicators.of_system(self.folder.system if self.folder else None)

    def keep(self, run_dir: Path) -> None:
        """Copies in the run directory, by which the run is judged."""
        shutil.copyfile(self.plan_file, run_dir / "plan.yaml")
        shutil.copyfile(self.runbook_file, run_dir / "runbook.md")
        shutil.copyfile(self.policy_file, run_dir / "policy.yaml")
        if self.folder is not None:
            shutil.copyfile(self.folder.file, run_dir / "system.yaml")


def _read(
    plan: str, folder: SystemFolder | None, runbook: Path | None, policy: Path | None
) -> _Given:
    """Raises slo.documents.DocumentError or UsageError for whatever cannot be used."""
    plan_file = find_plan(plan, folder.plans if folder else None)
    read = read_plan(plan_file, folder.system if folder else None)
    runbook_file = runbook_of(runbook, folder)
    policy_file = policy or (folder.policy if folder else None) or BUNDLED_POLICY
    promises = read_runbook(runbook_file)
    read_policy(policy_file)
    _check_overrides(plan_file, read, promises)
    check_procedures(plan_file, read, promises)
    return _Given(
        plan_file=plan_file,
        plan=read,
        scenario=load_scenario(read.load.scenario),
        runbook_file=runbook_file,
        promises=promises,
        policy_file=policy_file,
        folder=folder,
    )


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
    scope: Scope
    steady_error_rate: float
    unmeasured: tuple[str, ...]  # in words, and what would measure it


def _resolve(given: _Given, cluster: Cluster) -> _Place:
    """Names to addresses. Raises what speaks against a run, before anything is made."""
    plan, promises, indicators = given.plan, given.promises, given.indicators
    target = plan.target
    cluster.workload(target.namespace, target.workload, target.kind)
    if target.url is None and target.service is None:
        raise UsageError(
            "nobody says where the load goes: name 'service' or 'url' in the target of the plan"
            " or of system.yaml"
        )
    url = target.url or cluster.service_url(target.namespace, target.service or "", target.port)
    steady = plan.steady_error_rate(promises.objectives)
    if steady is None:
        raise UsageError("the runbook has no objective for the error rate, so nothing is steady")
    slis = tuple(indicators.known(promises.objectives))
    scope = scope_of(plan.prometheus, target, slis)
    prometheus = prometheus_of(plan.prometheus, given.folder, target, cluster)
    return _Place(
        url=url,
        prometheus=prometheus,
        scope=scope,
        steady_error_rate=steady,
        unmeasured=(
            *_unmeasured(promises, indicators, scope),
            *unanswered(plan.prometheus, prometheus),
        ),
    )


def _unmeasured(promises: Runbook, indicators: Indicators, scope: Scope) -> Iterator[str]:
    """Objectives that this run cannot judge, said before it begins."""
    measured = {sli.name for sli in scope.slis}
    for objective in promises.objectives:
        if objective.name in measured or client_view(objective.name) is not None:
            continue
        why = indicators.find(objective)
        if not isinstance(why, str):
            yield f"{objective.title} will not be judged: there is no Prometheus to ask"
        else:
            yield (
                f"{objective.title} will not be judged: {why}. In system.yaml this would:"
                f" {yaml_for(objective)}"
            )


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
