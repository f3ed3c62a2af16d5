"""Processes by identity: a PID together with its start time, so that no stranger is ever hit."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ProcessId:
    """`started` is in clock ticks since boot (proc_pid_stat(5), field 22)."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        """None when there is no such process, or only its remains."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in ("Z", "X") else cls(pid, int(fields[19]))

    @property
    def alive(self) -> bool:
        return ProcessId.of(self.pid) == self

    def signal(self, number: signal.Signals) -> None:
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def end(self, within_s: float) -> None:
        """SIGTERM, and SIGKILL when that does not help in time."""
        self.signal(signal.SIGTERM)
        if not wait_until(lambda: not self.alive, within_s):
            self.signal(signal.SIGKILL)
            wait_until(lambda: not self.alive, within_s)


def wait_until(condition: Callable[[], bool], within_s: float, every_s: float = 0.05) -> bool:
    """Has the condition come true in time?"""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every_s)
    return True


def write_records(path: Path, records: dict[str, ProcessId]) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({name: asdict(r) for name, r in records.items()}))
    fresh.replace(path)


def read_records(path: Path) -> dict[str, ProcessId]:
    """Empty when there are none."""
    try:
        listed = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return {name: ProcessId(**fields) for name, fields in listed.items()}
