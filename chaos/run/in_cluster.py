"""A game day that runs in the cluster: a Job of our image, followed from wherever one sits.

    job = ClusterRun(cluster, "shop", plan.watchdog, say=print)
    with job.started(bundle, ["run", "gameday/plans/smoke.yaml"]):
        code = job.follow(print)
        run_dir = job.fetch(Path("runs"))

The pod unpacks the bundle, runs the command, and keeps what the command wrote until it was fetched.
"""

import base64
import binascii
import contextlib
import io
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from chaos.kube import Cluster, ClusterError, Json, Ref, kind_of
from chaos.plan.model import PlanWatchdog
from chaos.run.interrupt import InterruptedRunError
from chaos.run.jobs import BUNDLE, KEEPER, RUNNER, RUNS, run_job

LOOK_EVERY_S = 1.0
FETCH_WITHIN_S = 300.0
MOST_BYTES = 1 << 20
"""What fits into a ConfigMap. https://kubernetes.io/docs/concepts/configuration/configmap/"""

_READ = f"""
import base64, io, os, sys, tarfile
if os.path.isdir({RUNS!r}):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name in sorted(os.listdir({RUNS!r})):
            if not os.path.islink(os.path.join({RUNS!r}, name)):
                tar.add(os.path.join({RUNS!r}, name), arcname=name)
    sys.stdout.write(base64.b64encode(out.getvalue()).decode())
"""
_SIGNAL = "import os; os.kill(1, {number})"


class InClusterError(Exception):
    """The game day in the cluster cannot begin, or cannot be followed; one sentence."""


class ClusterRun:
    """One such Job. Raises InClusterError and chaos.kube.ClusterError throughout."""

    def __init__(
        self, cluster: Cluster, namespace: str, image: PlanWatchdog, say: Callable[[str], None]
    ) -> None:
        self._cluster, self._namespace, self._image, self._say = cluster, namespace, image, say
        self.name = f"gameday-run-{token_hex(4)}"
        self._pod = ""
        self._seen = ""  # the time of the last line of its log

    @contextmanager
    def started(
        self,
        bundle: bytes,
        arguments: Sequence[str],
        *,
        directory: str = ".",
        secrets: Sequence[str] = (),
    ) -> Iterator[None]:
        """The Job and its files, until the context ends.

        The command begins in `directory` of the bundle. `secrets` are names of Secrets, whose keys
        it gets as environment variables.
        """
        if len(bundle) > MOST_BYTES - (1 << 14):
            raise InClusterError(
                f"what the run needs has {len(bundle) / 2**20:.1f} MiB, and a ConfigMap holds one:"
                " leave files that the run does not need out of the system's folder"
            )
        files = Ref.of("ConfigMap", self._namespace, self.name)
        job = run_job(
            self._namespace,
            self.name,
            self._image,
            arguments,
            directory=directory,
            secrets=secrets,
        )
        try:
            self._cluster.create(
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": self.name, "namespace": self._namespace},
                    "binaryData": {BUNDLE: base64.b64encode(bundle).decode()},
                }
            )
            self._cluster.create(job)
            yield
        finally:
            self._cluster.delete(Ref.of("Job", self._namespace, self.name))
            self._cluster.delete(files)

    def follow(self, show: Callable[[str], None]) -> int:
        """Its log, line by line, until the command ends; its exit code.

        A signal is passed on, and the command undoes what it did before it ends.
        """
        passed_on: InterruptedRunError | None = None
        while True:
            try:
                self._await_start()
                while (code := self._look(show)) is None:
                    time.sleep(LOOK_EVERY_S)
            except InterruptedRunError as error:  # at most once: the signals after it are ignored
                passed_on = error
                if not self._pod:
                    raise
                self._say("asked the run in the cluster to end and to undo what it did")
                self._ask(RUNNER, _SIGNAL.format(number=error.number))
                continue
            if code == 0 and passed_on is not None:
                return passed_on.exit_code
            return code

    def fetch(self, runs: Path) -> Path | None:
        """The run directory that it wrote, below `runs`; None where it wrote none."""
        text = self._ask(KEEPER, _READ)
        if not text:
            return None
        try:
            packed = io.BytesIO(base64.b64decode(text, validate=True))
            with tarfile.open(fileobj=packed) as tar:
                names = {Path(member.name).parts[0] for member in tar if member.name}
                tar.extractall(runs, filter="data")
        except (binascii.Error, tarfile.TarError, OSError) as error:
            raise InClusterError(
                f"the run directory cannot be fetched: {error}; it stays in the pod"
                f" {self._namespace}/{self._pod}"
            ) from error
        return runs / min(names) if names else None

    def _await_start(self) -> None:
        deadline = time.monotonic() + self._image.starts_within.total_seconds()
        why = "its pod does not appear"
        while not self._pod:
            for pod in self._pods():
                why = _waits_for(pod) or "it has not begun"
                if _state(pod, RUNNER).keys() & {"running", "terminated"}:
                    self._pod = str(pod["metadata"]["name"])
                    self._say(f"running in pod {self._namespace}/{self._pod}")
                    return
            if time.monotonic() > deadline:
                raise InClusterError(
                    f"the run does not start in namespace {self._namespace} ({why}): its"
                    f" ServiceAccount comes from: gameday rbac {self._namespace} | kubectl apply -f"
                    f" - and its image {self._image.image} is the plan's watchdog.image, to be"
                    " pushed where the nodes can pull it (docs/on-your-cluster.md)"
                )
            time.sleep(LOOK_EVERY_S / 4)

    def _look(self, show: Callable[[str], None]) -> int | None:
        """New lines are shown; the exit code once it has ended."""
        pod = self._cluster.find(Ref.of("Pod", self._namespace, self._pod))
        if pod is None:
            raise InClusterError(
                f"pod {self._namespace}/{self._pod} is gone, and the run with it; the watchdog of"
                " the namespace undoes its faults: look with gameday recover"
            )
        ended = _state(pod, RUNNER).get("terminated")
        with contextlib.suppress(ClusterError):  # the next look reads on from the same line
            for moment, line in self._cluster.log_since(
                Ref.of("Pod", self._namespace, self._pod), RUNNER, self._seen
            ):
                self._seen = moment
                show(line)
        return None if ended is None else int(ended["exitCode"])

    def _ask(self, container: str, script: str) -> str:
        command = ["python3", "-ISc", script]
        found = self._cluster.execute(
            self._pod, self._namespace, container, command, within_s=FETCH_WITHIN_S
        )
        return found.text.strip()

    def _pods(self) -> Sequence[Json]:
        chosen = f"job-name={self.name}"
        return self._cluster.objects(kind_of("Pod"), self._namespace, labels=chosen)


def _statuses(pod: Json) -> Iterator[Json]:
    status = pod.get("status") or {}
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def _state(pod: Json, container: str) -> Json:
    found = (s for s in _statuses(pod) if s["name"] == container)
    return next((s.get("state") or {} for s in found), {})


def _waits_for(pod: Json) -> str:
    """Why it has not begun, in Kubernetes' words."""
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] != "True":
            return str(condition.get("message") or condition.get("reason") or "")
    for status in _statuses(pod):
        waiting = (status.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            return str(waiting["reason"])
    return ""
