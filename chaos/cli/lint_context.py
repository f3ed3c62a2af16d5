"""What the lint is given beside the runbook: manifests, a cluster, Prometheus, local programs."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from chaos.cli.errors import UsageError
from chaos.cli.system import prometheus_of, system_folder
from chaos.kube import Cluster
from chaos.kube.inventory import inventory
from service.cluster.packages import PROMETHEUS
from slo.observe.answers import PrometheusError
from slo.observe.prometheus import Prometheus
from slo.observe.promtool import promtool_evaluator
from slo.runbook.durations import seconds
from slo.runbook.lint import Context
from slo.runbook.lint.evaluation import Evaluator
from slo.runbook.lint.expressions import expressions
from slo.runbook.lint.kubectl import Kubectl
from slo.runbook.lint.objects import Objects, merged, read_manifests
from slo.runbook.lint.versions import Versions, version
from slo.runbook.reader import survey_runbook

PROMETHEUS_TIMEOUT_S = 10.0
SYSTEM = "system"
"""In place of an address: the Prometheus of the system's folder."""


def lint_context(
    file: Path,
    *,
    manifests: Path | None,
    prometheus: str | None,
    context: str | None,
    kubeconfig: str | None,
    kubernetes: str | None = None,
    system: Path | None = None,
) -> Context:
    """The runbook and all that it is checked against.

    `prometheus` is an address, a version, or "system" for that of the system's folder.
    """
    versions = _versions(kubernetes, prometheus)
    if versions.prometheus is not None:
        prometheus = None
    book = survey_runbook(file)
    objects = _objects(manifests, context, kubeconfig)
    if objects is not None:
        book = replace(book, notes=(*book.notes, *objects.notes))
    return Context(
        runbook=book,
        expressions=expressions(book),
        kubectl=Kubectl.packaged(),
        objects=objects,
        metrics=_metrics(prometheus, system, kubeconfig, context) if prometheus else None,
        evaluator=_evaluator(),
        exists=_exists(file, manifests),
        scrape_interval_s=_scrape_interval(objects),
        versions=versions,
    )


def _versions(kubernetes: str | None, prometheus: str | None) -> Versions:
    """`prometheus` is a version, a URL, or "system"."""
    of_kubernetes = version(kubernetes) if kubernetes else None
    if kubernetes and of_kubernetes is None:
        raise UsageError(f"--kubernetes: {kubernetes!r} is no version; give one such as 1.31")
    of_prometheus = version(prometheus) if prometheus else None
    if prometheus and of_prometheus is None and "://" not in prometheus and prometheus != SYSTEM:
        raise UsageError(
            f"--prometheus: {prometheus!r} is no URL, not '{SYSTEM}', and no version such as 2.53"
            " or 3.x"
        )
    return Versions(kubernetes=of_kubernetes, prometheus=of_prometheus)


def _objects(manifests: Path | None, context: str | None, kubeconfig: str | None) -> Objects | None:
    found = [read_manifests(manifests)] if manifests is not None else []
    if context is not None or kubeconfig is not None:
        found.append(inventory(Cluster.connect(kubeconfig, context)))
    return merged(found) if found else None


def _metrics(
    named: str, system: Path | None, kubeconfig: str | None, context: str | None
) -> frozenset[str]:
    try:
        return _prometheus(named, system, kubeconfig, context).names()
    except PrometheusError as error:
        raise UsageError(f"--prometheus: {error}") from error


def _prometheus(
    named: str, system: Path | None, kubeconfig: str | None, context: str | None
) -> Prometheus:
    """With the credentials of system.yaml where it is the Prometheus that they are for.

    To any other address nothing is sent of them.
    """
    folder = system_folder(system, embedded=False)
    access = folder.system.prometheus if folder is not None else None
    if named == SYSTEM:
        if folder is None or access is None:
            raise UsageError(
                "--prometheus system: there is no gameday/system.yaml that names a Prometheus"
            )
    elif access is None or access.url is None or _origin(access.url) != _origin(named):
        return Prometheus(named, timeout_s=PROMETHEUS_TIMEOUT_S)
    else:
        own = urlsplit(access.url).path.rstrip("/") + access.path.rstrip("/")
        if urlsplit(named).path.rstrip("/") not in ("", own):  # it names another path of its own
            access = access.model_copy(update={"url": named, "path": ""})
    assert folder is not None
    cluster = Cluster.connect(kubeconfig, context) if access.service is not None else None
    return prometheus_of(access, folder, folder.system.target, cluster)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """What has to be the same for a credential to be sent: scheme, host and port."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # no address at all: Prometheus() says so
        return "", url, None
    return parts.scheme, parts.hostname, port or {"http": 80, "https": 443}.get(parts.scheme)


def _evaluator() -> Evaluator | None:
    """promtool, from the path or from beside the Prometheus that we have."""
    beside = PROMETHEUS.find()
    places = [shutil.which("promtool"), beside.with_name("promtool") if beside else None]
    binary = next((Path(p) for p in places if p and Path(p).exists()), None)
    return promtool_evaluator(binary) if binary else None


def _exists(file: Path, manifests: Path | None) -> Callable[[str], bool]:
    """Relative to the runbook, to any directory above it in its repository, or to the manifests."""
    folder = file.absolute().parent
    roots = [folder]
    above = [folder, *folder.parents]
    top = next((i for i, p in enumerate(above) if (p / ".git").exists()), 0)
    roots += above[1 : top + 1]
    if manifests is not None:
        roots += [manifests, manifests.absolute().parent]

    def exists(path: str) -> bool:
        return any((root / path).exists() for root in roots)

    return exists


def _scrape_interval(objects: Objects | None) -> float | None:
    """The shortest that the manifests state."""
    text = objects.text if objects else ""
    found = [seconds(m) for m in re.findall(r"\bscrape_interval:\s*[\"']?(\w+)", text)]
    return min((s for s in found if s), default=None)
