"""What speaks against a run is said before anything is made; names become addresses."""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from chaos.cli.app import print_json
from chaos.cli.errors import UsageError
from chaos.cli.recovery_procedures import check_procedures
from chaos.cli.system import prometheus_of, runbook_of, scenario_of, scope_of, unanswered
from chaos.kube import Cluster
from chaos.plan.forbidden import ANNOTATION
from chaos.plan.model import Plan, find_plan, read_plan
from chaos.run.dry_run import DryRun
from chaos.run.loads import Loaded
from chaos.run.preflight import require_allowed
from loadtests.scenario import Scenario
from slo.documents import place_of
from slo.evidence.journal import Threshold
from slo.indicators.client import client_view, of_services
from slo.indicators.slis import Indicators, yaml_for
from slo.model import Objective
from slo.observe.phases import Scope
from slo.observe.prometheus import Prometheus
from slo.policy import BUNDLED_POLICY, read_policy
from slo.runbook.reader import Runbook, read_runbook
from slo.system.folder import SystemFolder
from slo.system.model import BesideLoad
from slo.verdict.objectives import ThresholdError, override


def show_dry_run(found: DryRun, screen: Console, *, json: bool) -> None:
    if json:
        print_json({"would": found.would, "problems": [*found.problems, *found.denied]})
        return
    for line in found.would:
        screen.print(line)
    for line in (*found.problems, *found.denied):
        screen.print(f"problem: {line}", style="red")
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
class Given:
    """What people wrote, read and checked, and the files that it stands in."""

    plan_file: Path
    plan: Plan
    scenario: Scenario | None  # None where nobody sends requests to the target
    runbook_file: Path
    promises: Runbook
    policy_file: Path
    folder: SystemFolder | None
    beside: tuple[tuple[BesideLoad, Scenario], ...] = ()

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


def read_given(
    plan: str, folder: SystemFolder | None, runbook: Path | None, policy: Path | None
) -> Given:
    """Raises slo.documents.DocumentError or UsageError for whatever cannot be used."""
    plan_file = find_plan(plan, folder.plans if folder else None)
    read = read_plan(plan_file, folder.system if folder else None)
    runbook_file = runbook_of(runbook, folder)
    policy_file = policy or (folder.policy if folder else None) or BUNDLED_POLICY
    promises = read_runbook(runbook_file)
    read_policy(policy_file)
    check_overrides(plan_file, read, promises)
    check_procedures(plan_file, read, promises)
    return Given(
        plan_file=plan_file,
        plan=read,
        scenario=scenario_of(read.load.scenario, folder) if read.load is not None else None,
        runbook_file=runbook_file,
        promises=promises,
        policy_file=policy_file,
        folder=folder,
        beside=tuple(
            (b, scenario_of(b.scenario, folder)) for b in (read.load.beside if read.load else ())
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a run happens; `services` are those that are loaded, the target first."""

    url: str
    prometheus: Prometheus
    scope: Scope
    services: tuple[Loaded, ...]
    unmeasured: tuple[str, ...]  # in words, and what would measure it
    unanswered: tuple[str, ...]  # what Prometheus does not answer, in words


def resolve(given: Given, cluster: Cluster) -> Place:
    """Names to addresses. Raises what speaks against a run, before anything is made."""
    plan, promises, indicators = given.plan, given.promises, given.indicators
    target = plan.target
    cluster.workload(target.namespace, target.workload, target.full_kind)
    if given.scenario is not None and target.url is None and target.service is None:
        raise UsageError(
            "nobody says where the load goes: name 'service' or 'url' in the target of the plan"
            " or of system.yaml"
        )
    url = ""
    if given.scenario is not None:
        service = target.service or ""
        url = target.url or cluster.service_url(target.namespace, service, target.port)
    objectives = of_services(promises.objectives, [b.name for b, _ in given.beside])
    steady = plan.steady_error_rate(objectives)
    if steady is None and given.scenario is not None:
        raise UsageError(
            f"{given.runbook_file} needs a row 'Error Rate' in its table of metrics, targets and"
            " critical thresholds: by it gameday decides whether the service is healthy before a"
            " fault"
        )
    limits = {o.name: o.critical for o in objectives}
    beside = [
        Loaded(
            name=b.name,
            scenario=users,
            url=_url(cluster, target.namespace, b),
            steady_error_rate=limits.get(f"{b.name}/error_rate", steady or 0.0),
            steady_p95_s=limits.get(f"{b.name}/response_time_p95"),
        )
        for b, users in given.beside
    ]
    services: tuple[Loaded, ...] = ()
    if given.scenario is not None:
        slowest = plan.critical("response_time_p95", objectives)
        services = (Loaded("", given.scenario, url, steady or 0.0, slowest), *beside)
    slis = tuple(indicators.known(objectives))
    scope = scope_of(plan.prometheus, target, slis)
    prometheus = prometheus_of(plan.prometheus, given.folder, target, cluster)
    return Place(
        url=url,
        prometheus=prometheus,
        scope=scope,
        services=services,
        unmeasured=(
            *_unspoken(given, objectives),
            *_unmeasured(objectives, indicators, scope, loaded=given.scenario is not None),
        ),
        unanswered=tuple(unanswered(plan.prometheus, prometheus)),
    )


def _url(cluster: Cluster, namespace: str, door: BesideLoad) -> str:
    return door.url or cluster.service_url(namespace, door.service or "", door.port)


def _unspoken(given: Given, objectives: Iterable[Objective]) -> Iterator[str]:
    """Services that are loaded, and that no row of the runbook is about."""
    rows = {o.name.partition("/")[0] for o in objectives if "/" in o.name}
    for name in (b.name for b, _ in given.beside):
        if name not in rows:
            title = name.replace("-", " ").title()
            yield (
                f"{name} is loaded as well, and no row of the runbook is about it: one called"
                f" '{title} Error Rate' would be"
            )


def _unmeasured(
    objectives: Iterable[Objective], indicators: Indicators, scope: Scope, *, loaded: bool
) -> Iterator[str]:
    """Objectives that this run cannot judge, said before it begins."""
    if not loaded:
        yield "there is no load, so that what users notice is judged by Prometheus alone"
    measured = {sli.name for sli in scope.slis}
    for objective in objectives:
        if objective.name in measured or (loaded and client_view(objective.name) is not None):
            continue
        why = indicators.find(objective)
        if not isinstance(why, str):
            yield f"{objective.title} will not be judged: there is no Prometheus to ask"
        else:
            yield (
                f"{objective.title} will not be judged: {why}. In system.yaml this would:"
                f" {yaml_for(objective)}"
            )
