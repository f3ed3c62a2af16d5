"""Where procedures are carried out: the cluster, the workload, and a shell with rights there."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from chaos.cli.errors import UsageError
from chaos.kube import Cluster
from chaos.kube.operator_account import operator
from chaos.kube.system_under_test import SystemUnderTest
from chaos.prove.shell.ingress_tunnel import ingress_tunnel
from chaos.prove.shell.shell_session import ShellSession, find_programs
from chaos.prove.steps.placeholders import key

HTTPS = 443


def system_under_test(
    cluster: Cluster, namespace: str, workload: str, service: str
) -> SystemUnderTest:
    """Raises UsageError or ClusterError where there is no such thing."""
    name, port = split(service, "--service")
    cluster.namespace(namespace)
    cluster.workload(namespace, workload)
    url = cluster.service_url(namespace, name, port)
    return SystemUnderTest(cluster=cluster, namespace=namespace, workload=workload, url=url)


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
def shells(cluster: Cluster, namespace: str, home: Path, *, unconfined: bool) -> Iterator[Shells]:
    """Shells below `home` whose kubectl has the rights of an operator of the namespace."""
    programs = find_programs(kubectl())
    server = urlsplit(cluster.server)
    where = SystemUnderTest(cluster=cluster, namespace=namespace, workload="", url="")
    with (
        operator(cluster, namespace, home / "kubeconfig") as kubeconfig,
        ingress_tunnel(where) as users,
    ):

        def open_shell(folder: Path, mask: Callable[[str], str]) -> ShellSession:
            return ShellSession(
                home=folder,
                kubeconfig=kubeconfig,
                port=server.port or HTTPS,
                programs=programs,
                door=users,
                mask=mask,
                unconfined=unconfined,
            )

        yield open_shell
