"""The embedded cluster as others use it: up, down, status."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import urllib3

from service import deploy
from service.cluster import addons, pki
from service.cluster.agent.cgroups import Cgroups
from service.cluster.apply import apply
from service.cluster.kube import DEPLOYMENTS, NODES, PODS, STATEFULSETS, ApiError, Json, Kube
from service.cluster.layout import (
    OCTETS,
    Layout,
    default_directory,
    read_layout,
    write_layout,
)
from service.cluster.own_files import foreign, remove
from service.cluster.packages import PACKAGES
from service.cluster.processes import ProcessId, read_records, wait_until
from service.images.neo4j.distribution import DEFAULT_SERIES
from service.images.neo4j.distribution import fetch as fetch_neo4j

END_WITHIN_S = 40.0
LISTENING = "0A"  # a TCP state, in the kernel's numbers


class EmbeddedError(Exception):
    """The cluster cannot be started or does not come up; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """`boot_s` is the time from the start until all pods were ready; 0 if it was up before."""

    kubeconfig: Path
    boot_s: float


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """`isolation` says how far the nodes can set containers apart.

    `memory_bytes` is that of all its processes, what they share counted once (PSS, proc(5)).
    """

    running: bool
    kubeconfig: Path | None = None
    server: str = ""
    nodes: int = 0
    pods_ready: int = 0
    pods: int = 0
    isolation: str = ""
    directory: Path | None = None
    memory_bytes: int = 0


def up(
    *,
    nodes: int = 1,
    deploy_service: bool = True,
    isolation: str = "",
    neo4j: str = DEFAULT_SERIES,
    images: Path | None = None,
    owner_pid: int | None = None,
    timeout_s: float = 120.0,
    directory: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> ClusterInfo:
    """Start the cluster, unless it runs, and wait until every pod is ready.

    With `owner_pid` the cluster ends when that process ends; `isolation` is one of the modes of
    service.cluster.agent.isolation instead of the strongest that works, `neo4j` the series that
    images neo4j:* run, `images` a file of further images (YAML: a pattern and a command). Raises
    EmbeddedError, PackageMissingError and Neo4jMissingError.
    """
    directory = directory or default_directory()
    _ours(directory)
    layout = _running_layout(directory)
    if layout is None and deploy_service:
        for package in PACKAGES:
            package.fetch(say)
        fetch_neo4j(neo4j, say)
    begun = time.monotonic()  # what had to be downloaded takes no time from the pods
    if layout is None:
        _sweep(directory)
        layout = _start(Layout(directory, 0, nodes, isolation, neo4j), owner_pid)
        if images is not None:
            shutil.copyfile(images, directory / "images.yaml")
        say("control plane started")
    kube = _connect(layout, timeout_s)
    apply(kube, addons.definitions())
    wait_until(lambda: bool(kube.list(NODES)["items"]), timeout_s, 0.02)  # else pods say why not
    if deploy_service:
        apply(kube, deploy.manifests("embedded"))
        say("manifests applied")
    _wait_until_ready(kube, begun + timeout_s, say)
    return ClusterInfo(layout.kubeconfig, time.monotonic() - begun)


def down(directory: Path | None = None) -> bool:
    """End the cluster and remove every trace of it. False when there was nothing to end.

    Raises EmbeddedError where the directory is not a cluster's; nothing in it is touched then.
    """
    directory = directory or default_directory()
    _ours(directory)
    records = read_records(directory / "processes.json")
    supervisor = records.pop("supervisor", None)
    there = directory.exists()
    if supervisor is not None:
        supervisor.end(END_WITHIN_S)
    _sweep(directory, records)
    return there


def _ours(directory: Path) -> None:
    if why := foreign(directory):
        raise EmbeddedError(why)


def status(directory: Path | None = None) -> ClusterStatus:
    directory = directory or default_directory()
    layout = _running_layout(directory)
    if layout is None:
        return ClusterStatus(running=False)
    kube = Kube.connect(str(layout.kubeconfig))
    try:
        pods = kube.list(PODS)["items"]
        nodes = kube.list(NODES)["items"]
    except (ApiError, urllib3.exceptions.HTTPError):
        pods, nodes = [], []
    said = [n["metadata"].get("annotations", {}).get("gameday.dev/isolation", "") for n in nodes]
    return ClusterStatus(
        running=True,
        kubeconfig=layout.kubeconfig,
        server=kube.server,
        nodes=len(nodes),
        pods_ready=sum(1 for p in pods if _is_ready(p)),
        pods=len(pods),
        isolation=said[0] if said else "",
        directory=directory,
        memory_bytes=_memory(directory),
    )


def _memory(directory: Path) -> int:
    """Of the supervisor and all that it started."""
    total = 0
    record = read_records(directory / "processes.json").get("supervisor")
    with contextlib.suppress(psutil.Error):
        supervisor = psutil.Process(record.pid if record else 0)
        for process in [supervisor, *supervisor.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):  # it has just ended
                total += process.memory_full_info().pss
    return total


def _running_layout(directory: Path) -> Layout | None:
    supervisor = read_records(directory / "processes.json").get("supervisor")
    if supervisor is None or not supervisor.alive:
        return None
    with contextlib.suppress(OSError, ValueError):
        return read_layout(directory)
    return None


def _start(wanted: Layout, owner: int | None) -> Layout:
    """As wanted, in a loopback network that is free."""
    directory = wanted.directory
    directory.mkdir(parents=True, mode=0o700)
    octet, lock = _reserve()
    layout = replace(wanted, octet=octet)
    write_layout(layout)  # first, as it marks the directory as ours
    pki.write(directory, layout.api_host, layout.api_port, [n[1] for n in layout.nodes])
    command = [sys.executable, "-P", "-m", "service.cluster.supervisor", str(directory)]
    if owner is not None:
        command.append(f"--owner={owner}")
    with (directory / "supervisor.log").open("ab") as log:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # a Ctrl-C at the terminal is for the caller alone
            pass_fds=[lock],  # held as long as the supervisor lives
            cwd="/",
        )
    os.close(lock)
    if not wait_until(lambda: _running_layout(directory) is not None, 20):
        raise EmbeddedError(f"the cluster's supervisor did not start: see {log.name}")
    return layout


def _reserve() -> tuple[int, int]:
    """A free octet, and the descriptor that holds it."""
    for octet in OCTETS:
        path = Path(tempfile.gettempdir()) / f"gameday-127.{octet}.lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:  # another user's
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_free(octet):
                return octet, descriptor
        except OSError:  # another cluster's
            pass
        os.close(descriptor)
    raise EmbeddedError("no free loopback network: too many clusters run on this machine")


def _is_free(octet: int) -> bool:
    """Does nothing else use the network, such as another user's cluster?"""
    prefix = f"{octet:02X}7F"  # addresses stand there as the numbers that the machine has for them
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    sockets = [line.split() for line in lines]
    return not any(s[3] == LISTENING and s[1][4:8] == prefix for s in sockets)


def _sweep(directory: Path, records: dict[str, ProcessId] | None = None) -> None:
    """What a killed cluster left: processes, control groups, files."""
    known = records if records is not None else read_records(directory / "processes.json")
    for record in known.values():
        record.end(END_WITHIN_S)
    with contextlib.suppress(OSError, ValueError):
        layout = read_layout(directory)
        for name, _, _ in layout.nodes:
            groups = Cgroups.find(layout.cgroup_of(name))
            if groups is not None:
                groups.sweep()
    remove(directory)


def _connect(layout: Layout, timeout_s: float) -> Kube:
    kube = Kube.connect(str(layout.kubeconfig))

    def answers() -> bool:
        try:
            kube.list(NODES)
        except (ApiError, urllib3.exceptions.HTTPError):
            return False
        return True

    if not wait_until(answers, timeout_s, 0.02):
        raise EmbeddedError(f"the API server at {kube.server} does not answer")
    return kube


def _is_ready(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _wait_until_ready(kube: Kube, deadline: float, say: Callable[[str], None]) -> None:
    told = ""
    while True:
        missing = _missing(kube)
        if not missing:
            return
        if time.monotonic() > deadline:
            raise EmbeddedError(f"not ready in time: {', '.join(missing)}; {_why(kube)}")
        text = f"waiting for {', '.join(missing)}"
        if text != told:
            say(text)
            told = text
        time.sleep(0.1)


def _why(kube: Kube) -> str:
    """What pods that are not ready say of themselves, e.g. "redis-x: CrashLoopBackOff"."""
    said = []
    for pod in kube.list(PODS)["items"]:
        status = pod.get("status") or {}
        if _is_ready(pod):
            continue
        names = ("initContainerStatuses", "containerStatuses")
        states = [s for name in names for s in status.get(name) or []]
        reasons = [s["state"].get("waiting", {}).get("reason", "") for s in states]
        ends = [s.get("lastState", {}).get("terminated", {}).get("exitCode") for s in states]
        codes = "".join(f", exit code {code}" for code in ends if code)
        reason = next(filter(None, reasons), "") or status.get("phase", "unknown")
        said.append(f"{pod['metadata']['name']}: {reason}{codes}")
    return "; ".join(said) or "there are no pods that are not ready"


def _missing(kube: Kube) -> list[str]:
    """Workloads that are not whole, e.g. "bizra-api 1/3"."""
    found = []
    if not kube.list(NODES)["items"]:
        return ["a node"]
    for resource in (DEPLOYMENTS, STATEFULSETS):
        for workload in kube.list(resource)["items"]:
            wanted = workload["spec"].get("replicas", 1)
            state = workload.get("status") or {}
            ready = state.get("readyReplicas", 0)
            if ready < wanted or state.get("observedGeneration", 0) < 1:
                found.append(f"{workload['metadata']['name']} {ready}/{wanted}")
    return found
