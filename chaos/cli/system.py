"""Which system a command is about: its folder, and what of it a command needs."""

from datetime import timedelta
from pathlib import Path

from chaos.cli.errors import UsageError
from chaos.kube import Cluster, ClusterError
from service import gameday as reference
from slo.indicators.slis import Place, Sli
from slo.observe.phases import Scope
from slo.observe.prometheus import Fetch, Prometheus, PrometheusError, http_fetch
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


def runbook_of(given: Path | None, folder: SystemFolder | None) -> Path:
    """Raises UsageError where nobody names one: nobody's thresholds are those of another system."""
    found = given or (folder.runbook if folder else None)
    if found is None:
        where = f"{folder.file} names none" if folder else "there is no gameday/system.yaml here"
        raise UsageError(f"there is no runbook to judge by: {where}, so give one with --runbook")
    return found


def prometheus_of(access: PrometheusAccess | None, target: Target, cluster: Cluster) -> Prometheus:
    """Through the Kubernetes API where it is a Service, else by its address."""
    return Prometheus(_fetch(access, target.namespace, cluster))


def _fetch(access: PrometheusAccess | None, namespace: str, cluster: Cluster) -> Fetch:
    if access is None:
        return _nowhere
    if access.url is not None:
        return http_fetch(access.url + access.path, PROMETHEUS_TIMEOUT_S)
    service, where = access.service or "", access.namespace or namespace

    def through_cluster(path: str, query: dict[str, str]) -> bytes:
        full = access.path.rstrip("/") + path
        try:
            return cluster.get_through_service(where, service, access.port, full, query)
        except ClusterError as error:
            raise PrometheusError(str(error)) from error

    return through_cluster


def _nowhere(path: str, query: dict[str, str]) -> bytes:
    del path, query
    raise PrometheusError("neither the plan nor system.yaml names a Prometheus")


def scope_of(access: PrometheusAccess | None, target: Target, slis: tuple[Sli, ...]) -> Scope:
    """What Prometheus is asked about the target; nothing where there is no Prometheus."""
    place = Place(
        namespace=target.namespace,
        workload=target.workload,
        kind=target.kind,
        pods=target.pods,
        selector=access.selector if access else "",
    )
    if access is None:
        return Scope(place=place, slis=(), scrape_interval=timedelta(seconds=1))
    return Scope(place=place, slis=slis, scrape_interval=access.scrape_interval)
