"""One pod on this node, from its binding to its end, in a thread of its own.

The thread sleeps until something happens: the pod object changed, a process ended (by pidfd, so
at once), a probe was answered, or a time has come (a restart, the end of a grace period).
"""

import logging
import math
import os
import queue
import selectors
import signal
import threading
import time

import urllib3

from service.cluster.agent import launch
from service.cluster.agent.back_off import NEVER, Plan, duration
from service.cluster.agent.container import Container, now
from service.cluster.agent.ending import Endings
from service.cluster.agent.environment import MissingReferenceError
from service.cluster.agent.files import remove_tree
from service.cluster.agent.hooks import Hook
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

PREPARE_ERRORS = (MissingReferenceError, ApiError, urllib3.exceptions.HTTPError, OSError)

REFRESH_S = 60.0  # as often as the kubelet syncs
TOLD_S = 1.0  # so long a container's end is told before its back-off is
RETRY_S = 1.0  # for a volume or reference that is not there yet
RETRY_NEVER_S = 10.0  # for an image that may not be pulled


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
        self._start_time = (pod.get("status") or {}).get("startTime") or now()
        spec = pod["spec"]
        self._init = [self._container(c, init=True) for c in spec.get("initContainers") or []]
        self._main = [self._container(c, init=False) for c in spec["containers"]]
        self._take_over_restarts()
        self._plans = {c.name: Plan() for c in (*self._init, *self._main)}
        self._crashed: dict[str, tuple[float, float]] = {}  # when to tell of which back-off
        self._starting: dict[str, Hook] = {}  # postStart hooks that run
        self._endings = Endings(self._hook, self._warn)
        self._ending_at: float | None = None
        self._prepared = False
        self._prepare_at = self._refresh_at = 0.0
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
        if _version(pod) < _version(self._pod):  # what our own change was answered with is newer
            return
        if pod["metadata"].get("annotations") != self._pod["metadata"].get("annotations"):
            self._refresh_at = 0.0  # the kubelet syncs a pod that somebody changed
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
        self._take_started()
        for container in self.containers:
            self._back_off(container)
        if self._prepared:
            self._refresh()
            self._advance()
        self._endings.advance(time.monotonic())
        self._tell()
        return self._gone

    def _prepare(self) -> None:
        if time.monotonic() < self._prepare_at:
            return
        try:
            self.launcher.prepare()
        except PREPARE_ERRORS as error:
            self._warn("FailedMount", str(error))
            self._prepare_at = time.monotonic() + RETRY_S
        else:
            self._prepared = True
            self._refresh_at = time.monotonic() + REFRESH_S

    def _refresh(self) -> None:
        """ConfigMaps and Secrets that changed, tokens that would expire."""
        if time.monotonic() < self._refresh_at:
            return
        self._refresh_at = time.monotonic() + REFRESH_S
        try:
            self.launcher.refresh()
        except PREPARE_ERRORS as error:  # what is there stays until the next time
            log.warning("pod %s: volumes not refreshed: %s", self.name, error)

    def _advance(self) -> None:
        """Start what should run: init containers one after the other, then all others."""
        if self._over:
            for container in self._init:
                self._end(container, self._grace, f"Stopping container {container.name}")
            return
        for container in self._init:
            if container.succeeded and not container.sidecar:
                continue
            if container.process is None and self._may_start(container):
                self._start(container)
            if not (container.sidecar and container.started):
                return
        for container in self._main:
            if container.process is None and self._may_start(container):
                self._start(container)
            if container.name in self._starting:
                return

    @property
    def _over(self) -> bool:
        """Have all containers ended that are not to go on beside the others?"""
        return all(c.ended and not self._again(c) for c in self._main)

    @property
    def _grace(self) -> float:
        found: float = self._pod["spec"].get("terminationGracePeriodSeconds", 30)
        return found

    def _again(self, container: Container) -> bool:
        """Is it started again now that it has ended?"""
        policy = self._pod["spec"].get("restartPolicy", "Always")
        if container.init and not container.sidecar:
            return bool(policy != "Never" and not container.succeeded)
        if container.sidecar or policy == "Always":
            return True
        return bool(policy == "OnFailure" and not container.succeeded)

    def _may_start(self, container: Container) -> bool:
        if time.monotonic() < self._plans[container.name].start_at:
            return False
        return not container.ended or self._again(container)

    def _start(self, container: Container) -> None:
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
        if container.spec.get("imagePullPolicy") == "Always":
            self._note("Pulling", f'Pulling image "{image}"', container)
            text = f'Successfully pulled image "{image}" in 0s (0s including waiting).'
            self._note("Pulled", text, container)
        else:
            text = f'Container image "{image}" already present on machine'
            self._note("Pulled", text, container)
        self._note("Created", f"Created container: {container.name}", container)
        self._note("Started", f"Started container {container.name}", container)
        hook = self._hook(container, "postStart")
        if hook is None:
            self._settle(container)
        else:
            self._starting[container.name] = hook
            hook.start()

    def _hook(self, container: Container, kind: str) -> Hook | None:
        handler = (container.spec.get("lifecycle") or {}).get(kind)
        if not handler:
            return None
        enter = lambda argv: self.launcher.enter(container, argv)  # noqa: E731
        return Hook(handler, container.spec, self._ip, enter, self._waker.wake)

    def _take_started(self) -> None:
        """Containers whose postStart hook is over: probed from now on, or ended."""
        for name, hook in list(self._starting.items()):
            if hook.finished:
                del self._starting[name]
                container = next(c for c in self.containers if c.name == name)
                if container.process is None:
                    continue
                if hook.failed:
                    self._warn("FailedPostStartHook", "PostStartHook failed", container)
                    self._end(container, self._grace, "FailedPostStartHook")
                else:
                    self._settle(container)

    def _settle(self, container: Container) -> None:
        """It runs: probe it. Without probes it is started, and ready, at once."""
        container.started = not container.spec.get("startupProbe")
        container.ready = container.started and not container.spec.get("readinessProbe")
        self._watch(container)

    def _watch(self, container: Container) -> None:
        probes = probes_of(
            container.spec, self._ip, container.started_at, started=container.started
        )
        enter = lambda argv: self.launcher.enter(container, argv)  # noqa: E731
        self._prober.watch(container.name, Watched(container.restarts, tuple(probes), enter))

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
        self._warn("Failed", f"Error: {error}", container)

    def _not_pulled(self, container: Container, message: str) -> None:
        image = container.spec["image"]
        if container.spec.get("imagePullPolicy") == "Never":
            text = f'Container image "{image}" is not present with pull policy of Never'
            container.state = {"waiting": {"reason": "ErrImageNeverPull", "message": text}}
            self._warn("ErrImageNeverPull", text, container)
            self._warn("Failed", "Error: ErrImageNeverPull", container)
            self._plans[container.name].start_at = time.monotonic() + RETRY_NEVER_S
            return
        before = container.state.get("waiting", {}).get("reason")
        self._note("Pulling", f'Pulling image "{image}"', container)
        self._warn("Failed", f'Failed to pull image "{image}": {message}', container)
        self._warn("Failed", "Error: ErrImagePull", container)
        self._plans[container.name].wait(time.monotonic())
        if before not in ("ErrImagePull", "ImagePullBackOff"):
            container.state = {"waiting": {"reason": "ErrImagePull", "message": message}}
            return
        text = f'Back-off pulling image "{image}"'
        told = f"{text}: ErrImagePull: {message}"
        container.state = {"waiting": {"reason": "ImagePullBackOff", "message": told}}
        self._note("BackOff", text, container)
        self._warn("Failed", "Error: ImagePullBackOff", container)

    def _ended(self, container: Container) -> None:
        """Its process is over: decide whether and when it runs again."""
        self._prober.watch(container.name, None)
        self._endings.forget(container)
        if (hook := self._starting.pop(container.name, None)) is not None:
            hook.cancel()
        if not self._again(container) or self._pod["metadata"].get("deletionTimestamp"):
            return
        clock = time.monotonic()
        delay = self._plans[container.name].ended(clock, clock - container.started_at)
        if not delay:
            return
        self._crashed[container.name] = clock + TOLD_S, delay

    def _back_off(self, container: Container) -> None:
        """Told some time after the end, which is told first, as a kubelet's next look has it."""
        due, delay = self._crashed.get(container.name, (math.inf, 0.0))
        if time.monotonic() < due:
            return
        del self._crashed[container.name]
        if not container.ended:
            return
        container.last_state = container.state
        metadata = self._pod["metadata"]
        pod = f"{metadata['name']}_{metadata['namespace']}({self.uid})"
        text = f"back-off {duration(delay)} restarting failed container={container.name} pod={pod}"
        container.state = {"waiting": {"reason": "CrashLoopBackOff", "message": text}}
        text = f"Back-off restarting failed container {container.name} in pod {pod}"
        self._warn("BackOff", text, container)

    # Probes

    def _take_results(self) -> None:
        while not self._results.empty():
            result = self._results.get_nowait()
            container = next(c for c in self.containers if c.name == result.container)
            if container.process is None or container.restarts != result.run:
                continue
            kind = result.probe.kind
            if not result.answer.ok:
                text = f"{kind.capitalize()} probe failed: {result.answer.output}"
                self._warn("Unhealthy", text, container)
            if result.verdict is None:
                continue
            if kind == "readiness":
                container.ready = result.verdict
            elif not result.verdict:
                grace = result.probe.grace_s
                text = f"Container {container.name} failed {kind} probe, will be restarted"
                self._end(container, self._grace if grace is None else grace, text)
            elif kind == "startup" and not container.started:
                container.started = True
                container.ready = not container.spec.get("readinessProbe")
                self._watch(container)

    # The end

    def _end(self, container: Container, grace_s: float, text: str) -> None:
        """Its preStop hook, SIGTERM, and SIGKILL when the grace period is over."""
        if container.process is None or self._endings.has(container):
            return
        self._note("Killing", text, container)
        self._prober.watch(container.name, None)
        self._endings.begin(container, grace_s, time.monotonic())

    def _terminate(self) -> bool:
        """End the containers, those beside the others last; then the object goes."""
        clock = time.monotonic()
        if self._ending_at is None:
            self._ending_at = clock
        self._take_started()
        grace = self._pod["metadata"].get("deletionGracePeriodSeconds", 30)
        left = max(0.0, self._ending_at + grace - clock)
        beside = [c for c in self._init if c.sidecar]
        for container in self.containers:
            if container not in beside:
                self._end(container, left, f"Stopping container {container.name}")
        if not any(c.process is not None for c in self.containers if c not in beside):
            running = [c for c in beside if c.process is not None]
            for container in running[-1:]:
                self._end(container, left, f"Stopping container {container.name}")
        self._endings.advance(clock, latest=self._ending_at + grace)
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
        self._endings.cancel()
        for hook in self._starting.values():
            hook.cancel()
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
        times = [plan.start_at for _, plan in self._waiting()]
        times += [due for due, _ in self._crashed.values()]
        times.append(self._endings.due())
        times.append(self._refresh_at if self._prepared else self._prepare_at)
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
        pairs = [(c, self._plans[c.name]) for c in self.containers if c.process is None]
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
        known = self._pod.get("status") or {}
        if {**status, "conditions": _settled(status["conditions"])} == {
            **{k: known.get(k) for k in status},
            "conditions": _settled(known.get("conditions") or []),
        }:
            self._tell_again = False
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
            self._tell_again = False

    def _note(self, reason: str, text: str, container: Container | None = None) -> None:
        field = container.field_path if container else ""
        self._node.events.normal(COMPONENT, PODS, self._pod, reason, text, field=field)

    def _warn(self, reason: str, text: str, container: Container | None = None) -> None:
        field = container.field_path if container else ""
        self._node.events.warning(COMPONENT, PODS, self._pod, reason, text, field=field)


def _version(obj: Json) -> int:
    """Comparable within one object (kubernetes.io, "Kubernetes API Concepts")."""
    return int(obj["metadata"]["resourceVersion"])


def _settled(conditions: list[Json]) -> list[Json]:
    """By type, and without the times, which change nothing."""
    times = ("lastTransitionTime", "lastProbeTime")
    bare = [{k: v for k, v in c.items() if k not in times} for c in conditions]
    return sorted(bare, key=lambda c: str(c["type"]))


def _lost(started_at: str | None) -> Json:
    """How a container ended whose end nobody saw, in the words of container runtimes."""
    end = {"exitCode": 255, "reason": "Unknown", "finishedAt": now()}
    return {**end, "startedAt": started_at or end["finishedAt"]}
