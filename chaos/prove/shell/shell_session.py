"""A shell in which steps run one after the other: real bash, real programs, nothing else.

Each step is a bash of its own, so that one can be ended without the others; variables that a step
sets are there in the next. What runs is the step's text as it is.
"""

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos.prove.shell import jail, program
from chaos.prove.shell.allowlist import PROGRAMS, assigned, only_declares
from chaos.prove.shell.api_door import ApiDoor
from chaos.prove.shell.ingress_tunnel import IngressTunnel

KEPT_OUTPUT = 16_384  # bytes of a step's output that are kept, half from each end
FENCES_S = 30.0
KEPT_VARIABLES = 1 << 20  # characters
FAILURES = "failures"
VARIABLES = "variables"
READABLE = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/ssl",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/dev/null",
    "/dev/urandom",
    "/proc/self",
    "/sys/kernel/mm/transparent_hugepage",
)


class SessionError(Exception):
    """Steps cannot be run on this machine; the message is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One program that a step called, with its words as the shell expanded them."""

    words: tuple[str, ...]
    seconds: float
    exit_code: int
    refused: str
    followed: bool  # would have gone on for ever, and was ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A command that failed where nobody looked. `line` counts from 0 in the step's text."""

    line: int
    exit_code: int
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What came of one step. `output` has both streams, secrets masked, the middle cut out."""

    exit_code: int
    seconds: float
    output: str
    calls: tuple[Call, ...]
    failures: tuple[Failure, ...]
    timed_out: bool

    @property
    def ok(self) -> bool:
        return self.exit_code == 0 and not self.failures and not self.timed_out


@dataclass(slots=True, kw_only=True)
class ShellSession:
    """`home` is private to the session, `scratch` below it is where steps run.

    `programs` are the real ones by name; `kubeconfig` and `port` are of the target alone.
    `mask` takes secrets out of output. `over` ends the step that runs, from another thread. Raises
    SessionError where steps cannot be confined, unless `unconfined`.
    """

    home: Path
    kubeconfig: Path
    port: int
    api: ApiDoor | None = None  # behind `port`
    programs: Mapping[str, Path]
    door: IngressTunnel | None = None  # with it, curl is one of the programs
    mask: Callable[[str], str] = lambda text: text
    unconfined: bool = False
    follow_s: float = 3.0
    over: threading.Event = field(default_factory=threading.Event)
    _variables: list[str] = field(default_factory=list)
    _names: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.unconfined and not jail.version():
            raise SessionError(
                "this kernel has no Landlock, so the steps of a runbook cannot be confined;"
                " --unconfined runs them all the same"
            )
        for folder in (self.scratch, self._bin, self._door, self.home / "home"):
            folder.mkdir(parents=True, exist_ok=True)
        if self.door is not None:
            self.programs = {**self.programs, "curl": self.door.curl}
            certificate = self._door / "ca.pem"
            certificate.write_text(self.door.certificate, encoding="utf-8")
            settings = self.door.settings(certificate)
            (self._door / ".curlrc").write_text(settings, encoding="utf-8")
        self._place_programs()

    @property
    def scratch(self) -> Path:
        return self.home / "scratch"

    @property
    def _bin(self) -> Path:
        return self.home / "bin"

    @property
    def _door(self) -> Path:
        return self.home / "door"

    @property
    def _log(self) -> Path:
        return self.home / "calls"

    def _place_programs(self) -> None:
        """A stand-in for each program, which looks at the words and calls the real one."""
        python = Path(sys.executable).resolve()
        source = Path(program.__file__).read_text(encoding="utf-8")
        environments = {
            "kubectl": {"KUBECONFIG": str(self.kubeconfig)},
            "curl": {"CURL_HOME": str(self._door)},
        }
        spec = {
            "log": str(self._log),
            "follow_s": self.follow_s,
            "programs": {
                name: {"path": str(path), "environment": environments.get(name, {})}
                for name, path in self.programs.items()
            },
        }
        (self._bin / program.SPEC).write_text(json.dumps(spec), encoding="utf-8")
        for name in self.programs:
            place = self._bin / name
            place.write_text(f"#!{python} -IS\n{source}", encoding="utf-8")
            place.chmod(0o755)

    def place(self, files: Path) -> None:
        """A folder of manifests that commands name, under its own name: k8s/ingress.yaml.

        Raises SessionError for a link to what is not in the folder.
        """
        for file in sorted(files.rglob("*.y*ml")):
            if not file.resolve().is_relative_to(files.resolve()):
                raise SessionError(
                    f"{file} is a link that leads out of {files}: put the file itself there"
                )
            if not file.is_file():
                continue
            there = self.scratch / files.resolve().name / file.relative_to(files)
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(file.read_bytes())

    def run(self, text: str, *, limit_s: float, stdin: str = "") -> Ran:
        """Run the text; ended after `limit_s` seconds with everything that it started."""
        for name in (FAILURES, VARIABLES):
            (self.home / name).write_text("", encoding="utf-8")
        self._log.write_text("", encoding="utf-8")
        (self.home / "step.sh").write_text(self._script(text), encoding="utf-8")
        (self.home / "stdin").write_text(stdin, encoding="utf-8")
        (self.home / "jail.json").write_text(json.dumps(self._spec()), encoding="utf-8")
        begun = time.monotonic()
        code, output, timed_out = self._start(limit_s)
        seconds = time.monotonic() - begun
        self._names.update(dict.fromkeys(assigned(text)))
        told = (self.home / VARIABLES).read_text(encoding="utf-8", errors="replace")
        # The step may write there as well, and the next one runs it.
        well = len(told) <= KEPT_VARIABLES and only_declares(told, self._names)
        self._variables = told.splitlines() if well else []
        return Ran(
            exit_code=code,
            seconds=seconds,
            output=self.mask(output),
            calls=tuple(self._calls()),
            failures=tuple(self._failures()),
            timed_out=timed_out,
        )

    def _script(self, text: str) -> str:
        """One line of ours in front, so that line n of the text is line n + 2 here."""
        names = " ".join(dict.fromkeys([*self._names, *assigned(text)]))
        keep = f"declare -p {names} 2>/dev/null >{self.home / VARIABLES}" if names else ":"
        note = f'printf "%s\\t%s\\t%q\\n" "$LINENO" "$?" "$BASH_COMMAND" >>{self.home / FAILURES}'
        ours = [*self._variables, f"trap '{note}' ERR", f"trap 'trap - ERR; {keep}' EXIT"]
        return "; ".join(ours) + "\n" + text + "\n"

    def _spec(self) -> dict[str, Any]:
        bash = shutil.which("bash") or "/bin/bash"
        python = str(Path(sys.executable).resolve())
        # Programs are started through the dynamic loader, which must be allowed like them.
        loaders = [str(p.resolve()) for p in Path("/lib64").glob("ld-*")]
        loaders += [str(p.resolve()) for p in Path("/lib").glob("ld-*")]
        stands = [str(self._bin / name) for name in self.programs]
        real = [str(path.resolve()) for path in self.programs.values()]
        return {
            "command": [bash, "--noprofile", "--norc", str(self.home / "step.sh")],
            "directory": str(self.scratch),
            "environment": {
                "PATH": str(self._bin),
                "HOME": str(self.home / "home"),
                "LANG": "C.UTF-8",
                "TZ": "UTC",
                "TMPDIR": str(self.home / "home"),
            },
            "read": [
                *READABLE,
                str(Path(sysconfig.get_paths()["stdlib"])),
                str(Path(sys.base_prefix).resolve()),
                str(self.kubeconfig),
                *(str(self.home / name) for name in ("bin", "door", "step.sh", "stdin")),
            ],
            "write": [
                str(self.scratch),
                str(self.home / "home"),
                str(self._log),
                *(str(self.home / name) for name in (FAILURES, VARIABLES)),
                "/dev/null",
            ],
            "execute": [bash, python, *loaders, *stands, *real],
            "ports": [self.port, *([self.door.port] if self.door else [])],
            "unconfined": self.unconfined,
        }

    def _start(self, limit_s: float) -> tuple[int, str, bool]:
        with (self.home / "stdin").open("rb") as stdin:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", jail.__file__, str(self.home / "jail.json")],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group of its own, to be ended as a whole
                env={},
            )
        try:
            output, ended = _read(process, time.monotonic() + limit_s, self.over)
        finally:
            process.terminate()  # it ends all that the step started, then itself
            try:
                code = process.wait(jail.END_S + 5)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                code = process.wait()
        return (code if code >= 0 else 128 - code), output, not ended

    def _calls(self) -> list[Call]:
        rows = [json.loads(line) for line in self._log.read_text("utf-8").splitlines()]
        return [
            Call(
                words=tuple(self.mask(word) for word in row["words"]),
                seconds=row["seconds"],
                exit_code=row["exit_code"],
                refused=row["refused"],
                followed=row["followed"],
            )
            for row in rows
        ]

    def _failures(self) -> list[Failure]:
        found = []
        for row in (self.home / FAILURES).read_text("utf-8", errors="replace").splitlines():
            line, code, command = row.split("\t", 2)
            found.append(
                Failure(line=int(line) - 2, exit_code=int(code), command=self.mask(command))
            )
        return found


def _read(
    process: subprocess.Popen[bytes], deadline: float, over: threading.Event
) -> tuple[str, bool]:
    """Output until the process ends (true), or the time or everything is over (false)."""
    assert process.stdout is not None
    head, tail, cut = bytearray(), bytearray(), 0
    os.set_blocking(process.stdout.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        done = False
        while time.monotonic() < deadline and not over.is_set():
            done = process.poll() is not None
            ready = selector.select(0.0 if done else 0.02)
            data = process.stdout.read(65536) if ready else None
            if data:
                room = KEPT_OUTPUT // 2 - len(head)
                head += data[:room]
                tail += data[max(0, room) :]
                cut += max(0, len(tail) - KEPT_OUTPUT // 2)
                del tail[: max(0, len(tail) - KEPT_OUTPUT // 2)]
            elif done:
                break
            elif ready:  # closed, while the process goes on
                selector.unregister(process.stdout)
    middle = f"\n… {cut} bytes left out …\n".encode() if cut else b""
    return bytes(head + middle + tail).decode(errors="replace"), done


def fences() -> dict[str, str]:
    """What keeps a step in on this machine, by name: "" where it stands, else what it leaves open.

    Asked in a process of its own, as it is tried. Raises SessionError.
    """
    command = [sys.executable, "-I", "-S", jail.__file__, "--fences"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=FENCES_S)
    try:
        return {row["fence"]: row["open"] for row in json.loads(done.stdout)}
    except (ValueError, KeyError, TypeError) as error:
        raise SessionError(f"the fences cannot be tried: {done.stderr.strip()}") from error


def find_programs(kubectl: Path) -> dict[str, Path]:
    """The programs of the list that this machine has, kubectl from where it is said to be."""
    found = {name: shutil.which(name) for name in PROGRAMS if name != "kubectl"}
    real = {name: Path(path) for name, path in found.items() if path is not None}
    return {**real, "kubectl": kubectl}
