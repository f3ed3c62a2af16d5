"""`python -m service.cluster.controllers --kubeconfig FILE`: all controllers in one process."""

import argparse
import ctypes
import logging
import os
import signal
import sys
import threading
import time

import urllib3

from service.cluster.controllers.autoscaling.autoscaler import Autoscalers
from service.cluster.controllers.autoscaling.vertical import VerticalAutoscalers
from service.cluster.controllers.certificates import Certificates
from service.cluster.controllers.claims import Claims
from service.cluster.controllers.cronjob import CronJobs
from service.cluster.controllers.daemonset import DaemonSets
from service.cluster.controllers.deployment import Deployments
from service.cluster.controllers.disruption import DisruptionBudgets
from service.cluster.controllers.endpoints import Endpoints
from service.cluster.controllers.garbage import Garbage
from service.cluster.controllers.job import Jobs
from service.cluster.controllers.loadbalancer import LoadBalancers
from service.cluster.controllers.namespaces import Namespaces
from service.cluster.controllers.nodes import Nodes
from service.cluster.controllers.replicaset import ReplicaSets
from service.cluster.controllers.runtime import Cluster, Controller
from service.cluster.controllers.scheduler import Scheduler
from service.cluster.controllers.statefulset import StatefulSets
from service.cluster.kube import ApiError, Kube

log = logging.getLogger("controllers")

CONTROLLERS: tuple[type[Controller], ...] = (
    Namespaces,
    Scheduler,
    ReplicaSets,
    Deployments,
    StatefulSets,
    DaemonSets,
    Endpoints,
    LoadBalancers,
    Claims,
    Certificates,
    Jobs,
    CronJobs,
    DisruptionBudgets,
    Autoscalers,
    VerticalAutoscalers,
    Nodes,
    Garbage,
)
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PATIENCE_S = 10.0  # with an API server that starts at the same time


def die_with_parent() -> None:
    """The kernel sends SIGTERM when the parent ends, however it ends. Linux only."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before the request
        sys.exit(143)


def run(kube: Kube, stop: threading.Event) -> None:
    """Run every controller until `stop` is set."""
    cluster = Cluster(kube)
    controllers = [kind(cluster) for kind in CONTROLLERS]
    cluster.start()
    for controller in controllers:
        controller.start()
    log.info("%d controllers run", len(controllers))
    stop.wait()
    for controller in controllers:
        controller.stop()
    cluster.stop()


def _await_server(kube: Kube) -> None:
    end = time.monotonic() + _PATIENCE_S
    while True:
        try:
            _ = kube.request("GET", "/version", timeout=5).data
        except (ApiError, urllib3.exceptions.HTTPError) as error:
            if time.monotonic() > end:
                sys.exit(f"The API server does not answer: {error}")
            time.sleep(0.05)
        else:
            return


def main() -> None:
    parser = argparse.ArgumentParser(prog="controllers", description=__doc__)
    parser.add_argument("--kubeconfig", required=True, help="file that names the API server")
    parser.add_argument("--log-level", default="INFO")
    options = parser.parse_args()
    logging.basicConfig(
        level=options.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    die_with_parent()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    kube = Kube.connect(options.kubeconfig, pool=64)
    _await_server(kube)
    run(kube, stop)


if __name__ == "__main__":
    main()
