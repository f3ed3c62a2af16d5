"""Which system a command is about: its folder, and what of it a command needs."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path

from chaos.cli.errors import UsageError
from chaos.kube import Cluster, ClusterError
from loadtests.scenario import Scenario, Traffic, load_scenario, unusable
from service import gameday as reference
from slo.documents import DocumentError, place_of
from slo.indicators.slis import Place, Sli
from slo.observe.access import AccessError, connect, nowhere
from slo.observe.answers import PrometheusError
from slo.observe.phases import Scope
from slo.observe.prometheus import Prometheus
from slo.system.folder import SystemFolder, read_system
from slo.system.model import Target
from slo.system.place import find_system
from slo.system.prometheus import PrometheusAccess

PROMETHEUS_TIMEOUT_S = 10.0


def system_folder(given: Path | None, *, embedded: bool) -> SystemFolder | None:
    """The folder that is named, else the nearest one; on the embedded cluster else ours.

    None where there is none: what a command needs to know has to be said by options then. Raises
    slo.documents.DocumentError.
    """
    found = given or find_system(Path())
    if found is None and embedded:
        found = reference.FOLDER
    return None if found is None else read_system(found)


def scenario_of(name: str, folder: SystemFolder | None) -> Scenario:
    """A scenario of the system by name, else a file. Raises slo.documents.DocumentError.

    One that does not say what is sent gets the system's own users.
    """
    if folder is None:
        return load_scenario(name)
    return load_scenario(name, folder=folder.scenarios, default=traffic_of(folder))


def traffic_of(folder: SystemFolder) -> Traffic:
    """The system's own users, with absolute paths. Raises slo.documents.DocumentError."""
    locustfile = folder.locustfile.absolute() if folder.locustfile else None
    load = folder.system.load
    default = Traffic(locustfile=locustfile, verify=load.verify, ca_file=load.ca_file)
    default = default.within(folder.path)
    if default.ca_file is not None and (why := unusable(default.ca_file)):
        raise DocumentError(f"{place_of(folder.file, 'load', 'ca_file')}: {why}")
    return default


def users_of(name: str | None, folder: SystemFolder | None) -> tuple[Scenario, Scenario]:
    """Who is at work while a runbook is proved, and who comes on top when a drill wants a crowd.

    Raises UsageError where nobody says, slo.documents.DocumentError.
    """
    own = folder.system.load.scenario if folder is not None else None
    usual = "drill" if _has(folder, "drill") else own
    chosen = name or usual
    if chosen is None:
        raise UsageError("nobody says what users do meanwhile: give a scenario with --load")
    users = scenario_of(chosen, folder)
    return users, scenario_of("crowd", folder) if _has(folder, "crowd") else users


def _has(folder: SystemFolder | None, scenario: str) -> bool:
    return folder is not None and (folder.scenarios / f"{scenario}.yaml").is_file()


def runbook_of(given: Path | None, folder: SystemFolder | None) -> Path:
    """Raises UsageError where nobody names one: nobody's thresholds are those of another system."""
    found = given or (folder.runbook if folder else None)
    if found is None:
        where = f"{folder.file} names none" if folder else "there is no gameday/system.yaml here"
        raise UsageError(f"there is no runbook to judge by: {where}, so give one with --runbook")
    return found


def prometheus_of(
    access: PrometheusAccess | None,
    folder: SystemFolder | None,
    target: Target,
    cluster: Cluster | None,
) -> Prometheus:
    """Through the Kubernetes API where it is a Service, else by its address.

    A `cluster` is needed for a Service alone.

    Raises UsageError where credentials or certificates cannot be used.
    """
    if access is None:
        why = "neither the plan nor system.yaml names a Prometheus"
        return nowhere(why, PROMETHEUS_TIMEOUT_S)
    service, where = access.service or "", access.namespace or target.namespace

    def carry(path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, bytes]:
        assert cluster is not None
        try:
            body = cluster.get_through_service(
                where, service, access.port, path, query, headers=headers
            )
        except ClusterError as error:
            if not error.body:
                raise PrometheusError(str(error)) from error
            return error.status, error.body.encode()
        return HTTPStatus.OK, body

    home = folder.path if folder else Path()
    try:
        return connect(access, home, timeout_s=PROMETHEUS_TIMEOUT_S, carry=carry)
    except AccessError as error:
        raise UsageError(str(error)) from error


def unanswered(access: PrometheusAccess | None, prometheus: Prometheus) -> Iterator[str]:
    """Why Prometheus gives no answer now, as a wrong token is better known before the run."""
    if access is None:
        return
    try:
        prometheus.clock()
    except PrometheusError as error:
        yield f"what Prometheus alone measures will not be judged while this lasts: {error}"


def scope_of(access: PrometheusAccess | None, target: Target, slis: tuple[Sli, ...]) -> Scope:
    """What Prometheus is asked about the target; nothing where there is no Prometheus."""
    place = Place(
        namespace=target.namespace,
        workload=target.workload,
        kind=target.full_kind,
        pods=target.pods,
        selector=access.selector if access else "",
    )
    if access is None:
        return Scope(place=place, slis=(), scrape_interval=timedelta(seconds=1))
    return Scope(place=place, slis=slis, scrape_interval=access.scrape_interval)
