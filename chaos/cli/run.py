"""`gameday run`: a whole game day, from an empty directory to a verdict."""

import os
import secrets
import shutil
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from chaos import runner
from chaos.cli.app import VERSION, Json, app, console
from chaos.cli.cluster import embedded_cluster
from chaos.cli.errors import UsageError
from chaos.cli.offline import conclude
from chaos.cluster import Cluster, ClusterError
from chaos.interrupt import InterruptedRunError, interruptible
from chaos.plan import Plan, PlanPrometheus, find_plan, read_plan
from chaos.progress import Progress, Quiet, Terminal
from loadtests.scenario import Scenario, load_scenario
from slo.documents import line_of
from slo.journal import Threshold
from slo.objectives import ThresholdError, override
from slo.policy import BUNDLED_POLICY, read_policy
from slo.prometheus import Fetch, Prometheus, PrometheusError, http_fetch
from slo.runbook import BUNDLED_RUNBOOK, Runbook, read_runbook

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
    json: Json = False,
) -> None:
    """Load the service, break it, watch it, and say with evidence what held."""
    plan_file = find_plan(plan)
    read = read_plan(plan_file)
    promises = read_runbook(runbook)
    read_policy(policy)
    scenario = load_scenario(read.load.scenario)
    _check_overrides(plan_file, read, promises)
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
        setting = _prepare(read, promises, scenario, cluster, runs)
        shutil.copyfile(plan_file, setting.run_dir / "plan.yaml")
        (setting.run_dir / "runbook.md").write_bytes(runbook.read_bytes())
        (setting.run_dir / "policy.yaml").write_bytes(policy.read_bytes())
        point_latest_at(setting.run_dir)
        interrupted: InterruptedRunError | None = None
        try:
            runner.run(setting, progress)
        except InterruptedRunError as error:
            interrupted = error
        finally:
            terminal.close()
        code = conclude(setting.run_dir, screen, json=json)
    raise typer.Exit(interrupted.exit_code if interrupted else code)


def _check_overrides(plan_file: Path, plan: Plan, promises: Runbook) -> None:
    for name, wanted in plan.objectives.items():
        threshold = Threshold(target=wanted.target, critical=wanted.critical)
        try:
            override(promises.objectives, {name: threshold})
        except ThresholdError as error:
            line = line_of(plan_file, "objectives", name)
            raise UsageError(
                f"{plan_file}, line {line}: field 'objectives.{name}': {error}"
            ) from error


def _prepare(
    plan: Plan, promises: Runbook, scenario: Scenario, cluster: Cluster, runs: Path
) -> runner.Setting:
    """Resolve names to addresses and make the run directory, once nothing speaks against it."""
    target = plan.target
    cluster.namespace(target.namespace)
    cluster.workload(target.namespace, target.workload)
    url = target.url or cluster.service_url(target.namespace, target.service or "", target.port)
    errors = next((o for o in promises.objectives if o.name == "error_rate"), None)
    if errors is None:
        raise UsageError("the runbook has no objective for the error rate, so nothing is steady")
    prometheus = Prometheus(_fetch(plan.prometheus, target.namespace, cluster))
    run_dir = new_run_dir(runs, plan.name)
    return runner.Setting(
        run_dir=run_dir,
        plan=plan,
        scenario=scenario,
        cluster=cluster,
        prometheus=prometheus,
        url=url,
        steady_error_rate=errors.critical,
        gameday_version=VERSION,
        identity=f"{run_dir.name}-{secrets.token_hex(4)}",
    )


def _fetch(where: PlanPrometheus, namespace: str, cluster: Cluster) -> Fetch:
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
