"""One container of a pod: its process, its files, its limits, and the state the API is told."""

import hashlib
import json
import os
import signal
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from service.cluster.agent import network
from service.cluster.agent.cgroups import Cgroups, Group
from service.cluster.agent.files import remove_tree
from service.cluster.agent.isolation import Mode, shim_command
from service.cluster.agent.quantities import cpus, size
from service.cluster.processes import wait_until

Json = dict[str, Any]
KILLED = 137
_REASONS = {0: "Completed", 128: "StartError"}  # 128: the shim could not start the command
SET_UP_S = 20.0  # for an overlay and its mounts; takes a hundredth of a second


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Mount:
    """`source` on this machine, `target` in the container."""

    source: Path
    target: str
    read_only: bool


@dataclass(slots=True)
class Container:
    """A container over all its restarts. `directory` is its own."""

    spec: Json
    pod_uid: str
    directory: Path
    address: str = ""
    init: bool = False
    restarts: int = 0
    state: Json = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    last_state: Json = field(default_factory=dict)
    started: bool = False
    ready: bool = False
    process: subprocess.Popen[bytes] | None = None
    group: Group | None = None
    stdin: int | None = None  # where what is attached writes to
    started_at: float = 0.0

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def field_path(self) -> str:
        """What events call it."""
        return f"spec.{'initContainers' if self.init else 'containers'}{{{self.name}}}"

    @property
    def sidecar(self) -> bool:
        """An init container that goes on beside the others."""
        return self.init and self.spec.get("restartPolicy") == "Always"

    @property
    def limits(self) -> Json:
        return (self.spec.get("resources") or {}).get("limits") or {}

    @property
    def memory_limit(self) -> int | None:
        return size(self.limits["memory"]) if "memory" in self.limits else None

    @property
    def cpu_limit(self) -> float | None:
        return cpus(self.limits["cpu"]) if "cpu" in self.limits else None

    @property
    def cpu_request(self) -> float:
        requests = (self.spec.get("resources") or {}).get("requests") or {}
        return cpus(requests.get("cpu") or self.limits.get("cpu") or 0)

    def log_file(self, restart: int | None = None) -> Path:
        number = self.restarts if restart is None else restart
        return self.directory / f"{number}.log"

    @property
    def init_pid(self) -> int | None:
        """Process 1 of the running container, as this machine numbers it, once it has its root."""
        if self.process is None or self.process.poll() is not None:
            return None
        try:
            return int((self.directory / "init.pid").read_text())
        except (OSError, ValueError):
            return None

    @property
    def container_id(self) -> str:
        return f"gameday://{self._id}"

    @property
    def _id(self) -> str:
        """As runtimes have it: new with each restart, and the name of the control group."""
        whole = f"{self.pod_uid}/{self.name}/{self.restarts}"
        return hashlib.sha256(whole.encode()).hexdigest()

    def start(
        self,
        argv: list[str],
        env: dict[str, str],
        mounts: list[Mount],
        mode: Mode,
        cgroups: Cgroups | None,
        *,
        host_pid: bool = False,
    ) -> None:
        """Start the process, with `host_pid` beside those of the machine. Raises OSError."""
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "init.pid").unlink(missing_ok=True)
        for old in self.directory.glob("scratch-*"):
            remove_tree(old)
        scratch = self.directory / f"scratch-{self.restarts}"  # each run begins with a fresh root
        for part in (self.directory / "root", scratch):
            part.mkdir(exist_ok=True)
        if self.group is not None:
            self.group.remove()
            self.group = None
        if cgroups is not None:
            self.group = cgroups.create(
                self._id,
                memory=self.memory_limit,
                cpu=self.cpu_limit,
                request=self.cpu_request,
            )
            network.identify(self.group, self.address)
        spec = {
            "mode": mode,
            "root": str(self.directory / "root"),
            "scratch": str(scratch),
            "mounts": [
                {"source": str(m.source), "target": m.target, "readOnly": m.read_only}
                for m in mounts
            ],
            "argv": argv,
            "env": env,
            "workingDir": self.spec.get("workingDir", ""),
            "cgroups": [str(p) for p in self.group.paths] if self.group else [],
            "stdin": bool(self.spec.get("stdin")),
            "tty": bool(self.spec.get("tty")),
            "hostPID": host_pid,
            "log": str(self.log_file()),
            "pidFile": str(self.directory / "init.pid"),
        }
        for old in self.directory.glob("*.json"):
            old.unlink()
        # Its name is among the arguments of the shim: whoever looks for the container's processes
        # finds them below it, also where there are no control groups.
        path = self.directory / f"{self._id}.json"
        path.write_text(json.dumps(spec))
        process = self.process = self._launch(path)
        up = self.directory / "init.pid"
        wait_until(lambda: up.exists() or process.poll() is not None, SET_UP_S, every_s=0.005)
        self.state = {"running": {"startedAt": now()}}
        self.started = self.ready = False

    def _launch(self, spec_file: Path) -> subprocess.Popen[bytes]:
        self.close_stdin()
        theirs = subprocess.DEVNULL
        if self.spec.get("stdin"):
            theirs, self.stdin = os.pipe()
        try:
            return subprocess.Popen(shim_command(spec_file), stdin=theirs, start_new_session=True)
        finally:
            if theirs >= 0:
                os.close(theirs)

    def close_stdin(self) -> None:
        """The process reads the end of its input."""
        if self.stdin is not None:
            descriptor, self.stdin = self.stdin, None
            os.close(descriptor)

    def signal(self, number: signal.Signals) -> None:
        """To the command; SIGKILL takes the whole container."""
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, number)

    def reap(self) -> bool:
        """Has the process ended? Then its end becomes the container's state."""
        if self.process is None or self.process.poll() is None:
            return False
        code = self.process.returncode
        code = code if code >= 0 else 128 - code
        oom = self.group is not None and self.group.oom_kills() > 0
        if oom:
            code = KILLED
        reason = "OOMKilled" if oom else _REASONS.get(code, "Error")
        begun = self.state.get("running", {}).get("startedAt", now())
        ended = {"exitCode": code, "reason": reason, "startedAt": begun, "finishedAt": now()}
        self.state = {"terminated": {**ended, "containerID": self.container_id}}
        self.process = None
        self.close_stdin()
        self.started = self.ready = False
        return True

    def status(self) -> Json:
        """A ContainerStatus."""
        image = self.spec["image"]
        status: Json = {
            "name": self.name,
            "image": image,
            "imageID": f"local://{image}" if self.process or self.restarts or self.ended else "",
            "ready": self.ready or (self.init and not self.sidecar and self.succeeded),
            "started": self.started,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last_state,
        }
        if self.process is not None or self.ended:
            status["containerID"] = self.container_id
        return status

    @property
    def ended(self) -> bool:
        return "terminated" in self.state

    @property
    def succeeded(self) -> bool:
        return bool(self.ended and self.state["terminated"]["exitCode"] == 0)
