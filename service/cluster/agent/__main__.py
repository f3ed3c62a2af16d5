"""`python -m service.cluster.agent`: be a node until SIGTERM, or until the parent dies."""

import argparse
import logging
import os
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import trustme

from service.cluster.agent.access import Access
from service.cluster.agent.cgroups import Cgroups
from service.cluster.agent.files import remove_tree
from service.cluster.agent.isolation import DESCRIPTIONS, find_mode
from service.cluster.agent.network import NetworkPolicies
from service.cluster.agent.node import NodeObject, capacity
from service.cluster.agent.node_context import Addresses, NodeContext
from service.cluster.agent.server import AgentServer
from service.cluster.agent.worker import PodWorker
from service.cluster.controllers.events import Recorder
from service.cluster.images import Images
from service.cluster.informer import Informer
from service.cluster.kube import PODS, SERVICES, Json, Kube
from service.cluster.policy import ENFORCED
from service.images.neo4j.distribution import DEFAULT_SERIES, SERIES
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
        """From the informer: a pod of this node changed."""
        uid = pod["metadata"]["uid"]
        with self._lock:
            worker = self._workers.get(uid)
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

    def on_name(self, _kind: str, _obj: Json) -> None:
        """A service or a pod of the cluster changed: names may have."""
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
        images=Images(options.dir / "images.yaml", neo4j=options.neo4j),
        addresses=Addresses(options.pod_cidr),
        services=Informer(kube, SERVICES),
        pods=Informer(kube, PODS),
        events=recorder,
        api_address=(server.hostname or "", server.port or 443),
        allocatable=capacity(options.dir),
        ca=Path(kube.ca_file or "").read_bytes() if kube.ca_file else b"",
    )


def _taint(text: str) -> Json:
    pair, _, effect = text.rpartition(":")
    key, _, value = pair.partition("=")
    return {"key": key, "value": value, "effect": effect}


def _serving_keys(options: argparse.Namespace) -> tuple[Path, Path]:
    """(certificate, key); the node's own authority signs where nobody gave any."""
    pki = options.dir / "pki"
    certificate, key = pki / "kubelet.crt", pki / "kubelet.key"
    if not certificate.exists():
        pki.mkdir(parents=True, exist_ok=True, mode=0o700)
        issued = trustme.CA().issue_cert(options.node_ip, options.node_name)
        issued.private_key_pem.write_to_path(str(key))
        for number, blob in enumerate(issued.cert_chain_pems):
            blob.write_to_path(str(certificate), append=number > 0)
        key.chmod(0o600)
    return certificate, key


def main() -> None:
    parser = argparse.ArgumentParser(prog="service.cluster.agent")
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--node-name", required=True)
    parser.add_argument("--node-ip", required=True)
    parser.add_argument("--pod-cidr", required=True)
    parser.add_argument("--dir", type=Path, required=True, help="pods, volumes and pki are here")
    parser.add_argument("--cgroup", default="gameday", help="name of the control group")
    parser.add_argument("--client-ca", type=Path, help="whose certificates callers may show")
    parser.add_argument(
        "--taint", action="append", default=[], help="KEY=VALUE:EFFECT to register the node with"
    )
    parser.add_argument("--isolation", choices=list(DESCRIPTIONS), help="default: what works")
    parser.add_argument("--neo4j", choices=SERIES, default=DEFAULT_SERIES)
    parser.add_argument(
        "--housekeeping-interval",
        type=float,
        default=os.environ.get("GAMEDAY_HOUSEKEEPING_INTERVAL", "0"),
        metavar="SECONDS",
        help="how far apart cAdvisor's own samples are, 15 as in a kubelet (0: at each scrape)",
    )
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
        taints=[_taint(text) for text in options.taint],
    ).register(ended)
    agent = Agent(context)
    access = Access(kube, options.node_name)
    server = AgentServer(agent.workers, access.allow, options.housekeeping_interval)
    server.start(options.node_ip, PORT, *_serving_keys(options), options.client_ca)
    context.services.on_change(agent.on_name)
    context.pods.on_change(agent.on_name)
    policies.start()
    context.services.start().synced.wait(30)
    context.pods.start()
    # All that a node may be sure to see are its own pods.
    own = Informer(kube, PODS, fields=f"spec.nodeName={options.node_name}")
    own.on_change(agent.on_pod)
    own.start()
    ended.wait()
    agent.stop()
    if context.cgroups is not None:
        context.cgroups.sweep()
    sys.exit(0)


if __name__ == "__main__":
    main()
