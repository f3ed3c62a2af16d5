"""The embedded cluster as a whole: it comes, it goes, and whatever dies leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.cluster import embedded
from service.cluster.kube import DEPLOYMENTS, EVENTS, PODS, REPLICASETS, Kube
from service.cluster.layout import read_layout
from service.cluster.processes import ProcessId, read_records

pytestmark = pytest.mark.slow

NS = "default"


def eventually(
    look: Callable[[], bool], within_s: float = 40, say: Callable[[], str] = str
) -> None:
    """`say` is asked for what there is instead, when the time is over."""
    deadline = time.monotonic() + within_s
    while not look():
        assert time.monotonic() < deadline, f"did not come true in time\n{say()}"
        time.sleep(0.05)


def told(kube: Kube, directory: Path) -> str:
    """What the cluster says of its objects, and the ends of its parts' logs."""
    found = [
        json.dumps([o.get("spec", {}).get("replicas"), o.get("status")])
        for kind in (DEPLOYMENTS, REPLICASETS, PODS)
        for o in kube.list(kind, NS)["items"]
    ]
    events = [f"{e['reason']}: {e['message']}" for e in kube.list(EVENTS, NS)["items"]]
    logs = [f"{p.name}:\n{p.read_text()[-2000:]}" for p in (directory / "logs").iterdir()]
    return "\n".join(found + events + logs)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "cluster"
    try:
        yield path
    finally:
        embedded.down(path)


def start(directory: Path) -> Kube:
    """A cluster with two small pods, both running."""
    info = embedded.up(deploy_service=False, directory=directory)
    kube = Kube.connect(str(info.kubeconfig))
    labels = {"app": "small"}
    container = {
        "name": "c",
        "image": "busybox:1",
        "command": ["sh", "-c", "sleep 1000 & sleep 1001"],
        "resources": {"limits": {"memory": "64Mi"}},
    }
    spec = {"terminationGracePeriodSeconds": 1, "containers": [container]}
    kube.create(
        DEPLOYMENTS,
        {
            "metadata": {"name": "small"},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        },
        NS,
    )
    eventually(lambda: ready(kube) == 2)
    return kube


def ready(kube: Kube) -> int:
    pods = kube.list(PODS, NS)["items"]
    return sum(
        c["status"] == "True"
        for p in pods
        for c in (p.get("status") or {}).get("conditions", [])
        if c["type"] == "Ready"
    )


def processes_of(directory: Path) -> set[int]:
    """Parts of the cluster, shims, and what runs in its pods."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            told = (path / "cmdline").read_bytes() + (path / "cgroup").read_bytes()
        except OSError:
            continue
        pid = int(path.name)
        if pid != os.getpid() and str(directory).encode() in told:
            found.add(pid)
    return found


def groups_of(name: str) -> list[Path]:
    return [p for p in Path("/sys/fs/cgroup").rglob(f"{name}*") if p.is_dir()]


def cpu_shares(name: str) -> list[int]:
    """Of all pods together, where version 1 of control groups has them."""
    files = (p / "cpu.shares" for p in groups_of(name) if p.name.startswith(name))
    return [int(f.read_text()) for f in files if f.exists()]


def assert_nothing_is_left(directory: Path, cgroup: str) -> None:
    eventually(lambda: processes_of(directory) == set())
    assert groups_of(cgroup) == []
    assert str(directory) not in Path("/proc/mounts").read_text()
    assert not directory.exists()


def test_down_leaves_no_process_group_mount_or_file(directory: Path) -> None:
    start(directory)
    cgroup = read_layout(directory).cgroup
    assert len(processes_of(directory)) >= 7  # supervisor, four parts, two shims and more
    assert set(cpu_shares(cgroup)) <= {1024 * (os.cpu_count() or 1)}
    assert embedded.status(directory).pods_ready == 2
    assert embedded.down(directory)
    assert_nothing_is_left(directory, cgroup)
    assert not embedded.status(directory).running
    assert not embedded.down(directory)


def test_up_again_is_the_same_cluster(directory: Path) -> None:
    kube = start(directory)
    again = embedded.up(deploy_service=False, directory=directory)
    assert Kube.connect(str(again.kubeconfig)).get(DEPLOYMENTS, "small", NS) == kube.get(
        DEPLOYMENTS, "small", NS
    )


def test_when_the_supervisor_is_killed_everything_ends(directory: Path) -> None:
    start(directory)
    cgroup = read_layout(directory).cgroup
    records = read_records(directory / "processes.json")
    os.kill(records["supervisor"].pid, signal.SIGKILL)
    eventually(lambda: processes_of(directory) == set())
    assert groups_of(cgroup) == []
    embedded.down(directory)
    assert_nothing_is_left(directory, cgroup)


def test_when_everything_is_killed_at_once_down_leaves_nothing(directory: Path) -> None:
    start(directory)
    cgroup = read_layout(directory).cgroup
    for record in read_records(directory / "processes.json").values():
        record.signal(signal.SIGKILL)
    eventually(lambda: processes_of(directory) == set())
    embedded.down(directory)
    assert_nothing_is_left(directory, cgroup)


@pytest.mark.parametrize("part", ["node-1", "apiserver", "controllers", "proxy"])
def test_a_killed_part_comes_back_and_the_pods_are_whole_again(directory: Path, part: str) -> None:
    kube = start(directory)
    record = read_records(directory / "processes.json")[part]
    record.signal(signal.SIGKILL)
    eventually(lambda: not record.alive)

    def back() -> bool:
        now = read_records(directory / "processes.json").get(part)
        return now is not None and now != record and now.alive

    eventually(back)
    if part == "node-1":  # its pods died with it
        restarted = lambda: any(  # noqa: E731
            s["restartCount"] > 0
            for p in kube.list(PODS, NS)["items"]
            for s in p["status"].get("containerStatuses", [])
        )
        eventually(restarted)
    kube = Kube.connect(str(directory / "kubeconfig"))
    eventually(lambda: answers(kube) and ready(kube) == 2)
    if part != "node-1":  # whatever else dies, pods go on
        pods = kube.list(PODS, NS)["items"]
        assert all(s["restartCount"] == 0 for p in pods for s in p["status"]["containerStatuses"])
    kube.patch(DEPLOYMENTS, "small", {"spec": {"replicas": 3}}, NS)
    eventually(lambda: ready(kube) == 3, say=lambda: told(kube, directory))


def test_a_killed_node_takes_nothing_of_its_neighbours_with_it(directory: Path) -> None:
    info = embedded.up(deploy_service=False, directory=directory, nodes=2)
    kube = Kube.connect(str(info.kubeconfig))
    container = {"name": "c", "image": "busybox:1", "command": ["sleep", "1000"]}
    for node in ("node-1", "node-2"):
        spec = {"nodeName": node, "containers": [container]}
        kube.create(PODS, {"metadata": {"name": node}, "spec": spec}, NS)
    eventually(lambda: ready(kube) == 2)
    record = read_records(directory / "processes.json")["node-2"]
    record.signal(signal.SIGKILL)

    def restarts(name: str) -> int:
        statuses = kube.get(PODS, name, NS)["status"].get("containerStatuses") or [{}]
        return int(statuses[0].get("restartCount", 0))

    eventually(lambda: restarts("node-2") == 1 and ready(kube) == 2)
    assert restarts("node-1") == 0
    cgroup = read_layout(directory).cgroup
    embedded.down(directory)
    assert_nothing_is_left(directory, cgroup)


def answers(kube: Kube) -> bool:
    try:
        kube.list(PODS, NS)
    except Exception:  # noqa: BLE001 - whatever it is, it is not an answer
        return False
    return True


OWNER = """
import os, sys, time
from pathlib import Path
from service.cluster import embedded
embedded.up(deploy_service=False, directory=Path(sys.argv[1]), owner_pid=os.getpid())
print("up", flush=True)
sys.stdin.read()
"""


def test_a_cluster_ends_with_the_process_that_owns_it(directory: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "up\n"
    cgroup = read_layout(directory).cgroup
    assert processes_of(directory)
    owner.kill()
    owner.wait()
    eventually(lambda: not directory.exists())
    assert_nothing_is_left(directory, cgroup)


def test_two_clusters_live_side_by_side(directory: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    try:
        first, second = start(directory), start(other)
        assert first.server != second.server
        embedded.down(other)
        assert ready(first) == 2
    finally:
        embedded.down(other)


def test_the_whole_service_runs_without_any_isolation(directory: Path) -> None:
    """As on a machine that allows no namespaces: paths and names are rewritten instead."""
    info = embedded.up(directory=directory, isolation="none")
    status = embedded.status(directory)
    assert status.pods_ready == status.pods == 8
    assert "paths are rewritten" in status.isolation
    kube = Kube.connect(str(info.kubeconfig))
    path = "/api/v1/namespaces/bizra-system/services/{}/proxy/{}"
    health = kube.request("GET", path.format("bizra-api-internal:8000", "health"))
    assert b'"status"' in health.data

    def scraped() -> bool:
        query = {"query": "count(up == 1)"}
        where = path.format("prometheus-service:9090", "api/v1/query")
        return b'"6"' in kube.request("GET", where, query=query).data

    eventually(scraped)


def test_a_process_is_never_taken_for_another_of_the_same_number() -> None:
    own = ProcessId.of(os.getpid())
    assert own is not None
    assert own.alive
    stranger = ProcessId(own.pid, own.started - 1)
    assert not stranger.alive
    stranger.signal(signal.SIGKILL)  # and we are still here
