"""Memory and CPU limits by the kernel's control groups, version 1 or 2, where they can be had."""

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PERIOD_US = 100_000
SHARES_PER_CPU, LEAST_SHARES = 1024, 2  # as the kubelet turns requests into cpu.shares


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU in seconds since the start, memory in bytes; working set as cAdvisor counts it."""

    cpu_s: float
    memory: int
    working_set: int
    rss: int
    cache: int


@dataclass(frozen=True, slots=True)
class Throttling:
    """How a CPU limit was felt since the start."""

    periods: int
    throttled_periods: int
    throttled_s: float


@dataclass(frozen=True, slots=True)
class Group:
    """One container's groups: the same path below each controller's mount (one in version 2)."""

    memory: Path
    cpu: Path | None
    cpuacct: Path | None
    version: int
    network: Path | None = None  # always of version 2: where programs for its sockets go

    @property
    def paths(self) -> list[Path]:
        """Every distinct directory."""
        return list(
            dict.fromkeys(p for p in (self.memory, self.cpu, self.cpuacct, self.network) if p)
        )

    def oom_kills(self) -> int:
        name = "memory.oom_control" if self.version == 1 else "memory.events"
        with contextlib.suppress(OSError):
            for line in (self.memory / name).read_text().splitlines():
                key, _, value = line.partition(" ")
                if key == "oom_kill":
                    return int(value)
        return 0

    def usage(self) -> Usage | None:
        try:
            stat = dict(
                line.split(" ", 1)
                for line in (self.memory / "memory.stat").read_text().splitlines()
            )
            if self.version == 1:
                used = int((self.memory / "memory.usage_in_bytes").read_text())
                idle = int(stat["total_inactive_file"])
                rss, cache = int(stat["total_rss"]), int(stat["total_cache"])
                cpu = self.cpuacct or self.memory
                spent = int((cpu / "cpuacct.usage").read_text()) / 1e9
            else:
                used = int((self.memory / "memory.current").read_text())
                idle = int(stat["inactive_file"])
                rss, cache = int(stat["anon"]), int(stat["file"])
                times = (self.memory / "cpu.stat").read_text().split()
                spent = int(times[times.index("usage_usec") + 1]) / 1e6
        except (OSError, KeyError, ValueError):
            return None
        return Usage(spent, used, max(0, used - idle), rss, cache)

    def throttling(self) -> Throttling | None:
        """None where the kernel does not say."""
        try:
            text = ((self.cpu or self.memory) / "cpu.stat").read_text()
            stat = dict(line.split(" ", 1) for line in text.splitlines())
            held = (
                int(stat["throttled_time"]) / 1e9
                if self.version == 1
                else int(stat["throttled_usec"]) / 1e6
            )
            return Throttling(int(stat["nr_periods"]), int(stat["nr_throttled"]), held)
        except (OSError, KeyError, ValueError):
            return None

    def remove(self) -> None:
        """Kill what is left in the group and remove it; waits a moment for the kernel."""
        deadline = time.monotonic() + 5
        for path in self.paths:
            while path.exists() and time.monotonic() < deadline:
                _kill_all(path)
                with contextlib.suppress(OSError):
                    path.rmdir()
                    break
                time.sleep(0.01)


def _kill_all(path: Path) -> None:
    with contextlib.suppress(OSError):
        for pid in (path / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), 9)


class Cgroups:
    """The groups of one cluster, below `name`. Use find() to learn whether there are any."""

    def __init__(self, bases: dict[str, Path], version: int) -> None:
        self._bases, self.version = bases, version

    @classmethod
    def find(cls, name: str) -> "Cgroups | None":
        """With a first group made and removed as proof; None where that is not allowed."""
        for version, bases in ((1, _v1_bases()), (2, _v2_bases())):
            if "memory" not in bases:
                continue
            groups = cls({k: p / name for k, p in bases.items()}, version)
            try:
                groups.create("probe", memory=64 << 20, cpu=1.0).remove()
            except OSError:
                continue
            return groups
        return None

    def create(
        self, name: str, *, memory: int | None, cpu: float | None, request: float = 0.0
    ) -> Group:
        """A new group with limits in bytes and in CPUs, and CPUs requested. Raises OSError."""
        paths = {k: p / name for k, p in self._bases.items()}
        for base in dict.fromkeys(self._bases.values()):
            base.mkdir(parents=True, exist_ok=True)
            if self.version == 2:  # noqa: PLR2004
                (base / "cgroup.subtree_control").write_text("+memory +cpu")
        # All pods together against what else runs here: as the kubelet, by the node's CPUs.
        self._weigh(self._bases, float(os.cpu_count() or 1))
        for path in paths.values():
            path.mkdir(exist_ok=True)
        self._weigh(paths, request)
        group = Group(
            paths["memory"],
            paths.get("cpu"),
            paths.get("cpuacct"),
            self.version,
            paths.get("network"),
        )
        if self.version == 1:
            if memory:
                (group.memory / "memory.limit_in_bytes").write_text(str(memory))
            if cpu and group.cpu:
                (group.cpu / "cpu.cfs_period_us").write_text(str(PERIOD_US))
                (group.cpu / "cpu.cfs_quota_us").write_text(str(int(cpu * PERIOD_US)))
        else:
            if memory:
                (group.memory / "memory.max").write_text(str(memory))
                (group.memory / "memory.oom.group").write_text("1")
            if cpu:
                (group.memory / "cpu.max").write_text(f"{int(cpu * PERIOD_US)} {PERIOD_US}")
        return group

    def _weigh(self, paths: dict[str, Path], request: float) -> None:
        """The group's part of the CPUs where they are short, by the CPUs that it asks for."""
        shares = max(LEAST_SHARES, int(request * SHARES_PER_CPU))
        if self.version == 1:
            if "cpu" in paths:
                (paths["cpu"] / "cpu.shares").write_text(str(shares))
        else:
            weight = 1 + (shares - LEAST_SHARES) * 9999 // 262142  # KEP-2254
            (paths["memory"] / "cpu.weight").write_text(str(weight))

    @property
    def network(self) -> Path | None:
        """The group that holds all the others, as the network sees them."""
        return self._bases.get("network")

    def sweep(self) -> None:
        """Remove every group of this cluster, with what runs in it."""
        for base in dict.fromkeys(self._bases.values()):
            if not base.exists():
                continue
            for child in [p for p in base.iterdir() if p.is_dir()]:
                Group(child, None, None, self.version).remove()
            with contextlib.suppress(OSError):
                base.rmdir()


def _v1_bases() -> dict[str, Path]:
    """Where version 1 controllers let us make groups: below this process's own."""
    found = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            if controller in ("memory", "cpu", "cpuacct"):
                mount = next(
                    (m for m in (ROOT / controllers, ROOT / controller) if m.is_dir()), None
                )
                if mount is not None:
                    base = mount / path.lstrip("/")
                    found[controller] = base if base.is_dir() else mount
    if (unified := _unified()) is not None:
        found["network"] = unified
    return found


def _unified() -> Path | None:
    """The version 2 hierarchy that is mounted beside version 1, without controllers; if it is."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount, kind, *_ = line.split()
        if kind == "cgroup2" and os.access(mount, os.W_OK):
            return Path(mount)
    return None


def _v2_bases() -> dict[str, Path]:
    """The unified hierarchy's root, or the delegated group that this process's group is in."""
    if not (ROOT / "cgroup.controllers").exists():
        return {}
    if os.access(ROOT, os.W_OK):
        base = ROOT
    else:
        own = Path("/proc/self/cgroup").read_text().strip().rpartition(":")[2]
        base = (ROOT / own.lstrip("/")).parent
    try:
        controllers = (base / "cgroup.controllers").read_text().split()
    except OSError:
        return {}
    return {"memory": base, "network": base} if {"memory", "cpu"} <= set(controllers) else {}
