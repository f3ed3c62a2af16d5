"""One pod on this node, from its binding to its end, in a thread of its own.

The thread sleeps until something happens: the pod object changed, a process ended (by pidfd, so
at once), a probe was answered, or a time has come (a restart, the end of a grace period).
"""

import logging
import os
import queue
import selectors
import signal
import threading
import time
from typing import Any

import urllib3

from service.cluster.agent import launch
from service.cluster.agent.back_off import NEVER, Plan
from service.cluster.agent.container import Container, now
from service.cluster.agent.environment import MissingReferenceError
from service.cluster.agent.files import remove_tree
from service.cluster.agent.node_context import COMPONENT, NodeContext
from service.cluster.agent.pod_status import pod_status
from service.cluster.agent.prober import Prober, Result, Watched
from service.cluster.agent.probes import probes_of
from service.cluster.agent.waker import Waker
from service.cluster.images import UnknownImageError
from service.cluster.kube import PODS, ApiError, ConflictError, Json, NotFoundError

log = logging.getLogger(__name__)

# Why a container may not start, this time: nothing of it may end the pod's thread.
START_ERRORS = (
    UnknownImageError,
    MissingReferenceError,
    ApiError,
    urllib3.exceptions.HTTPError,
    OSError,
)

RETRY_S = 1.0  # for a volume or reference that is not there yet


class PodWorker(threading.Thread):
    """`update` and `gone` may be called from any thread."""

    def __init__(self, node: NodeContext, pod: Json) -> None:
        super().__init__(name=f"pod-{pod['metadata']['name']}", daemon=True)
        self.uid: str = pod["metadata"]["uid"]
        self._node, self._pod = node, pod
        self._gone = False
        self._shutdown = False
        self._results: queue.SimpleQueue[Result] = queue.SimpleQueue()
        self._waker = Waker()
        self._ip = node.addresses.take()
        self._directory = node.pods_directory / self.uid
        self._start_time = now()
        spec = pod["spec"]
        self._init = [self._container(c, init=True) for c in spec.get("initContainers") or []]
        self._main = [self._container(c, init=False) for c in spec["containers"]]
        self._take_over_restarts()
        self._plans = {c.name: Plan() for c in (*self._init, *self._main)}
        self._ending_at: float | None = None
        self._prepared = False
        self._prepare_at = 0.0
        self._told: Json | None = None
        self._tell_again = False
        self._prober = Prober(pod["metadata"]["name"], self._on_result)
        self.launcher = launch.Launcher(node, pod, self._ip, self._directory)

    def _container(self, spec: Json, *, init: bool) -> Container:
        directory = self._directory / "containers" / spec["name"]
        return Container(
            spec=spec, pod_uid=self.uid, directory=directory, address=self._ip, init=init
        )

    def _take_over_restarts(self) -> None:
        """A pod that ran before the agent did (its processes died with the last agent)."""
        statuses = (self._pod.get("status") or {}).get("containerStatuses") or []
        known = {s["name"]: s for s in statuses}
        for container in self._main:
            before = known.get(container.name)
            if before is None:
                continue
            container.restarts = before["restartCount"]
            container.last_state = before.get("lastState") or {}
            if running := before["state"].get("running"):
                container.last_state = {"terminated": _lost(running.get("startedAt"))}
            elif "terminated" in before["state"]:
                container.last_state = before["state"]

    # Asked from other threads

    @property
    def pod(self) -> Json:
        return self._pod

    @property
    def ip(self) -> str:
        return self._ip

    @property
    def containers(self) -> list[Container]:
        return [*self._init, *self._main]

    def update(self, pod: Json) -> None:
        self._pod = pod
        self._waker.wake()

    def gone(self) -> None:
        """The object is not in the API any more: kill at once."""
        self._gone = True
        self._waker.wake()

    def shutdown(self) -> None:
        """The agent ends: kill at once, and leave the object alone."""
        self._shutdown = True
        self._waker.wake()

    def refresh_hosts(self) -> None:
        """The names of services and pods changed."""
        if self._prepared:
            self.launcher.write_hosts()

    def _on_result(self, result: Result) -> None:
        self._results.put(result)
        self._waker.wake()

    # The thread

    def run(self) -> None:
        try:
            while not self._step():
                self._sleep()
        except Exception:
            log.exception("pod %s: the node agent failed", self.name)
        finally:
            self._clean_up()

    def _step(self) -> bool:
        """Do what is due. True when the pod is over and its object gone."""
        for container in self.containers:
            if container.reap():
                self._ended(container)
        if self._gone or self._shutdown:
            return True
        self._take_results()
        if self._pod["metadata"].get("deletionTimestamp"):
            return self._terminate()
        if not self._prepared:
            self._prepare()
        if self._prepared:
            self._advance()
        self._enforce_kills()
        self._tell()
        return self._gone

    def _prepare(self) -> None:
        if time.monotonic() < self._prepare_at:
            return
        try:
            self.launcher.prepare()
        except (MissingReferenceError, ApiError, urllib3.exceptions.HTTPError, OSError) as error:
            self._warn("FailedMount", f"MountVolume.SetUp failed: {error}")
            self._prepare_at = time.monotonic() + RETRY_S
        else:
            self._prepared = True

    def _advance(self) -> None:
        """Start what should run: init containers one after the other, then all others."""
        for container in self._init:
            if container.succeeded:
                continue
            if container.process is None and self._may_start(container):
                self._start(container)
            return
        for container in self._main:
            if container.process is None and self._may_start(container):
                self._start(container)

    def _may_start(self, container: Container) -> bool:
        if time.monotonic() < self._plans[container.name].start_at:
            return False
        if not container.ended:
            return True
        policy = self._pod["spec"].get("restartPolicy", "Always")
        if container.init:
            return bool(policy != "Never")
        return bool(policy == "Always" or (policy == "OnFailure" and not container.succeeded))

    def _start(self, container: Container) -> None:
        plan = self._plans[container.name]
        restarts = container.restarts
        if container.ended:
            container.last_state = container.state
        if container.last_state:
            container.restarts += 1
        try:
            self.launcher.start(container)
        except START_ERRORS as error:
            container.restarts = restarts
            self._not_started(container, error)
            return
        image = container.spec["image"]
        container.started_at = time.monotonic()
        plan.kill_at = NEVER
        self._note("Pulled", f'Container image "{image}" already present on machine')
        self._note("Created", f"Created container: {container.name}")
        self._note("Started", f"Started container {container.name}")
        probes = probes_of(container.spec, self._ip)
        kinds = {p.kind for p in probes}
        container.started = "startup" not in kinds
        container.ready = container.started and "readiness" not in kinds
        self._watch(container, tuple(probes))

    def _watch(self, container: Container, probes: tuple[Any, ...]) -> None:
        self._prober.watch(
            container.name,
            Watched(
                container.restarts,
                probes,
                lambda argv: self.launcher.enter(container, argv),
                container.started,
            ),
        )

    def _not_started(self, container: Container, error: Exception) -> None:
        plan = self._plans[container.name]
        if isinstance(error, UnknownImageError):
            self._not_pulled(container, str(error))
            return
        if isinstance(error, OSError) and not isinstance(error, urllib3.exceptions.HTTPError):
            reason = "CreateContainerError"
            plan.wait(time.monotonic())
        else:
            reason = "CreateContainerConfigError"
            plan.start_at = time.monotonic() + RETRY_S
        container.state = {"waiting": {"reason": reason, "message": str(error)}}
        self._warn("Failed", f"Error: {error}")

    def _not_pulled(self, container: Container, message: str) -> None:
        image = container.spec["image"]
        reason = container.state.get("waiting", {}).get("reason")
        if reason in ("ErrImagePull", "ImagePullBackOff"):
            text = f'Back-off pulling image "{image}"'
            container.state = {"waiting": {"reason": "ImagePullBackOff", "message": text}}
            self._note("BackOff", text)
        else:
            container.state = {"waiting": {"reason": "ErrImagePull", "message": message}}
            self._warn("Failed", f'Failed to pull image "{image}": {message}')
            self._warn("Failed", "Error: ErrImagePull")
        self._plans[container.name].wait(time.monotonic())

    def _ended(self, container: Container) -> None:
        """Its process is over: decide whether and when it runs again."""
        self._prober.watch(container.name, None)
        policy = self._pod["spec"].get("restartPolicy", "Always")
        again = policy == "Always" or (policy == "OnFailure" and not container.succeeded)
        if container.init:
            again = not container.succeeded and policy != "Never"
        if not again or self._pod["metadata"].get("deletionTimestamp"):
            return
        clock = time.monotonic()
        delay = self._plans[container.name].ended(clock, clock - container.started_at)
        if not delay:
            return
        container.last_state = container.state
        name = f"{container.name} pod={self.name.removeprefix('pod-')}"
        text = f"back-off {delay:.0f}s restarting failed container={name}"
        container.state = {"waiting": {"reason": "CrashLoopBackOff", "message": text}}
        self._warn("BackOff", f"Back-off restarting failed container {container.name} in pod")

    # Probes

    def _take_results(self) -> None:
        while not self._results.empty():
            result = self._results.get_nowait()
            container = next(c for c in self.containers if c.name == result.container)
            if container.process is None or container.restarts != result.run:
                continue
            kind = result.probe.kind
            if not result.answer.ok:
                self._warn("Unhealthy", f"{kind.capitalize()} probe failed: {result.answer.output}")
            if result.verdict is None:
                continue
            if kind == "readiness":
                container.ready = result.verdict
            elif not result.verdict:
                self._kill_unhealthy(container, kind)
            elif kind == "startup" and not container.started:
                container.started = True
                probes = tuple(probes_of(container.spec, self._ip))
                container.ready = not any(p.kind == "readiness" for p in probes)
                self._watch(container, probes)

    def _kill_unhealthy(self, container: Container, kind: str) -> None:
        plan = self._plans[container.name]
        if plan.kill_at != NEVER:
            return
        text = f"Container {container.name} failed {kind} probe, will be restarted"
        self._note("Killing", text)
        container.signal(signal.SIGTERM)
        grace = self._pod["spec"].get("terminationGracePeriodSeconds", 30)
        plan.kill_at = time.monotonic() + grace
        self._prober.watch(container.name, None)

    def _enforce_kills(self) -> None:
        for container in self.containers:
            if time.monotonic() >= self._plans[container.name].kill_at:
                container.signal(signal.SIGKILL)

    # The end

    def _terminate(self) -> bool:
        """SIGTERM, then SIGKILL when the grace period is over, then the object goes."""
        grace = self._pod["metadata"].get("deletionGracePeriodSeconds", 30)
        if self._ending_at is None:
            self._ending_at = time.monotonic()
            self._prober.stop()
            for container in self.containers:
                if container.process is not None:
                    self._note("Killing", f"Stopping container {container.name}")
                    container.ready = False
                    container.signal(signal.SIGTERM)
        if time.monotonic() >= self._ending_at + grace:
            for container in self.containers:
                container.signal(signal.SIGKILL)
        self._tell()
        if any(c.process is not None for c in self.containers):
            return False
        metadata = self._pod["metadata"]
        try:
            self._node.kube.delete(
                PODS, metadata["name"], metadata["namespace"], grace_s=0, uid=self.uid
            )
        except (NotFoundError, ConflictError):
            return True
        except (ApiError, urllib3.exceptions.HTTPError) as error:
            log.warning("pod %s not deleted: %s", self.name, error)
            self._tell_again = True
            return False
        return True

    def _clean_up(self) -> None:
        self._prober.stop()
        for container in self.containers:
            container.signal(signal.SIGKILL)
        for container in self.containers:
            if container.process is not None:
                container.process.wait()
            if container.group is not None:
                container.group.remove()
        remove_tree(self._directory)
        self._node.addresses.give_back(self._ip)
        self._waker.close()

    # Waiting and telling

    def _sleep(self) -> None:
        times = [p.start_at for c, p in self._waiting()] + [
            self._plans[c.name].kill_at for c in self.containers if c.process is not None
        ]
        if not self._prepared:
            times.append(self._prepare_at)
        if self._ending_at is not None:
            grace = self._pod["metadata"].get("deletionGracePeriodSeconds", 30)
            times.append(self._ending_at + grace)
        if self._tell_again:
            times.append(time.monotonic() + RETRY_S)
        due = [t for t in times if t != NEVER]
        timeout = max(0.01, min(due) - time.monotonic()) if due else None
        with selectors.DefaultSelector() as selector:
            selector.register(self._waker, selectors.EVENT_READ)
            pidfds = self._pidfds()
            for descriptor in pidfds:
                selector.register(descriptor, selectors.EVENT_READ)
            selector.select(timeout)
            for descriptor in pidfds:
                os.close(descriptor)
        self._waker.drain()

    def _waiting(self) -> list[tuple[Container, Plan]]:
        """Containers that will be started at a known time."""
        if self._ending_at is not None or not self._prepared:
            return []
        blocked = any(not c.succeeded for c in self._init)
        candidates = self._init if blocked else self._main
        pairs = [(c, self._plans[c.name]) for c in candidates if c.process is None]
        return [(c, p) for c, p in pairs if p.start_at > time.monotonic()]

    def _pidfds(self) -> list[int]:
        found = []
        for container in self.containers:
            if container.process is not None and container.process.poll() is None:
                try:
                    found.append(os.pidfd_open(container.process.pid))
                except ProcessLookupError:
                    self._waker.wake()
            elif container.process is not None:
                self._waker.wake()
        return found

    def _tell(self) -> None:
        """Patch the pod's status when it changed."""
        status = pod_status(
            self._pod,
            self._ip,
            self._node.node_ip,
            [c.status() for c in self._init],
            [c.status() for c in self._main],
            start=self._start_time,
            stamp=now(),
        )
        comparable = {**status, "conditions": _settled(status["conditions"])}
        if comparable == self._told:
            return
        metadata = self._pod["metadata"]
        body = {"metadata": {"uid": self.uid}, "status": status}
        try:
            self._pod = self._node.kube.patch(
                PODS, metadata["name"], body, metadata["namespace"], sub="status"
            )
        except (NotFoundError, ConflictError):
            self._gone = True
        except (ApiError, urllib3.exceptions.HTTPError) as error:
            log.warning("status of pod %s not written: %s", self.name, error)
            self._tell_again = True
        else:
            self._told, self._tell_again = comparable, False

    def _note(self, reason: str, text: str) -> None:
        self._node.events.normal(COMPONENT, PODS, self._pod, reason, text)

    def _warn(self, reason: str, text: str) -> None:
        self._node.events.warning(COMPONENT, PODS, self._pod, reason, text)


def _settled(conditions: list[Json]) -> list[Json]:
    """Without the times, which change nothing."""
    return [{k: v for k, v in c.items() if k != "lastTransitionTime"} for c in conditions]


def _lost(started_at: str | None) -> Json:
    """How a container ended whose end nobody saw, in the words of container runtimes."""
    end = {"exitCode": 255, "reason": "Unknown", "finishedAt": now()}
    return {**end, "startedAt": started_at or end["finishedAt"]}
