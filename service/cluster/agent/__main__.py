"""`python -m service.cluster.agent`: be a node until SIGTERM, or until the parent dies."""

import argparse
import logging
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from service.cluster.agent.cgroups import Cgroups
from service.cluster.agent.files import remove_tree
from service.cluster.agent.isolation import DESCRIPTIONS, find_mode
from service.cluster.agent.network import NetworkPolicies
from service.cluster.agent.node import NodeObject, capacity
from service.cluster.agent.node_context import Addresses, NodeContext
from service.cluster.agent.server import AgentServer
from service.cluster.agent.token_review import TokenReviews
from service.cluster.agent.worker import PodWorker
from service.cluster.controllers.events import Recorder
from service.cluster.images import Images
from service.cluster.informer import Informer
from service.cluster.kube import PODS, SERVICES, Json, Kube
from service.cluster.policy import ENFORCED
from service.images.process import die_with_parent

PORT = 10250
END_WITHIN_S = 10.0


class Agent:
    """The pods of one node."""

    def __init__(self, context: NodeContext) -> None:
        self._context = context
        self._workers: dict[str, PodWorker] = {}
        self._lock = threading.Lock()
        self._stopping = False

    def workers(self) -> list[PodWorker]:
        with self._lock:
            return [w for w in self._workers.values() if w.is_alive()]

    def on_pod(self, kind: str, pod: Json) -> None:
        """From the informer: a pod of the cluster changed."""
        uid = pod["metadata"]["uid"]
        self._refresh_hosts()
        with self._lock:
            worker = self._workers.get(uid)
            if pod["spec"].get("nodeName") != self._context.node_name:
                return
            if kind == "DELETED":
                self._workers.pop(uid, None)
            elif worker is None and not self._stopping:
                if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
                    return
                worker = self._workers[uid] = PodWorker(self._context, pod)
                worker.start()
                return
        if worker is not None:
            if kind == "DELETED":
                worker.gone()
            else:
                worker.update(pod)

    def on_service(self, _kind: str, _service: Json) -> None:
        self._refresh_hosts()

    def _refresh_hosts(self) -> None:
        for worker in self.workers():
            worker.refresh_hosts()

    def stop(self) -> None:
        """Kill every pod of this node and wait for their ends."""
        with self._lock:
            self._stopping = True
            workers = list(self._workers.values())
        for worker in workers:
            worker.shutdown()
        for worker in workers:
            worker.join(END_WITHIN_S)


def _context(options: argparse.Namespace, kube: Kube) -> NodeContext:
    cgroups = Cgroups.find(options.cgroup)
    if cgroups is not None:
        cgroups.sweep()
    remove_tree(options.dir / "pods" / options.node_name)
    server = urlsplit(kube.server)
    recorder = Recorder(kube, lambda: datetime.now(UTC), options.node_name)
    recorder.start()
    return NodeContext(
        kube=kube,
        node_name=options.node_name,
        node_ip=options.node_ip,
        directory=options.dir,
        mode=options.isolation or find_mode(),
        cgroups=cgroups,
        images=Images(options.dir / "images.yaml"),
        addresses=Addresses(options.pod_cidr),
        services=Informer(kube, SERVICES),
        pods=Informer(kube, PODS),
        events=recorder,
        api_address=(server.hostname or "", server.port or 443),
        allocatable=capacity(options.dir),
        ca=Path(kube.ca_file or "").read_bytes() if kube.ca_file else b"",
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="service.cluster.agent")
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--node-name", required=True)
    parser.add_argument("--node-ip", required=True)
    parser.add_argument("--pod-cidr", required=True)
    parser.add_argument("--dir", type=Path, required=True, help="pods, volumes and pki are here")
    parser.add_argument("--cgroup", default="gameday", help="name of the control group")
    parser.add_argument("--isolation", choices=list(DESCRIPTIONS), help="default: what works")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    die_with_parent(signal.SIGTERM)

    kube = Kube.connect(options.kubeconfig, pool=64)
    context = _context(options, kube)
    limits = f"cgroup v{context.cgroups.version}" if context.cgroups else "no cgroups, no limits"
    policies = NetworkPolicies(context)
    isolation = f"{DESCRIPTIONS[context.mode]}; {limits}; {policies.description}"
    notes = {"gameday.dev/isolation": isolation, ENFORCED: str(policies.enforced).lower()}
    NodeObject(
        kube,
        options.node_name,
        address=options.node_ip,
        port=PORT,
        directory=options.dir,
        annotations=notes,
    ).register(ended)
    agent = Agent(context)
    server = AgentServer(agent.workers, TokenReviews(kube).allow)
    pki = options.dir / "pki"
    server.start(options.node_ip, PORT, pki / "kubelet.crt", pki / "kubelet.key")
    context.services.on_change(agent.on_service)
    context.pods.on_change(agent.on_pod)
    policies.start()
    context.services.start().synced.wait(30)
    context.pods.start()
    ended.wait()
    agent.stop()
    if context.cgroups is not None:
        context.cgroups.sweep()
    sys.exit(0)


if __name__ == "__main__":
    main()
