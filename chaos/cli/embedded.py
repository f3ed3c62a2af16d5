"""The embedded cluster, for as long as a command needs it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from chaos.kube import Cluster, ClusterError, Patience
from chaos.run.progress import Progress
from chaos.undo.recover import game_days
from service.cluster import embedded
from service.cluster.agent.isolation import DESCRIPTIONS, find_mode


@contextmanager
def embedded_cluster(progress: Progress) -> Iterator[str]:
    """The kubeconfig of the embedded cluster; ended afterwards if it was started for this."""
    found = embedded.status()
    was_up = found.running
    if reason := busy(found):
        progress.say(f"the embedded cluster is left as it is: {reason}")
        yield str(found.kubeconfig)
        return
    if not was_up:
        progress.say("starting the embedded cluster")
    try:
        info = embedded.up(owner_pid=None if was_up else os.getpid())
        progress.say(
            "using the embedded cluster that is up"
            if was_up
            else f"all pods ready after {info.boot_s:.1f} s"
        )
        yield str(info.kubeconfig)
    finally:
        if not was_up:
            embedded.down()


def say_what_pods_reach(progress: Progress) -> None:
    """Before steps of a runbook run: no fence of ours stands between a pod and the machine."""
    progress.say(
        "pods of the embedded cluster are processes of this machine"
        f" ({DESCRIPTIONS[find_mode()]}): what a step does with kubectl exec runs here, with the"
        " rights of whoever started the cluster"
    )


IMPATIENT = Patience(within_s=3.0, attempt_s=2.0)


def busy(found: embedded.ClusterStatus) -> str:
    """The game day that goes on there, in words: applying manifests would undo its faults."""
    if found.kubeconfig is None:
        return ""
    try:
        runs = game_days(Cluster.connect(str(found.kubeconfig), patience=IMPATIENT))
    except ClusterError:  # an API server that is not there is what `up` is asked to mend
        return ""
    return ", ".join(f"a game day runs in namespace {name} ({run})" for name, run in runs.items())
