"""Small sleeping workloads on an embedded cluster, to be broken."""

import time
from collections.abc import Callable
from typing import Any

from chaos.kube import Cluster, ClusterError, Json, Ref, kind_of

NS = "shop"


def eventually(look: Callable[[], Any], within_s: float = 60) -> Any:
    """What `look` returns once it is true."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.05)
    return found


def workload(kind: str, name: str, replicas: int = 1) -> Json:
    """Pods that sleep, start fast and end at once."""
    labels = {"app": name}
    container = {
        "name": "main",
        "image": "busybox:1",
        "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait"],
        "resources": {"limits": {"memory": "64Mi"}},
    }
    template = {
        "metadata": {"labels": labels},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
    }
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": NS, "labels": labels},
        "spec": spec,
    }


SPEAKER = """
import http.server, os
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["MOOD"].encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer((os.environ["POD_IP"], 8000), Answer).serve_forever()
"""
READER = """
grep -q well /data/index || { echo 'cannot read /data/index' >&2; exit 3; }
trap 'exit 0' TERM; while :; do sleep 0.2; done
"""


def speaker() -> Json:
    """A Deployment whose pods answer HTTP with what their environment says."""
    found = workload("Deployment", "speaker", 2)
    (container,) = found["spec"]["template"]["spec"]["containers"]
    field = {"fieldRef": {"fieldPath": "status.podIP"}}
    container |= {
        "image": "python:3-slim",
        "command": ["python3", "-c", SPEAKER.strip()],
        "env": [{"name": "POD_IP", "valueFrom": field}, {"name": "MOOD", "value": "well"}],
        "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
    }
    return found


def cache() -> Json:
    """A Deployment of one Redis server."""
    found = workload("Deployment", "cache")
    (container,) = found["spec"]["template"]["spec"]["containers"]
    del container["command"]
    container |= {
        "image": "redis:7",
        "readinessProbe": {"tcpSocket": {"port": 6379}, "periodSeconds": 1},
        "resources": {"limits": {"memory": "256Mi"}},
    }
    return found


def reader() -> Json:
    """A Deployment whose pods do not start without a good file on their volume."""
    found = workload("Deployment", "reader", 2)
    pod = found["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounts = [{"name": "data", "mountPath": "/data"}]
    container |= {"command": ["sh", "-c", READER.strip()], "volumeMounts": mounts}
    write = ["sh", "-c", "test -e /data/index || echo well >/data/index"]
    init = {"name": "write", "image": "busybox:1", "command": write, "volumeMounts": mounts}
    claim = {"persistentVolumeClaim": {"claimName": "index"}}
    pod |= {"initContainers": [init], "volumes": [{"name": "data", **claim}]}
    return found


def claim(name: str) -> Json:
    spec = {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": "1Mi"}},
    }
    metadata = {"name": name, "namespace": NS}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def service(name: str, port: int) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NS},
        "spec": {"selector": {"app": name}, "ports": [{"port": port}]},
    }


def make(cluster: Cluster, *objects: Json) -> None:
    for obj in objects:
        try:
            cluster.create(obj)
        except ClusterError as error:
            if error.status != 409:  # there already
                raise


def namespace(name: str = NS) -> Json:
    labels = {"gameday.dev/allowed": "true"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def whole(cluster: Cluster, kind: str, name: str) -> bool:
    found = cluster.workload(NS, name, kind)
    pods = cluster.pods(NS, found.selector)
    return found.whole and sum(p.ready and not p.ending for p in pods) == found.desired == len(pods)


def shop() -> list[Json]:
    """Everything that the examples of faults need, in the order of making it."""
    return [
        namespace(),
        claim("index"),
        service("cache", 6379),
        service("speaker", 8000),
        workload("Deployment", "web", 3),
        workload("StatefulSet", "store"),
        cache(),
        reader(),
        speaker(),
    ]


IGNORED = ("deployment.kubernetes.io/revision",)  # a rollout and its undoing are two revisions


def state(cluster: Cluster, namespace: str = NS, kinds: tuple[str, ...] = ()) -> dict[str, Json]:
    """Spec, data, labels and annotations of what people own in a namespace, by name."""
    found = {}
    for kind in kinds or (
        "Deployment",
        "StatefulSet",
        "Secret",
        "ConfigMap",
        "Service",
        "NetworkPolicy",
    ):
        for obj in cluster.objects(kind_of(kind), namespace):
            metadata = obj["metadata"]
            notes = metadata.get("annotations") or {}
            found[str(Ref.to(obj))] = {
                "labels": metadata.get("labels") or {},
                "annotations": {k: v for k, v in notes.items() if k not in IGNORED},
                **{k: v for k, v in obj.items() if k not in ("metadata", "status")},
            }
    return found
