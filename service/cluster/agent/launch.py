"""From a container's specification to a command, its environment and its files."""

import os
import re
import shlex
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import service
from service.cluster.agent.container import Container, Mount
from service.cluster.agent.downward import Facts
from service.cluster.agent.environment import (
    container_env,
    expand,
    host_names,
    hosts,
    service_variables,
)
from service.cluster.agent.node_context import NodeContext
from service.cluster.agent.publish import File, publish
from service.cluster.agent.tokens import Tokens
from service.cluster.agent.volumes import SERVICE_ACCOUNT, Volumes
from service.cluster.images import Entry
from service.cluster.kube import CONFIGMAPS, PVCS, PVS, SECRETS, NotFoundError
from service.cluster.packages import PROMETHEUS, WGET, user_cache

Json = dict[str, Any]
# Variables that name no host, whatever they look like.
_AS_IT_IS = re.compile(r"^(?:PATH|HOME)$|_(?:USER|USERNAME|PASSWORD|AUTH)$")
PROJECT = Path(service.__file__).parents[1]
_KINDS = {
    "ConfigMap": CONFIGMAPS,
    "Secret": SECRETS,
    "PersistentVolumeClaim": PVCS,
    "PersistentVolume": PVS,
}


class NotRunningError(OSError):
    """The container has no process to join, or not yet."""


class Launcher:
    """For the containers of one pod."""

    def __init__(self, node: NodeContext, pod: Json, ip: str, directory: Path) -> None:
        self._node, self._pod, self._ip, self._directory = node, pod, ip, directory
        self._namespace: str = pod["metadata"]["namespace"]
        self._facts = Facts(ip, node.node_ip, node.allocatable)
        self._tokens = Tokens(node.kube, pod)
        self._volumes = Volumes(
            pod,
            directory / "volumes",
            node.directory / "volumes",
            lookup=self._lookup,
            facts=self._facts,
            token=self._tokens.projected,
            rewrite=self._rewrite_in_place,
        )
        self._shared: list[Mount] = []

    def _lookup(self, kind: str, name: str) -> Json | None:
        resource = _KINDS[kind]
        namespace = self._namespace if resource.namespaced else None
        try:
            return {**self._node.kube.get(resource, name, namespace), "kind": kind}
        except NotFoundError:
            return None

    def prepare(self) -> None:
        """Volumes, service account, names. Raises MissingReferenceError, ApiError, OSError."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._volumes.prepare()
        self.write_hosts()
        shared = [Mount(self._directory / "hosts", "/etc/hosts", read_only=False)]
        if self._pod["spec"].get("automountServiceAccountToken", True):
            self._write_account()
            shared.append(Mount(self._account, SERVICE_ACCOUNT, read_only=True))
        self._shared = shared

    def refresh(self) -> None:
        """Take over what changed in the API, and tokens in time."""
        self._volumes.refresh()
        if self._account.exists():
            self._write_account()

    @property
    def _account(self) -> Path:
        return self._directory / "serviceaccount"

    def _write_account(self) -> None:
        files = {
            "token": self._tokens.get().encode(),
            "ca.crt": self._node.ca,
            "namespace": self._namespace.encode(),
        }
        publish(self._account, {name: File(data, 0o644) for name, data in files.items()})

    def write_hosts(self) -> None:
        """Rewritten in place, because the file is mounted into the containers."""
        services, pods = self._node.services.list(), self._node.pods.list()
        text = hosts(services, pods, self._pod, self._ip)
        path = self._directory / "hosts"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)

    def start(self, container: Container) -> None:
        """Raises UnknownImageError, MissingReferenceError, OSError."""
        spec = container.spec
        entry = self._node.images.find(spec["image"])
        env = self._environment(spec)
        command = spec.get("command") or entry.entrypoint
        arguments = spec.get("args") or ([] if spec.get("command") else entry.arguments)
        argv = [expand(word, env) for word in [*command, *arguments]]
        mounts = self._mounts(spec, env)
        mounts += [Mount(path, str(path), read_only=True) for path in _hidden(mounts, entry)]
        if self._node.mode == "none":
            argv, env = self._in_place(argv, env, mounts)
            mounts = []
        self._directory.mkdir(parents=True, exist_ok=True)
        host_pid = bool(self._pod["spec"].get("hostPID"))
        node = self._node
        container.start(argv, env, mounts, node.mode, node.cgroups, host_pid=host_pid)

    def _mounts(self, spec: Json, env: dict[str, str]) -> list[Mount]:
        own = self._volumes.mounts(spec, env)
        taken = {mount.target for mount in own}
        return [*(m for m in self._shared if m.target not in taken), *own]

    def enter(self, container: Container, argv: list[str], *, tty: bool = False) -> list[str]:
        """`argv` as a command that enters the running container. Raises NotRunningError.

        With `tty`, its standard input is a terminal, which is to control it (Ctrl-C, jobs).
        """
        env = self._environment(container.spec)
        if self._node.mode == "none":
            mounts = self._mounts(container.spec, env)
            argv, env = self._in_place(argv, env, mounts)
        words = [f"{k}={v}" for k, v in env.items()]
        where = container.spec.get("workingDir") or "/"
        session = ["setsid", "--ctty", "--wait"] if tty else []
        inside = [*session, "env", "-i", "-C", where, *words, *argv]
        pid = container.init_pid
        if pid is None:  # never the same command outside
            raise NotRunningError(f"container {container.name} is not running")
        if self._node.mode == "none":
            return _within(container, inside)
        user = ["-U", "--preserve-credentials"] if self._node.mode == "user" else []
        return _within(
            container, ["nsenter", "-t", str(pid), *user, "-m", "-p", "--root", "--", *inside]
        )

    def require_program(self, container: Container, program: str) -> None:
        """Raises OSError in the words of containerd where the container does not have it."""
        root = Path(f"/proc/{container.init_pid}/root")
        if "/" in program:
            places, why = [program], f"stat {program}: no such file or directory"
        else:
            folders = self._environment(container.spec)["PATH"].split(":")
            places = [f"{folder}/{program}" for folder in folders]
            why = "executable file not found in $PATH"
        relative = not program.startswith("/") and "/" in program
        if (
            relative
            or not root.exists()
            or any(os.path.lexists(root / place.lstrip("/")) for place in places)
        ):
            return
        raise FileNotFoundError(
            "failed to exec in container: OCI runtime exec failed: exec failed: unable to start"
            f' container process: exec: "{program}": {why}: unknown'
        )

    def _environment(self, spec: Json) -> dict[str, str]:
        host, port = self._node.api_address
        tools = str(Path(sys.executable).parent)
        programs = self._node.images.programs(spec["image"])
        beside = f"{programs}:{tools}" if programs else tools
        beside += f":{WGET.folder}"  # there only if the machine has no wget
        base = {
            "PATH": f"{beside}:{os.environ.get('PATH', '/usr/bin:/bin')}",
            "HOME": os.environ.get("HOME", "/"),
            "XDG_CACHE_HOME": str(user_cache().parent),  # whatever the container's HOME is
            "LANG": "C.UTF-8",
            "HOSTNAME": self._pod["metadata"]["name"],
            "POD_IP": self._ip,
            "PYTHONUNBUFFERED": "1",
            "KUBERNETES_SERVICE_HOST": host,
            "KUBERNETES_SERVICE_PORT": str(port),
        }
        if (prometheus := _prometheus()) is not None:
            base["PROMETHEUS_BINARY"] = str(prometheus)
        if self._pod["spec"].get("enableServiceLinks", True):
            base |= service_variables(self._node.services.list(), self._namespace)
        return container_env(spec, self._pod, self._facts, base, self._lookup)

    def _rewrite_in_place(self, text: str) -> str:
        """In a ConfigMap's text: the service account's real path, where it cannot be mounted."""
        if self._node.mode != "none":
            return text
        return text.replace(SERVICE_ACCOUNT, str(self._account))

    def _in_place(
        self, argv: list[str], env: dict[str, str], mounts: list[Mount]
    ) -> tuple[list[str], dict[str, str]]:
        """Without a root of its own: real paths and addresses for mounted paths and DNS names."""
        names = {
            name: address
            for address, listed in host_names(
                self._node.services.list(), self._node.pods.list(), self._namespace
            ).items()
            for name in listed
        }
        paths = {m.target: str(m.source) for m in mounts if m.target != "/etc/hosts"}
        rewrite = launch_rewriter(paths, names)
        fixed = {k: v if _AS_IT_IS.search(k) else rewrite(v) for k, v in env.items()}
        scratch = self._directory / "tmp"
        scratch.mkdir(exist_ok=True)
        fixed["TMPDIR"] = str(scratch)  # goes with the pod
        if self._account.exists():
            fixed["KUBECONFIG"] = str(self._write_kubeconfig(self._account))
        return [rewrite(word) for word in argv], fixed

    def _write_kubeconfig(self, account: Path) -> Path:
        host, port = self._node.api_address
        path = self._directory / "kubeconfig"
        path.write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: pod\n"
            f"clusters: [{{name: pod, cluster: {{server: 'https://{host}:{port}',"
            f" certificate-authority: '{account / 'ca.crt'}'}}}}]\n"
            f"users: [{{name: pod, user: {{tokenFile: '{account / 'token'}'}}}}]\n"
            "contexts: [{name: pod, context: {cluster: pod, user: pod}}]\n"
        )
        return path


def _within(container: Container, command: list[str]) -> list[str]:
    """The command under the container's limits."""
    if container.group is None:
        return command
    joins = [f"echo $$ >{shlex.quote(str(p / 'cgroup.procs'))}" for p in container.group.paths]
    return ["sh", "-c", " && ".join([*joins, 'exec "$@"']), "enter", *command]


@cache
def _prometheus() -> Path | None:
    return PROMETHEUS.find()


def _hidden(mounts: list[Mount], entry: Entry) -> list[Path]:
    """What every "image" is made of, where a volume covers it: e.g. a checkout below /tmp."""
    prometheus = _prometheus()
    needed = [Path(sys.prefix), Path(sys.base_prefix), PROJECT]
    needed += [user_cache()] if user_cache().exists() else []
    needed += [prometheus.parent] if prometheus else []
    needed += [entry.programs.parent] if entry.programs else []
    covers = [Path(m.target) for m in mounts]
    return [p for p in dict.fromkeys(needed) if any(p.is_relative_to(c) for c in covers)]


def launch_rewriter(paths: dict[str, str], names: dict[str, str]) -> Callable[[str], str]:
    """A function that replaces mounted paths and DNS names inside a text.

    A name without a dot may be a plain word as well, as in neo4j://graph or user=redis: it counts
    as a host in front of a port, behind // or @, and where it is all of the text.
    """
    table = {**paths, **names}
    if not table:
        return lambda text: text
    longest_first = sorted(table, key=len, reverse=True)
    plain = [re.escape(k) for k in longest_first if k in names and "." not in k]
    others = [re.escape(k) for k in longest_first if k not in names or "." in k]
    patterns = []
    if others:
        patterns.append(rf"(?<![\w./-])(?:{'|'.join(others)})(?![\w.-])")
    if plain:
        word = rf"(?:{'|'.join(plain)})"
        patterns += [rf"(?<=//){word}(?![\w.-])", rf"(?<=@){word}(?![\w.-])"]
        patterns += [rf"(?<![\w./-]){word}(?=:\d)", rf"^{word}$"]
    pattern = re.compile("|".join(patterns))
    return lambda text: pattern.sub(lambda match: table[match[0]], text)
