"""Where procedures are carried out: the cluster, the workload, and a shell with rights there."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos.cli.app import tell
from chaos.cli.errors import UsageError
from chaos.kube import Cluster
from chaos.kube.operator_account import operator
from chaos.kube.system_under_test import SystemUnderTest
from chaos.prove.shell.api_door import api_door
from chaos.prove.shell.ingress_tunnel import ingress_tunnel
from chaos.prove.shell.shell_session import ShellSession, fences, find_programs
from chaos.prove.steps.placeholders import key
from loadtests.scenario import unusable
from slo.system.folder import SystemFolder
from slo.system.model import Target
from slo.system.parts import Switches


def chosen(
    folder: SystemFolder | None,
    namespace: str | None,
    workload: str | None,
    service: str | None = None,
) -> Target:
    """The system's target with what options say instead. Raises UsageError where nobody says."""
    own = folder.system.target if folder is not None else None
    named = {"namespace": namespace, "workload": workload or (None if own else workload)}
    if own is None and (namespace is None or workload is None):
        raise UsageError(
            "there is no gameday/system.yaml here, so say where with --namespace and --workload"
        )
    told: dict[str, object] = {k: v for k, v in named.items() if v is not None}
    if service is not None:
        name, port = split(service, "--service")
        told |= {"service": name, "port": port, "url": None}
    return Target.model_validate({**(own.model_dump() if own else {}), **told})


def system_under_test(
    cluster: Cluster, where: Target, folder: SystemFolder | None
) -> SystemUnderTest:
    """With the parts that system.yaml names. Raises UsageError or ClusterError where there is no
    such thing.
    """
    cluster.namespace(where.namespace)
    cluster.workload(where.namespace, where.workload, where.full_kind)
    if where.url is None and where.service is None:
        raise UsageError("nobody says which Service users go to: give --service NAME:PORT")
    url = where.url or cluster.service_url(where.namespace, where.service or "", where.port)
    own = folder.system if folder is not None else None
    ca_file = folder.path / own.load.ca_file if folder and own and own.load.ca_file else None
    if ca_file is not None and (why := unusable(ca_file)):
        raise UsageError(why)
    return SystemUnderTest(
        cluster=cluster,
        namespace=where.namespace,
        workload=where.workload,
        kind=where.full_kind,
        container=where.container,
        url=url,
        parts=own.parts if own else (),
        data=own.data if own else (),
        switches=own.switches if own else Switches(),
        verify=own is None or own.load.verify is not False,
        ca_file=ca_file,
    )


def split(service: str, option: str) -> tuple[str, int]:
    """ "shop:80" """
    name, colon, port = service.partition(":")
    if not colon or not port.isdigit():
        raise UsageError(f'{option} is written like "shop:80", not {service!r}')
    return name, int(port)


def values(given: list[str] | None) -> dict[str, str]:
    """--set NAME=VALUE, by the placeholder's key."""
    found = {}
    for entry in given or ():
        name, equals, value = entry.partition("=")
        if not equals or not name:
            raise UsageError(f'--set is written like "pod-name=api-7x", not {entry!r}')
        found[key(name)] = value
    return found


def kubectl() -> Path:
    """Beside our own Python, else on PATH."""
    beside = Path(sys.executable).parent
    found = shutil.which("kubectl", path=f"{beside}:{os.environ.get('PATH', '')}")
    if found is None:
        raise UsageError("kubectl is missing: a runbook's steps are run with the real one")
    return Path(found)


Shells = Callable[[Path, Callable[[str], str]], ShellSession]


@contextmanager
def shells(
    cluster: Cluster,
    namespace: str,
    home: Path,
    *,
    unconfined: bool,
    say: Callable[[str], None] = tell,
) -> Iterator[Shells]:
    """Shells below `home` whose kubectl has the rights of an operator of the namespace.

    What this machine does not fence is said before anything runs.
    """
    programs = find_programs(kubectl())
    if unconfined:
        say("steps run unconfined: they can do on this machine whatever you can")
    for name, without in ({} if unconfined else fences()).items():
        if without:
            say(f"not fenced on this machine: {name}: a step {without}")
    where = SystemUnderTest(cluster=cluster, namespace=namespace, workload="", url="")
    with (
        operator(cluster, namespace) as token,
        api_door(cluster, token, home / "kubeconfig") as api,
        ingress_tunnel(where) as users,
    ):

        def open_shell(folder: Path, mask: Callable[[str], str]) -> ShellSession:
            return ShellSession(
                home=folder,
                kubeconfig=home / "kubeconfig",
                port=api.port,
                api=api,
                programs=programs,
                door=users,
                mask=mask,
                unconfined=unconfined,
            )

        yield open_shell
