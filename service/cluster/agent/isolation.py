"""How far containers can be set apart on this machine, found out by trying."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

Mode = Literal["root", "user", "none"]
SHIM = Path(__file__).with_name("shim.py")
TRY_TIMEOUT_S = 20

DESCRIPTIONS: dict[Mode, str] = {
    "root": "mount and PID namespaces",
    "user": "mount and PID namespaces inside a user namespace",
    "none": "none: processes share the machine's files, volume paths are rewritten",
}


def shim_command(spec: Path) -> list[str]:
    return [sys.executable, "-I", "-S", str(SHIM), str(spec)]


def find_mode() -> Mode:
    """The strongest mode in which a container really starts."""
    modes: tuple[Mode, ...] = ("root", "user")
    return next((m for m in modes if _works(m)), "none")


def _works(mode: Mode) -> bool:
    with tempfile.TemporaryDirectory(prefix="gameday-") as name:
        directory = Path(name)
        for part in ("root", "scratch"):
            (directory / part).mkdir()
        spec = directory / "spec.json"
        spec.write_text(
            json.dumps(
                {
                    "mode": mode,
                    "root": str(directory / "root"),
                    "scratch": str(directory / "scratch"),
                    "mounts": [],
                    "argv": ["true"],
                    "env": {"PATH": "/usr/bin:/bin"},
                    "workingDir": "",
                    "cgroups": [],
                    "log": str(directory / "log"),
                    "pidFile": str(directory / "pid"),
                }
            )
        )
        try:
            done = subprocess.run(shim_command(spec), check=False, timeout=TRY_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0
