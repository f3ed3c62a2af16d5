"""What `gameday init` does: it looks at cluster, Prometheus and service, and writes files."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from chaos.cli.errors import UsageError
from chaos.cli.system import prometheus_of
from chaos.discovery import folder, har, openapi
from chaos.discovery.call import Call, of_users
from chaos.discovery.metrics import FoundMetrics, find_metrics, find_prometheus
from chaos.discovery.parts import find_parts
from chaos.discovery.probe import TIMEOUT_S, description, probe
from chaos.discovery.workload import DiscoveryError, FoundWorkload, find_workload
from chaos.kube import Cluster
from loadtests.reach import UnreachableError, reach
from slo.observe.answers import PrometheusError
from slo.system.prometheus import PrometheusAccess

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line says; see `gameday init --help`."""

    directory: Path
    namespace: str | None
    workload: str | None
    url: str | None
    prometheus: str | None
    openapi: str | None
    har: Path | None
    locustfile: Path | None
    runbook: Path | None
    writes: bool
    ca_file: Path | None = None


class Texts(dict[str, str]):
    """Files by their path in the folder; `namespace` is the system's.

    `custom` is "rollouts.argoproj.io" where the workload is a custom resource.
    """

    namespace: str = ""
    custom: str = ""


def must_exist(option: str, path: Path | None) -> None:
    if path is not None and not path.is_file():
        raise UsageError(f"{option} {path}: there is no such file")


def describe(asked: Asked, cluster: Cluster, say: Say) -> Texts:
    """Raises UsageError or ClusterError where what is needed cannot be found."""
    try:
        workload = find_workload(cluster, asked.namespace, asked.workload, url=asked.url)
    except DiscoveryError as error:
        raise UsageError(str(error)) from error
    target = workload.target
    for guess in workload.guesses:
        say(f"found: {guess}")
    if target.url is None and target.service is None:
        return _worker(asked, cluster, workload, say)
    url = target.url or cluster.service_url(target.namespace, target.service or "", target.port)
    if url.startswith("https:"):
        try:
            reach(url, verify=True, ca_file=asked.ca_file)
        except UnreachableError as error:
            raise UsageError(str(error)) from error
    access, metrics = _metrics(asked, cluster, workload, say)
    calls, all_writes = _calls(asked, url, say)
    probed = probe(url, calls, asked.ca_file)
    for why in probed.left_out:
        say(f"left out: {why}")
    if not probed.works and asked.locustfile is None:
        raise UsageError(
            f"no request to {url} works that users could make: name some with --openapi, --har or"
            " --locustfile"
        )
    parts = find_parts(cluster, target.namespace)
    for part in parts:
        say(f"found: {part['name']}, a part of kind {part['kind']}")
    found = folder.Findings(
        workload=workload,
        access=access,
        metrics=metrics,
        calls=probed.works,
        left_out=probed.left_out,
        writes=all_writes if asked.writes else (),
        times=probed.times,
        runbook=_relative(asked.runbook, asked.directory),
        locustfile=_relative(asked.locustfile, asked.directory),
        parts=parts,
        ca_file=_relative(asked.ca_file, asked.directory),
    )
    texts = Texts(folder.files(found))
    texts.namespace, texts.custom = target.namespace, workload.resource
    hidden = sorted({n for c in (*found.calls, *found.writes) for n in folder.used(c)})
    if hidden and asked.locustfile is None:
        say(
            f"hidden: secrets of {asked.har} are written nowhere; set these environment variables"
            f" before a run: {', '.join(hidden)}"
        )
    if asked.runbook is None:
        say("guessed: the thresholds in runbook.md, from what was measured now; decide them")
    say(f"guessed: what one pod's death may cost users ({workload.replicas} pods), in the plan")
    return texts


def _worker(asked: Asked, cluster: Cluster, workload: FoundWorkload, say: Say) -> Texts:
    """Of a workload that nobody sends requests to: Prometheus is all that can say how it is."""
    target = workload.target
    where = f"{target.namespace}/{target.workload}"
    access, metrics = _metrics(asked, cluster, workload, say)
    if access is None or metrics is None:
        raise UsageError(
            f"no Service leads to the pods of {where}, and there is no Prometheus to measure them"
            " by: say where users come in with --url, or where Prometheus is with --prometheus"
        )
    say(f"guessed: nobody sends requests to {where}, as no Service leads to its pods: no load")
    parts = find_parts(cluster, target.namespace)
    for part in parts:
        say(f"found: {part['name']}, a part of kind {part['kind']}")
    found = folder.Findings(
        workload=workload,
        access=access,
        metrics=metrics,
        calls=(),
        left_out=(),
        writes=(),
        times=(),
        runbook=_relative(asked.runbook, asked.directory),
        locustfile=None,
        parts=parts,
        loaded=False,
    )
    texts = Texts(folder.files(found))
    texts.namespace, texts.custom = target.namespace, workload.resource
    say("left to do: say in system.yaml what its work is measured by; pods_up is an example")
    return texts


def _metrics(
    asked: Asked, cluster: Cluster, workload: FoundWorkload, say: Say
) -> tuple[PrometheusAccess | None, FoundMetrics | None]:
    if asked.prometheus is not None:
        access: PrometheusAccess | None = PrometheusAccess(url=asked.prometheus)
    else:
        access, told = find_prometheus(cluster)
        say(f"found: {told}")
    if access is None:
        return None, None
    try:
        metrics = find_metrics(
            prometheus_of(access, None, workload.target, cluster), workload.target
        )
    except PrometheusError as error:
        say(f"left out: Prometheus, which gives no answer: {error}")
        return None, None
    for line in metrics.said:
        say(f"found: {line}")
    return access, metrics


def _calls(asked: Asked, url: str, say: Say) -> tuple[list[Call], list[Call]]:
    """Requests that read and requests that write."""
    if asked.har is not None:
        found = _understood(str(asked.har), lambda d: har.calls(d, None), _document(str(asked.har)))
        say(f"found: {len(found)} requests in {asked.har}")
    else:
        place, document = _description(asked, url)
        found = _understood(place, openapi.calls, document)
        say(
            f"found: {len(found)} operations in {place}"
            if found
            else "guessed: users ask for /, as the service describes no requests"
        )
    reads = [c for c in found if c.safe and of_users(c)]
    if not reads:
        reads = [Call(method="GET", path="/", example="/")]
    return reads, [c for c in found if not c.safe]


def _understood(
    where: str, read: Callable[[Mapping[str, Any]], list[Call]], document: Mapping[str, Any]
) -> list[Call]:
    """Raises UsageError for a document of another form than its format says."""
    try:
        return read(document)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{where}: its requests cannot be understood ({error})") from error


def _description(asked: Asked, url: str) -> tuple[str, Mapping[str, Any]]:
    if asked.openapi is not None:
        return asked.openapi, _document(asked.openapi)
    told = description(url, asked.ca_file)
    if told is None or not isinstance(told[1], dict):
        return "", {}
    return told[0], told[1]


def _document(where: str) -> Mapping[str, Any]:
    """JSON or YAML, from a file or an address. Raises UsageError."""
    try:
        if where.startswith(("http://", "https://")):
            text = httpx.get(where, timeout=TIMEOUT_S).raise_for_status().text
        else:
            text = Path(where).read_text(encoding="utf-8")
        found = json.loads(text) if text.lstrip().startswith("{") else YAML(typ="safe").load(text)
    except (OSError, httpx.HTTPError) as error:
        raise UsageError(f"{where}: {error}") from error
    except (ValueError, YAMLError) as error:
        raise UsageError(f"{where}: neither JSON nor YAML") from error
    if not isinstance(found, Mapping):
        raise UsageError(f"{where}: expected fields with values")
    return found


def _relative(path: Path | None, directory: Path) -> str | None:
    return None if path is None else os.path.relpath(path, directory)


def written(directory: Path, texts: Mapping[str, str], *, force: bool) -> list[str]:
    """The names of the files. Raises UsageError, before writing any, where one is there already."""
    there = [name for name in texts if (directory / name).exists()]
    if there and not force:
        raise UsageError(
            f"{directory} has {', '.join(there)} already: give --force, or another --dir"
        )
    for name, text in texts.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(texts)
