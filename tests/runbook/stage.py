"""A cluster with the stack of service/deploy, and a shell in which the runbook's commands run."""

import json
import os
import pty
import re
import select
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.parts import KUBECTL

NS = "bizra-system"
WITHIN_S = 120.0


@dataclass
class Stage:
    """`home` is where the commands run; `pod` is what the runbook calls <pod-name>."""

    kubeconfig: Path
    home: Path
    pod: str = ""

    def shell(self, script: str) -> subprocess.Popen[bytes]:
        """A bash with `script`, its both outputs in one pipe, nothing to read."""
        return subprocess.Popen(
            ["bash", "-o", "pipefail", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment(),
            cwd=self.home,
        )

    def run(self, script: str) -> tuple[int, str]:
        """(exit code, what it said on both streams)."""
        with self.shell(script) as process:
            try:
                told, _ = process.communicate(timeout=WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return process.returncode, told.decode()

    def follow(self, script: str, pattern: str, then: Callable[[], Any]) -> str:
        """Of a command that does not end: until `pattern` was said and `then` was done."""
        process = self.shell("exec " + script)
        assert process.stdout is not None
        told, deadline = b"", time.monotonic() + WITHIN_S
        try:
            while not re.search(pattern, told.decode(errors="replace")):
                left = deadline - time.monotonic()
                ready, _, _ = select.select([process.stdout], [], [], max(0, left))
                chunk = os.read(process.stdout.fileno(), 65536) if ready else b""
                assert chunk, f"ended or silent: {told.decode()}"
                told += chunk
            assert process.poll() is None
            then()
        finally:
            process.kill()
            process.communicate()
        return told.decode()

    def type(self, script: str, typed: str) -> tuple[int, str]:
        """(exit code, what was on the screen): at a terminal, with `typed` at the keyboard."""
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            ["bash", "-c", script],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**self._environment(), "TERM": "dumb"},
            cwd=self.home,
            start_new_session=True,
        ) as process:
            os.close(theirs)
            os.write(ours, typed.encode())
            screen, deadline = b"", time.monotonic() + WITHIN_S
            while time.monotonic() < deadline:
                if not select.select([ours], [], [], 1)[0]:
                    continue
                try:
                    screen += os.read(ours, 65536)
                except OSError:  # the other side is closed: it has ended
                    break
            else:
                process.kill()
            code = process.wait()
        os.close(ours)
        return code, screen.decode()

    def kubectl(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            [str(KUBECTL), "-n", NS, *arguments],
            env=self._environment(),
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def get(self, *what: str) -> Any:
        return json.loads(self.kubectl("get", *what, "-o", "json"))

    def pods(self, selector: str = "app=bizra-api,version=blue") -> list[Any]:
        """Those that are not ending."""
        items = self.get("pods", "-l", selector)["items"]
        return [p for p in items if "deletionTimestamp" not in p["metadata"]]

    def settle(self) -> None:
        """Until the rollout is complete and the pods before it are gone."""
        self.kubectl("rollout", "status", "deployment/bizra-api", f"--timeout={WITHIN_S:.0f}s")
        eventually(lambda: len(self.get("pods", "-l", "app=bizra-api")["items"]) == self.replicas())

    def replicas(self) -> int:
        return int(self.get("deployment", "bizra-api")["spec"]["replicas"])

    def _environment(self) -> dict[str, str]:
        path = f"{KUBECTL.parent}:{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "KUBECONFIG": str(self.kubeconfig)}


def eventually(look: Callable[[], Any], within_s: float = WITHIN_S) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.1)
    return found


def fetch(url: str) -> str:
    """The body, as soon as something answers."""

    def look() -> str:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    return str(eventually(look))


@contextmanager
def no_more(stage: Stage, *what: str) -> Iterator[None]:
    """Take something away again at the end."""
    try:
        yield
    finally:
        stage.kubectl("delete", *what, "--ignore-not-found", "--wait=false")
