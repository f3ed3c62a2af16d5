"""What the lint is given beside the runbook: manifests, a cluster, Prometheus, local programs."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from chaos.cli.errors import UsageError
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


def lint_context(
    file: Path,
    *,
    manifests: Path | None,
    prometheus: str | None,
    context: str | None,
    kubeconfig: str | None,
    kubernetes: str | None = None,
) -> Context:
    """The runbook and all that it is checked against."""
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
        metrics=_metrics(prometheus) if prometheus else None,
        evaluator=_evaluator(),
        exists=_exists(file, manifests),
        scrape_interval_s=_scrape_interval(objects),
        versions=versions,
    )


def _versions(kubernetes: str | None, prometheus: str | None) -> Versions:
    """`prometheus` is a version or a URL."""
    of_kubernetes = version(kubernetes) if kubernetes else None
    if kubernetes and of_kubernetes is None:
        raise UsageError(f"--kubernetes: {kubernetes!r} is no version; give one such as 1.31")
    of_prometheus = version(prometheus) if prometheus else None
    if prometheus and of_prometheus is None and "://" not in prometheus:
        raise UsageError(
            f"--prometheus: {prometheus!r} is neither a URL nor a version such as 2.53 or 3.x"
        )
    return Versions(kubernetes=of_kubernetes, prometheus=of_prometheus)


def _objects(manifests: Path | None, context: str | None, kubeconfig: str | None) -> Objects | None:
    found = [read_manifests(manifests)] if manifests is not None else []
    if context is not None or kubeconfig is not None:
        found.append(inventory(Cluster.connect(kubeconfig, context)))
    return merged(found) if found else None


def _metrics(url: str) -> frozenset[str]:
    try:
        return Prometheus(url, timeout_s=PROMETHEUS_TIMEOUT_S).names()
    except PrometheusError as error:
        raise UsageError(f"--prometheus: {error}") from error


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
