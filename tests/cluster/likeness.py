"""Two clusters are asked the same questions, those on which verdicts depend; both columns printed.

    python -m tests.cluster.likeness                       # an embedded one, and $KUBECONFIG's
    python -m tests.cluster.likeness KUBECONFIG KUBECONFIG

Ends with 1 where the answers differ by more than a question allows. What may differ is said with
the question, and stands in service/cluster/README.md with what it means for a verdict.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from service.cluster import embedded
from service.cluster.kube import DEPLOYMENTS, NAMESPACES, PODS, ApiError, Json, Kube
from tests.cluster.conftest import FOREVER, PYTHON, Cluster, eventually

DEAF = ["sleep", "1000"]  # no handler for SIGTERM
SIDE_BY_SIDE = 4
Answer = str | float


@dataclass(frozen=True)
class Question:
    """`within_s` is by how many seconds two answers may lie apart; None: they have to be equal."""

    words: str
    ask: Callable[[Cluster], Answer]
    within_s: float | None = None


def _state(cluster: Cluster, name: str, kind: str = "terminated") -> Json:
    status = cluster.container(name)
    for state in (status.get("state") or {}, status.get("lastState") or {}):
        if found := state.get(kind):
            return dict(found)
    return {}


def _end(cluster: Cluster, name: str, command: list[str], **container: Any) -> str:
    """Reason and exit code of a container that runs once."""
    with cluster.pod(name, {"command": command, **container}, restartPolicy="Never"):
        found = eventually(lambda: _state(cluster, name), 120)
    return f"{found['reason']} {found['exitCode']}"


def _gone_after(cluster: Cluster, name: str, command: list[str]) -> float:
    """Seconds from the deletion with a grace period of 4 s until the pod is gone."""
    with cluster.pod(name, {"command": command}, terminationGracePeriodSeconds=4):
        eventually(lambda: cluster.is_ready(name), 120)
        begun = time.monotonic()
        cluster.kube.delete(PODS, name, cluster.namespace)
        eventually(lambda: cluster.is_gone(name))
        return round(time.monotonic() - begun, 1)


def _from_inside(cluster: Cluster, name: str, signal: str) -> str:
    """What a signal to process 1 does, sent from inside its container."""
    with cluster.pod(name, {"command": DEAF}):
        eventually(lambda: cluster.is_ready(name), 120)
        cluster.kubectl("exec", name, "--", "kill", f"-{signal}", "1")
        time.sleep(2)  # nothing is what is waited for
        state = cluster.said("exec", name, "--", "grep", "State", "/proc/1/status").split()[1]
        return f"restarts {cluster.container(name)['restartCount']}, state {state}"


def _crash(cluster: Cluster) -> list[tuple[str, str]]:
    """(what, reason) of a container that crashes, in the order in which they were seen."""
    seen: list[tuple[str, str]] = []
    with cluster.pod("crashes", {"command": ["sh", "-c", "sleep 1; exit 3"]}):
        deadline = time.monotonic() + 90
        while ("waiting", "CrashLoopBackOff") not in seen and time.monotonic() < deadline:
            for what, told in (cluster.container("crashes").get("state") or {}).items():
                if (what, told.get("reason", "")) not in seen:
                    seen.append((what, told.get("reason", "")))
            time.sleep(0.05)
    return seen


def _back_off(cluster: Cluster) -> float:
    """Seconds from the second end of a container until its third start."""
    with cluster.pod("backs-off", {"command": ["sh", "-c", "sleep 1; exit 3"]}):
        third = lambda: cluster.container("backs-off").get("restartCount") == 2  # noqa: E731
        eventually(third, 120)
        status = cluster.container("backs-off")
        last = status["lastState"].get("terminated") or status["state"]["terminated"]
        now = status["state"].get("running") or status["state"]["terminated"]
        return (_moment(now["startedAt"]) - _moment(last["finishedAt"])).total_seconds()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _waits_with(cluster: Cluster, name: str, container: Json, *wanted: str) -> str:
    """The reasons among `wanted` with which the container is seen to wait."""
    seen: list[str] = []
    with cluster.pod(name, container):
        deadline = time.monotonic() + 60
        while set(seen) < set(wanted) and time.monotonic() < deadline:
            reason = (cluster.container(name).get("state") or {}).get("waiting", {}).get("reason")
            if reason in wanted and reason not in seen:
                seen.append(reason)
            time.sleep(0.05)
    return ", ".join(sorted(seen))


def _liveness(cluster: Cluster) -> str:
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
    with cluster.pod("not-alive", {"command": DEAF, "livenessProbe": probe}):
        eventually(lambda: cluster.container("not-alive").get("restartCount"), 120)
        found = _state(cluster, "not-alive")
    return f"{found['reason']} {found['exitCode']}"


def _executed(cluster: Cluster) -> str:
    with cluster.pod("executes"):
        eventually(lambda: cluster.is_ready("executes"), 120)
        code = cluster.kubectl("exec", "executes", "--", "sh", "-c", "exit 7").returncode
        missing = cluster.kubectl("exec", "executes", "--", "no-such-program").stderr
        return f"code {code}; missing: {'executable file not found in $PATH' in missing}"


def _refused(cluster: Cluster) -> str:
    """A pod with hostPID where the namespace's level is baseline."""
    labels = {"pod-security.kubernetes.io/enforce": "baseline"}
    name = f"{cluster.namespace}-guarded"
    cluster.kube.create(NAMESPACES, {"metadata": {"name": name, "labels": labels}})
    try:
        spec = {"hostPID": True, "containers": [{"name": "c", "image": "busybox:1.36"}]}
        cluster.kube.create(PODS, {"metadata": {"name": "p"}, "spec": spec}, name)
    except ApiError as error:
        return str(error).partition("is forbidden: ")[2]
    finally:
        cluster.kube.delete(NAMESPACES, name)
    return "admitted"


SERVE = (
    "import http.server as h;"
    "h.ThreadingHTTPServer(('$(POD_IP)', 8000), h.SimpleHTTPRequestHandler).serve_forever()"
)


@contextmanager
def _deployed(cluster: Cluster, name: str, replicas: int = 3) -> Iterator[None]:
    field = {"fieldRef": {"fieldPath": "status.podIP"}}
    container = {
        "name": "c",
        "image": PYTHON,
        "command": ["python3", "-c", SERVE],
        "env": [{"name": "POD_IP", "valueFrom": field}],
        "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
    }
    spec = {"terminationGracePeriodSeconds": 1, "containers": [container]}
    labels = {"app": name}
    body = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": spec},
    }
    home = cluster.namespace
    cluster.kube.create(DEPLOYMENTS, {"metadata": {"name": name}, "spec": body}, home)
    try:
        eventually(lambda: _available(cluster, name) == replicas, 120)
        yield
    finally:
        cluster.kube.delete(DEPLOYMENTS, name, home)


def _available(cluster: Cluster, name: str) -> int:
    status = cluster.kube.get(DEPLOYMENTS, name, cluster.namespace).get("status") or {}
    return int(status.get("availableReplicas") or 0)


def _replaced(cluster: Cluster) -> float:
    """Seconds from the deletion of one of three pods until three are available again."""
    with _deployed(cluster, "replaced"):
        pods = cluster.kube.list(PODS, cluster.namespace, labels="app=replaced")["items"]
        begun = time.monotonic()
        cluster.kube.delete(PODS, pods[0]["metadata"]["name"], cluster.namespace, grace_s=0)
        eventually(lambda: _available(cluster, "replaced") < 3)
        eventually(lambda: _available(cluster, "replaced") == 3)
        return round(time.monotonic() - begun, 1)


def _fewest_in_a_rollout(cluster: Cluster) -> float:
    """Pods that are available at least, of three, while each is replaced."""
    with _deployed(cluster, "rolled"):
        cluster.said("set", "env", "deployment/rolled", "RELEASE=2")
        fewest = 3
        over = ["rollout", "status", "deployment/rolled", "--watch=false"]
        deadline = time.monotonic() + 90
        while "successfully rolled out" not in cluster.said(*over):
            fewest = min(fewest, _available(cluster, "rolled"))
            assert time.monotonic() < deadline, "the rollout does not end"
        return fewest


MISSING = {"envFrom": [{"configMapRef": {"name": "no-such"}}]}
GREEDY = {"image": PYTHON, "resources": {"limits": {"memory": "32Mi"}}}
QUESTIONS = (
    Question("a command that ends with 3", lambda c: _end(c, "ends", ["sh", "-c", "exit 3"])),
    Question("a command that ends with 0", lambda c: _end(c, "done", ["true"])),
    Question(
        "a command beyond its memory limit",
        lambda c: _end(c, "greedy", ["python3", "-c", "x = b'x' * 2**28"], **GREEDY),
    ),
    Question("a program that is not there", lambda c: _end(c, "nothing", ["no-such-program"])),
    Question("SIGKILL to process 1 from inside", lambda c: _from_inside(c, "kills", "KILL")),
    Question("SIGSTOP to process 1 from inside", lambda c: _from_inside(c, "stops", "STOP")),
    Question("SIGTERM to process 1 from inside", lambda c: _from_inside(c, "terms", "TERM")),
    Question("deleted, deaf to SIGTERM, grace 4 s", lambda c: _gone_after(c, "deaf", DEAF), 3),
    Question("deleted, obeys SIGTERM", lambda c: _gone_after(c, "obeys", FOREVER), 3),
    Question("the first crash is told as", lambda c: str(_crash(c)[-2:])),
    # A kubelet looks every 10 to 15 s whether a back-off is over.
    Question("back-off before the second restart", _back_off, 20),
    Question(
        "an image that is not there",
        lambda c: _waits_with(
            c, "no-image", {"image": "no/such:1"}, "ErrImagePull", "ImagePullBackOff"
        ),
    ),
    Question(
        "a ConfigMap that is not there",
        lambda c: _waits_with(c, "no-map", MISSING, "CreateContainerConfigError"),
    ),
    Question("a liveness probe that fails, deaf to SIGTERM", _liveness),
    Question("exec", _executed),
    Question("hostPID at level baseline", _refused),
    Question("one of three pods deleted, all available again", _replaced, 10),
    Question("fewest of three pods available in a rollout", _fewest_in_a_rollout),
)


def answers(kubeconfig: str) -> list[Answer]:
    kube, namespace = Kube.connect(kubeconfig), f"gameday-likeness-{os.getpid()}"
    kube.create(NAMESPACES, {"metadata": {"name": namespace}})
    cluster = Cluster(kubeconfig, namespace)
    try:
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            return list(pool.map(lambda q: _answer(q, cluster), QUESTIONS))
    finally:
        kube.delete(NAMESPACES, namespace)


def _answer(question: Question, cluster: Cluster) -> Answer:
    """One that cannot be answered differs from every other."""
    try:
        return question.ask(cluster)
    except Exception as error:  # noqa: BLE001 - the other questions are asked all the same
        return f"no answer ({type(error).__name__}: {error})"[:100]


def alike(question: Question, one: Answer, other: Answer) -> bool:
    if isinstance(one, float) and isinstance(other, float) and question.within_s is not None:
        return abs(one - other) <= question.within_s
    return one == other and not str(one).startswith("no answer")


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "cluster"
        try:
            given = arguments or [
                str(embedded.up(deploy_service=False, directory=directory, nodes=2).kubeconfig),
                os.environ["KUBECONFIG"],
            ]
            columns = [answers(each) for each in given]
        finally:
            embedded.down(directory)
    different = 0
    for question, one, other in zip(QUESTIONS, *columns, strict=True):
        same = alike(question, one, other)
        different += not same
        print(f"{'ok' if same else 'DIFFERS':8} {question.words}: {one} | {other}")
    print(f"{len(QUESTIONS) - different} of {len(QUESTIONS)} answers are alike")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
