"""Pods as processes: started, probed, limited, restarted, ended. Through the API alone."""

import json
import os
import pty
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from service.cluster import embedded
from service.cluster.kube import (
    CONFIGMAPS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    EVENTS,
    NODES,
    PODS,
    SECRETS,
    SERVICES,
    Json,
    Kube,
    NotFoundError,
)
from tests.parts import KUBECTL
from tests.processes import kill_container

pytestmark = pytest.mark.slow

NS = "default"
ISOLATION = "gameday.dev/isolation"
FOREVER = ["sh", "-c", "sleep 1000 & wait"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("pods") / "cluster"
    try:
        yield path
    finally:
        embedded.down(path)


@pytest.fixture(scope="module")
def kube(directory: Path) -> Kube:
    return Kube.connect(str(embedded.up(deploy_service=False, directory=directory).kubeconfig))


@pytest.fixture
def kubectl(kube: Kube, directory: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    assert kube

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(KUBECTL), "--kubeconfig", str(directory / "kubeconfig"), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def eventually(look: Callable[[], Any], within_s: float = 30) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.03)
    return found


@contextmanager
def pod(kube: Kube, name: str, command: list[str], **more: Any) -> Iterator[str]:
    """A pod of one container `c`; `more` goes to the container, `pod_spec` to the pod."""
    spec = {"terminationGracePeriodSeconds": 5, **more.pop("pod_spec", {})}
    container = {"name": "c", "image": "busybox:1", "command": command, **more}
    body = {
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [container], **spec},
    }
    kube.create(PODS, body, NS)
    try:
        yield name
    finally:
        with suppress(NotFoundError):
            kube.delete(PODS, name, NS, grace_s=0)


def status(kube: Kube, name: str) -> Json:
    found: Json = kube.get(PODS, name, NS).get("status") or {}
    return found


def container(kube: Kube, name: str) -> Json:
    """The container's status; empty before there is one."""
    statuses = status(kube, name).get("containerStatuses") or [{}]
    found: Json = statuses[0]
    return found


def is_ready(kube: Kube, name: str) -> bool:
    return bool(container(kube, name).get("ready"))


def test_a_pod_runs_with_an_address_and_files_of_its_own(kube: Kube, kubectl: Any) -> None:
    marker = f"/gameday-test-{os.getpid()}"
    with pod(kube, "own", FOREVER) as name, pod(kube, "other", FOREVER) as other:
        eventually(lambda: is_ready(kube, name) and is_ready(kube, other))
        addresses = {status(kube, n)["podIP"] for n in (name, other)}
        assert len(addresses) == 2
        assert kubectl("exec", name, "--", "touch", marker).returncode == 0
        assert kubectl("exec", name, "--", "test", "-e", marker).returncode == 0
        assert kubectl("exec", other, "--", "test", "-e", marker).returncode == 1
        assert not Path(marker).exists()


def test_each_run_begins_with_a_fresh_root_and_probes_never_touch_the_machine(
    kube: Kube, kubectl: Any
) -> None:
    marker = f"/gameday-probe-{os.getpid()}"
    probe = {"exec": {"command": ["touch", marker]}, "periodSeconds": 1}
    script = "test -e /kept && echo found; touch /kept; sleep 1; exit 1"
    with pod(kube, "fresh", ["sh", "-c", script], readinessProbe=probe) as name:
        eventually(lambda: is_ready(kube, name))
        eventually(lambda: container(kube, name).get("restartCount") == 1)
        eventually(lambda: container(kube, name)["state"].get("waiting"))
        assert "found" not in kubectl("logs", name).stdout
        assert not Path(marker).exists()


def test_environment_comes_from_values_fields_maps_and_secrets(kube: Kube, kubectl: Any) -> None:
    kube.create(CONFIGMAPS, {"metadata": {"name": "env"}, "data": {"colour": "blue"}}, NS)
    kube.create(SECRETS, {"metadata": {"name": "env"}, "stringData": {"word": "open"}}, NS)
    env = [
        {"name": "PLAIN", "value": "one"},
        {"name": "BUILT", "value": "$(PLAIN)-$$(PLAIN)-$(NONE)"},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "env", "key": "colour"}}},
        {"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "env", "key": "word"}}},
    ]
    volumes = [{"name": "v", "configMap": {"name": "env"}}]
    mounts = [{"name": "v", "mountPath": "/etc/gameday-test"}]
    with pod(
        kube, "env", FOREVER, env=env, volumeMounts=mounts, pod_spec={"volumes": volumes}
    ) as name:
        eventually(lambda: is_ready(kube, name))
        told = dict(
            line.split("=", 1) for line in kubectl("exec", name, "--", "env").stdout.splitlines()
        )
        assert told["BUILT"] == "one-$(PLAIN)-$(NONE)"
        assert told["IP"] == status(kube, name)["podIP"]
        assert (told["COLOUR"], told["WORD"]) == ("blue", "open")
        read = kubectl("exec", name, "--", "cat", "/etc/gameday-test/colour")
        assert read.stdout == "blue"


def test_exec_carries_input_output_and_exit_code(kube: Kube, kubectl: Any) -> None:
    with pod(kube, "shell", FOREVER) as name:
        eventually(lambda: is_ready(kube, name))
        done = kubectl("exec", "-i", name, "--", "sh", "-c", "cat; exit 7", stdin="hello")
        assert (done.stdout, done.returncode) == ("hello", 7)
        large = "x" * 300_000
        assert kubectl("exec", "-i", name, "--", "cat", stdin=large).stdout == large


def test_exec_gives_a_terminal(kube: Kube, directory: Path) -> None:
    with pod(kube, "tty", FOREVER) as name:
        eventually(lambda: is_ready(kube, name))
        ours, theirs = pty.openpty()
        config = str(directory / "kubeconfig")
        command = [str(KUBECTL), "--kubeconfig", config, "exec", "-it", name, "--", "tty"]
        process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
        assert process.wait(30) == 0
        os.close(theirs)
        assert b"/dev/pts/" in os.read(ours, 1000)
        os.close(ours)


def test_logs_of_this_run_and_of_the_one_before(kube: Kube, kubectl: Any) -> None:
    # Two pipes keep no order between them: the error stream speaks well before.
    script = "echo zero >&2; sleep 0.2; echo one; echo two; echo three; sleep 1; exit 3"
    command = ["sh", "-c", script]
    everything = "zero\none\ntwo\nthree\n"
    with pod(kube, "talks", command) as name:
        eventually(lambda: container(kube, name).get("restartCount") == 1)
        eventually(lambda: kubectl("logs", name).stdout == everything)
        assert kubectl("logs", name, "--tail=1").stdout == "three\n"
        assert kubectl("logs", name, "--previous").stdout == everything
        stamped = kubectl("logs", name, "--timestamps", "--tail=1").stdout
        assert stamped.split()[0].endswith("Z")
        followed = kubectl("logs", name, "-f")
        assert followed.stdout == everything


def test_a_process_that_ends_is_restarted_at_once_then_with_patience(kube: Kube) -> None:
    with pod(kube, "crash", ["sh", "-c", "exit 3"]) as name:
        first = eventually(lambda: container(kube, name).get("lastState", {}).get("terminated"))
        assert (first["exitCode"], first["reason"]) == (3, "Error")

        def backing_off() -> bool:
            waiting = container(kube, name).get("state", {}).get("waiting", {})
            return bool(waiting.get("reason") == "CrashLoopBackOff")

        eventually(backing_off)
        assert container(kube, name)["restartCount"] == 1
        assert status(kube, name)["phase"] == "Running"
        reasons = {
            e["reason"]
            for e in kube.list(EVENTS, NS, fields=f"involvedObject.name={name}")["items"]
        }
        assert {"Scheduled", "Pulled", "Created", "Started"} <= reasons


def test_a_job_like_pod_ends_as_it_should(kube: Kube) -> None:
    never = {"restartPolicy": "Never"}
    with pod(kube, "good", ["true"], pod_spec=never), pod(kube, "bad", ["false"], pod_spec=never):
        eventually(lambda: status(kube, "good").get("phase") == "Succeeded")
        eventually(lambda: status(kube, "bad").get("phase") == "Failed")


def test_sigkill_from_outside_is_137_and_a_restart_and_from_inside_nothing(
    kube: Kube, kubectl: Any
) -> None:
    with pod(kube, "victim", FOREVER) as name:
        eventually(lambda: is_ready(kube, name))
        kubectl("exec", name, "--", "sh", "-c", "kill -9 1")
        assert container(kube, name)["restartCount"] == 0
        kill_container(container(kube, name))
        eventually(lambda: container(kube, name)["restartCount"] == 1)
        ended = container(kube, name)["lastState"]["terminated"]
        assert (ended["exitCode"], ended["reason"]) == (137, "Error")
        eventually(lambda: is_ready(kube, name))


def test_the_kernel_kills_what_goes_over_its_memory_limit(kube: Kube, kubectl: Any) -> None:
    if "cgroup" not in kube.list(NODES)["items"][0]["metadata"]["annotations"][ISOLATION]:
        pytest.fail("this machine gives no memory control group: limits cannot be tested")
    hungry = ["python", "-c", "import time; time.sleep(1); x = b'x' * (200 << 20); print(len(x))"]
    limits = {"limits": {"memory": "64Mi"}}
    with pod(kube, "hungry", hungry, resources=limits) as name:
        ended = eventually(lambda: container(kube, name).get("lastState", {}).get("terminated"))
        assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")
        assert kubectl("logs", name, "--previous").stdout == ""


def test_an_image_that_is_nowhere_cannot_be_pulled(kube: Kube) -> None:
    with pod(kube, "imageless", FOREVER, image="ghcr.io/none/such:v1") as name:

        def reason() -> str:
            found: str = container(kube, name).get("state", {}).get("waiting", {}).get("reason", "")
            return found

        eventually(lambda: reason() in ("ErrImagePull", "ImagePullBackOff"))
        eventually(lambda: reason() == "ImagePullBackOff", 40)
        assert status(kube, name)["phase"] == "Pending"


def test_init_containers_run_first_and_in_order(kube: Kube, kubectl: Any) -> None:
    mounts = [{"name": "v", "mountPath": "/order"}]

    def step(name: str) -> Json:
        command = ["sh", "-c", f"sleep 0.2; echo {name} >> /order/log"]
        return {"name": name, "image": "busybox:1", "command": command, "volumeMounts": mounts}

    spec = {
        "initContainers": [step("first"), step("second")],
        "volumes": [{"name": "v", "emptyDir": {}}],
    }
    with pod(kube, "ordered", FOREVER, volumeMounts=mounts, pod_spec=spec) as name:
        eventually(lambda: is_ready(kube, name))
        read = kubectl("exec", name, "-c", "c", "--", "cat", "/order/log")
        assert read.stdout == "first\nsecond\n"


def test_readiness_decides_who_gets_traffic(kube: Kube, kubectl: Any) -> None:
    probe = {"exec": {"command": ["test", "-e", "/tmp/well"]}, "periodSeconds": 1}
    probe["failureThreshold"] = 1
    ports = [{"containerPort": 8000}]
    kube.create(
        SERVICES,
        {
            "metadata": {"name": "chosen"},
            "spec": {"selector": {"app": "chosen"}, "ports": [{"port": 80, "targetPort": 8000}]},
        },
        NS,
    )

    def ready_endpoints() -> int:
        slices = kube.list(ENDPOINT_SLICES, NS, labels="kubernetes.io/service-name=chosen")["items"]
        return sum(e["conditions"]["ready"] for s in slices for e in s.get("endpoints") or [])

    with pod(kube, "chosen", FOREVER, readinessProbe=probe, ports=ports) as name:
        eventually(lambda: container(kube, name).get("state", {}).get("running"))
        assert ready_endpoints() == 0
        kubectl("exec", name, "--", "touch", "/tmp/well")
        eventually(lambda: ready_endpoints() == 1)
        kubectl("exec", name, "--", "rm", "/tmp/well")
        eventually(lambda: ready_endpoints() == 0)


def test_liveness_restarts_what_hangs(kube: Kube) -> None:
    probe = {"exec": {"command": ["test", "!", "-e", "/tmp/hangs"]}, "periodSeconds": 1}
    probe["failureThreshold"] = 2
    command = [
        "sh",
        "-c",
        "trap 'exit 0' TERM; sleep 1; touch /tmp/hangs; while :; do sleep 0.1; done",
    ]
    with pod(kube, "hangs", command, livenessProbe=probe) as name:
        eventually(lambda: container(kube, name).get("restartCount", 0) >= 1)
        listed = kube.list(EVENTS, NS, fields=f"involvedObject.name={name}")["items"]
        assert any("failed liveness probe, will be restarted" in e["message"] for e in listed)


def test_a_pod_is_asked_to_end_before_it_is_killed(kube: Kube, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    seen.mkdir()
    volumes = [{"name": "v", "hostPath": {"path": str(seen)}}]
    mounts = [{"name": "v", "mountPath": "/seen"}]
    polite = [
        "sh",
        "-c",
        "trap 'touch /seen/asked; exit 0' TERM; touch /seen/up; while :; do sleep 0.1; done",
    ]
    spec = {"volumes": volumes, "terminationGracePeriodSeconds": 20}
    with pod(kube, "polite", polite, volumeMounts=mounts, pod_spec=spec) as name:
        eventually((seen / "up").exists)
        kube.delete(PODS, name, NS)
        eventually(lambda: _is_gone(kube, name), 15)
        assert (seen / "asked").exists()


def test_grace_0_is_at_once_and_leaves_nothing(kube: Kube, directory: Path) -> None:
    stubborn = ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]
    with pod(kube, "stubborn", stubborn, resources={"limits": {"memory": "64Mi"}}) as name:
        eventually(lambda: is_ready(kube, name))
        uid = kube.get(PODS, name, NS)["metadata"]["uid"]
        assert (directory / "pods" / "node-1" / uid).exists()
        kube.delete(PODS, name, NS, grace_s=0)
        assert _is_gone(kube, name)
        eventually(lambda: not (directory / "pods" / "node-1" / uid).exists())
        groups = list(Path("/sys/fs/cgroup").rglob(f"{uid}-*"))
        assert groups == []


def _is_gone(kube: Kube, name: str) -> bool:
    try:
        kube.get(PODS, name, NS)
    except NotFoundError:
        return True
    return False


SERVER = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["HOSTNAME"].encode())
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer((os.environ["POD_IP"], 8000), Handler).serve_forever()
"""


def test_a_service_spreads_connections_over_ready_pods_and_refuses_without_any(kube: Kube) -> None:
    import http.client

    labels = {"app": "web"}
    probe = {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 1}
    server = {"name": "c", "image": "busybox:1", "command": ["python", "-c", SERVER]}
    body = {
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    "containers": [{**server, "readinessProbe": probe}],
                },
            },
        },
    }
    kube.create(DEPLOYMENTS, body, NS)
    front = {"selector": labels, "ports": [{"port": 8080, "targetPort": 8000}]}
    made = kube.create(SERVICES, {"metadata": {"name": "web"}, "spec": front}, NS)
    address = made["spec"]["clusterIP"]

    def ask() -> str:
        connection = http.client.HTTPConnection(address, 8080, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().read().decode()
        except OSError as error:
            return type(error).__name__
        finally:
            connection.close()

    eventually(lambda: kube.get(DEPLOYMENTS, "web", NS).get("status", {}).get("readyReplicas") == 2)
    eventually(lambda: len({a for a in (ask() for _ in range(6)) if a.startswith("web-")}) == 2)
    kube.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 0}}, NS)
    eventually(lambda: ask() in ("ConnectionResetError", "ConnectionRefusedError"))
    kube.delete(DEPLOYMENTS, "web", NS)


def test_the_node_says_what_it_is(kube: Kube, kubectl: Any) -> None:
    assert kube
    node = json.loads(kubectl("get", "node", "node-1", "-o", "json").stdout)
    conditions = {c["type"]: c["status"] for c in node["status"]["conditions"]}
    assert conditions["Ready"] == "True"
    assert node["metadata"]["annotations"][ISOLATION]
