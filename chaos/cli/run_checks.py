"""What speaks against a run is said before anything is made; names become addresses."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from chaos.cli.app import print_json
from chaos.cli.errors import UsageError
from chaos.kube import Cluster, ClusterError
from chaos.plan.forbidden import ANNOTATION
from chaos.plan.model import Plan, PlanPrometheus
from chaos.run.dry_run import DryRun
from chaos.run.preflight import require_allowed
from slo.documents import place_of
from slo.evidence.journal import Threshold
from slo.observe.prometheus import Fetch, Prometheus, PrometheusError, http_fetch
from slo.runbook.reader import Runbook
from slo.verdict.objectives import ThresholdError, override

PROMETHEUS_TIMEOUT_S = 10.0


def show_dry_run(found: DryRun, screen: Console, *, json: bool) -> None:
    if json:
        print_json({"would": found.would, "problems": found.problems})
        return
    for line in found.would:
        screen.print(line)
    for line in found.problems:
        screen.print(f"[red]problem[/]: {line}")
    screen.print("nothing was changed", style="dim")


def check_overrides(plan_file: Path, plan: Plan, promises: Runbook) -> None:
    for name, wanted in plan.objectives.items():
        threshold = Threshold(target=wanted.target, critical=wanted.critical)
        try:
            override(promises.objectives, {name: threshold})
        except ThresholdError as error:
            raise UsageError(f"{place_of(plan_file, 'objectives', name)}: {error}") from error


def check_forbidden(plan_file: Path, plan: Plan, cluster: Cluster) -> None:
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
class Place:
    """Where a run happens. `steady_error_rate` is a ratio: more is not steady."""

    url: str
    prometheus: Prometheus
    steady_error_rate: float


def resolve(plan: Plan, promises: Runbook, cluster: Cluster) -> Place:
    """Names to addresses. Raises what speaks against a run, before anything is made."""
    target = plan.target
    cluster.workload(target.namespace, target.workload)
    url = target.url or cluster.service_url(target.namespace, target.service or "", target.port)
    steady = plan.steady_error_rate(promises.objectives)
    if steady is None:
        raise UsageError("the runbook has no objective for the error rate, so nothing is steady")
    prometheus = Prometheus(prometheus_fetch(plan.prometheus, target.namespace, cluster))
    return Place(url=url, prometheus=prometheus, steady_error_rate=steady)


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
