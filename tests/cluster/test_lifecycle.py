"""How pods begin and end: hooks, grace periods, sidecars, and what events say of it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from service.cluster.kube import PODS, Json
from tests.cluster.conftest import PYTHON, Cluster, eventually

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

DIARY = {"name": "diary", "mountPath": "/diary"}


def writing(name: str, **more: Any) -> Json:
    """A container that notes in the diary when it starts and when it is asked to end."""
    script = (
        f"trap 'echo {name} asked >> /diary/log; exit 0' TERM; echo {name} up >> /diary/log;"
        " while :; do sleep 0.1; done"
    )
    return {"name": name, "command": ["sh", "-c", script], "volumeMounts": [DIARY], **more}


def note(text: str) -> Json:
    return {"exec": {"command": ["sh", "-c", f"echo {text} >> /diary/log"]}}


@contextmanager
def written(cluster: Cluster, name: str, *containers: Json, **spec: Any) -> Iterator[str]:
    volumes = [{"name": "diary", "emptyDir": {}}]
    with cluster.pod(name, *containers, volumes=volumes, **spec) as pod:
        yield pod


def diary(cluster: Cluster, name: str, container: str) -> list[str]:
    return cluster.kubectl("exec", name, "-c", container, "--", "cat", "/diary/log").stdout.split(
        "\n"
    )[:-1]


# A container that outlives the others long enough to be asked what they did.
WITNESS = {
    "name": "witness",
    "volumeMounts": [DIARY],
    "command": ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"],
}


def test_prestop_comes_before_the_signal(cluster: Cluster) -> None:
    lifecycle = {"postStart": note("begun"), "preStop": note("hook")}
    containers = (writing("c", lifecycle=lifecycle), WITNESS)
    with written(cluster, "hooked", *containers, terminationGracePeriodSeconds=10) as name:
        eventually(lambda: cluster.is_ready(name))
        eventually(lambda: set(diary(cluster, name, "witness")) == {"begun", "c up"})
        cluster.kube.delete(PODS, name, cluster.namespace)
        eventually(lambda: diary(cluster, name, "witness")[2:] == ["hook", "c asked"])
        assert "Stopping container c" in cluster.told(name, "Killing")
        eventually(lambda: cluster.is_gone(name))


def test_a_hook_of_sleep_delays_the_signal(cluster: Cluster) -> None:
    lifecycle = {"preStop": {"sleep": {"seconds": 3}}}
    with written(
        cluster, "sleepy", writing("c", lifecycle=lifecycle), terminationGracePeriodSeconds=20
    ) as name:
        eventually(lambda: cluster.is_ready(name))
        begun = time.monotonic()
        cluster.kube.delete(PODS, name, cluster.namespace)
        eventually(lambda: cluster.is_gone(name))
        assert 3 <= time.monotonic() - begun < 15


LISTENER = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open("/diary/log", "a") as file:
            file.write(self.path + "\\n")
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer((os.environ["POD_IP"], 7001), Handler).serve_forever()
"""


def test_hooks_over_http_and_hooks_that_fail(cluster: Cluster) -> None:
    get = {"preStop": {"httpGet": {"path": "/goodbye", "port": "web"}}}
    listening = {
        "name": "listening",
        "image": PYTHON,
        "command": ["python3", "-c", LISTENER],
        "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "ports": [{"containerPort": 7001, "name": "web"}],
        "readinessProbe": {"tcpSocket": {"port": "web"}, "periodSeconds": 1},
        "volumeMounts": [DIARY],
        "lifecycle": get,
    }
    bad = writing("bad", lifecycle={"preStop": {"exec": {"command": ["false"]}}})
    with written(
        cluster, "farewell", listening, bad, WITNESS, terminationGracePeriodSeconds=8
    ) as name:
        eventually(lambda: cluster.is_ready(name))
        cluster.kube.delete(PODS, name, cluster.namespace)
        eventually(lambda: {"/goodbye", "bad asked"} <= set(diary(cluster, name, "witness")))
        eventually(lambda: cluster.told(name, "FailedPreStopHook") == ["PreStopHook failed"])
        eventually(lambda: cluster.is_gone(name))


def test_a_hook_that_takes_too_long_is_cut_off(cluster: Cluster) -> None:
    slow = {"preStop": {"exec": {"command": ["sleep", "1000"]}}}
    with written(
        cluster, "endless", writing("c", lifecycle=slow), terminationGracePeriodSeconds=2
    ) as name:
        eventually(lambda: cluster.is_ready(name))
        cluster.kube.delete(PODS, name, cluster.namespace)
        eventually(lambda: cluster.is_gone(name), 20)


def test_a_failed_poststart_ends_the_container(cluster: Cluster) -> None:
    broken = writing("c", lifecycle={"postStart": {"exec": {"command": ["false"]}}})
    with written(cluster, "unborn", broken) as name:
        eventually(lambda: cluster.container(name).get("restartCount", 0) >= 1)
        assert cluster.told(name, "FailedPostStartHook") == ["PostStartHook failed"]
        assert "FailedPostStartHook" in cluster.told(name, "Killing")
        assert not cluster.is_ready(name)


def test_sidecars_begin_first_and_end_last(cluster: Cluster) -> None:
    up = {"exec": {"command": ["grep", "-q", "side up", "/diary/log"]}}
    beside = writing("side", restartPolicy="Always", startupProbe={**up, "periodSeconds": 1})
    setup = {
        "name": "setup",
        "image": "busybox:1.36",
        "command": ["sh", "-c", "echo setup >> /diary/log"],
        "volumeMounts": [DIARY],
    }
    with written(
        cluster,
        "assisted",
        writing("c"),
        initContainers=[{**beside, "image": "busybox:1.36"}, setup],
        terminationGracePeriodSeconds=8,
    ) as name:
        eventually(lambda: cluster.is_ready(name))
        eventually(lambda: diary(cluster, name, "c") == ["side up", "setup", "c up"])
        assert cluster.said("get", "pod", name, "--no-headers").split()[1:3] == ["2/2", "Running"]
        side = cluster.get(name)["status"]["initContainerStatuses"][0]
        assert (side["ready"], side["started"]) == (True, True)
        cluster.kube.delete(PODS, name, cluster.namespace)
        eventually(lambda: cluster.is_gone(name))


def test_a_job_with_a_sidecar_comes_to_its_end(cluster: Cluster) -> None:
    beside = {**writing("side", restartPolicy="Always"), "image": "busybox:1.36"}
    once = {"name": "c", "command": ["sh", "-c", "sleep 1"], "volumeMounts": [DIARY]}
    with written(cluster, "errand", once, initContainers=[beside], restartPolicy="Never") as name:
        eventually(lambda: cluster.get(name)["status"].get("phase") == "Succeeded")

        def side() -> Json:
            found: Json = cluster.get(name)["status"]["initContainerStatuses"][0]["state"]
            return found

        eventually(lambda: "terminated" in side())


def test_probes_fail_in_the_kubelets_words(cluster: Cluster) -> None:
    refused = {"httpGet": {"path": "/x", "port": 7002}, "periodSeconds": 1}
    closed = {"tcpSocket": {"port": 7003}, "periodSeconds": 1, "failureThreshold": 100}
    slow = {"exec": {"command": ["sleep", "20"]}, "periodSeconds": 1, "failureThreshold": 100}
    with cluster.pod(
        "unwell",
        {"readinessProbe": refused, "livenessProbe": closed},
        {"readinessProbe": {**slow, "timeoutSeconds": 1}},
    ) as name:
        eventually(lambda: len(cluster.told(name, "Unhealthy")) >= 3)
        address = cluster.get(name)["status"]["podIP"]
        said = cluster.told(name, "Unhealthy")
        assert (
            f'Readiness probe failed: Get "http://{address}:7002/x":'
            f" dial tcp {address}:7002: connect: connection refused" in said
        )
        assert (
            f"Liveness probe failed: dial tcp {address}:7003: connect: connection refused" in said
        )
        assert any("timed out after 1s" in text for text in said)


def test_a_probe_may_have_a_grace_period_of_its_own(cluster: Cluster) -> None:
    probe = {
        "exec": {"command": ["false"]},
        "periodSeconds": 1,
        "failureThreshold": 1,
        "terminationGracePeriodSeconds": 1,
    }
    stubborn = {"command": WITNESS["command"], "livenessProbe": probe}
    with cluster.pod("deaf", stubborn, terminationGracePeriodSeconds=3600) as name:
        eventually(lambda: cluster.container(name).get("restartCount", 0) >= 1, 30)
        ended = cluster.container(name)["lastState"]["terminated"]
        assert ended["exitCode"] == 137
        text = "Container c failed liveness probe, will be restarted"
        assert text in cluster.told(name, "Killing")


def test_a_slow_start_is_waited_for_and_then_probed(cluster: Cluster) -> None:
    starts = {"command": ["sh", "-c", "sleep 2; touch /tmp/up; while :; do sleep 0.2; done"]}
    up = {"exec": {"command": ["test", "-e", "/tmp/up"]}, "periodSeconds": 1}
    probes = {
        "startupProbe": {**up, "failureThreshold": 30},
        "livenessProbe": {**up, "failureThreshold": 1},
        "readinessProbe": up,
    }
    with cluster.pod("slow", {**starts, **probes}) as name:
        eventually(lambda: cluster.container(name).get("state", {}).get("running"))
        assert cluster.container(name)["started"] is False
        eventually(lambda: cluster.is_ready(name))
        assert cluster.container(name)["started"] is True
        assert cluster.container(name)["restartCount"] == 0


def test_a_readiness_gate_waits_for_its_condition(cluster: Cluster) -> None:
    gates = [{"conditionType": "example.com/fed"}]
    with cluster.pod("gated", readinessGates=gates) as name:

        def ready() -> Json:
            conditions = cluster.get(name)["status"].get("conditions") or []
            return next((c for c in conditions if c["type"] == "Ready"), {})

        eventually(lambda: ready().get("reason") == "ReadinessGatesNotReady")
        fed = {"type": "example.com/fed", "status": "True"}
        conditions = [*cluster.get(name)["status"]["conditions"], fed]
        body = {"status": {"conditions": conditions}}
        cluster.kube.patch(PODS, name, body, cluster.namespace, sub="status")
        eventually(lambda: ready().get("status") == "True")


def test_events_tell_the_whole_story(cluster: Cluster) -> None:
    with (
        cluster.pod("fails", {"command": ["sh", "-c", "exit 9"]}) as name,
        cluster.pod("lost", {"image": "ghcr.io/none/such:v1"}) as lost,
        cluster.pod("barred", {"image": "none/such:v1", "imagePullPolicy": "Never"}) as barred,
        cluster.pod("missing", {"envFrom": [{"configMapRef": {"name": "none"}}]}) as missing,
        cluster.pod(
            "unmounted", volumes=[{"name": "v", "secret": {"secretName": "none"}}]
        ) as unmounted,
    ):
        eventually(
            lambda: (
                cluster.container(name).get("state", {}).get("waiting", {}).get("reason")
                == "CrashLoopBackOff"
            )
        )
        uid = cluster.get(name)["metadata"]["uid"]
        pod = f"{name}_{cluster.namespace}({uid})"
        state = cluster.container(name)
        assert state["state"]["waiting"]["message"] == (
            f"back-off 10s restarting failed container=c pod={pod}"
        )
        assert state["lastState"]["terminated"]["exitCode"] == 9
        eventually(lambda: cluster.told(name, "BackOff"))
        assert cluster.told(name, "BackOff") == [
            f"Back-off restarting failed container c in pod {pod}"
        ]
        reasons = {(kind, reason) for kind, reason, _ in cluster.events(name)}
        normal = {("Normal", r) for r in ("Scheduled", "Pulled", "Created", "Started")}
        assert normal | {("Warning", "BackOff")} <= reasons

        eventually(lambda: "Error: ErrImagePull" in cluster.told(lost, "Failed"))
        assert cluster.told(lost, "Pulling") == ['Pulling image "ghcr.io/none/such:v1"']
        failed = cluster.told(lost, "Failed")
        start = 'Failed to pull image "ghcr.io/none/such:v1": '
        assert any(text.startswith(start) for text in failed)
        eventually(lambda: cluster.told(barred, "ErrImageNeverPull"))
        eventually(lambda: cluster.told(missing, "Failed"))
        assert cluster.told(missing, "Failed") == ['Error: configmap "none" not found']
        reason = cluster.container(missing)["state"]["waiting"]["reason"]
        assert reason == "CreateContainerConfigError"
        eventually(lambda: cluster.told(unmounted, "FailedMount"))
        assert cluster.told(unmounted, "FailedMount") == [
            'MountVolume.SetUp failed for volume "v" : secret "none" not found'
        ]
        described = cluster.said("describe", "pod", name)
        assert "CrashLoopBackOff" in described
        assert "kubelet" in described
