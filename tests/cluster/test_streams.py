"""exec, attach, cp and logs, as people type them."""

import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path

import pytest
from kubernetes import client, config
from kubernetes.stream import stream

from service.cluster.kube import DEPLOYMENTS
from tests.cluster.conftest import Cluster, eventually

pytestmark = [pytest.mark.slow, pytest.mark.cluster]


class Terminal:
    """A command at a terminal, as a person sees and types it."""

    def __init__(self, command: list[str]) -> None:
        self._ours, theirs = pty.openpty()
        self._size(30, 100)
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        self.seen = ""

    def resize(self, rows: int, columns: int) -> None:
        self._size(rows, columns)
        self.process.send_signal(signal.SIGWINCH)

    def _size(self, rows: int, columns: int) -> None:
        ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def wait_for(self, pattern: str, within_s: float = 30) -> str:
        """What was shown since the last time, up to the pattern's match; that is returned."""
        deadline = time.monotonic() + within_s
        while not (match := re.search(pattern, self.seen)):
            left = deadline - time.monotonic()
            assert left > 0, f"{pattern!r} was not shown, but {self.seen!r}"
            if select.select([self._ours], [], [], left)[0]:
                try:
                    self.seen += os.read(self._ours, 65536).decode()
                except OSError as error:  # the command has ended
                    raise AssertionError(f"{pattern!r}: not in {self.seen!r}") from error
        self.seen = self.seen[match.end() :]
        return match[0]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@contextmanager
def terminal(command: list[str]) -> Iterator[Terminal]:
    shown = Terminal(command)
    try:
        yield shown
    finally:
        shown.close()


@pytest.fixture(scope="module")
def shell(cluster: Cluster) -> Iterator[str]:
    """A pod that runs for the whole module."""
    with cluster.pod("shell") as name:
        eventually(lambda: cluster.is_ready(name))
        yield name


def test_exec_gives_output_errors_and_exit_codes(cluster: Cluster, shell: str) -> None:
    done = cluster.kubectl("exec", shell, "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.stdout, done.returncode) == ("out\n", 7)
    assert done.stderr == "err\ncommand terminated with exit code 7\n"
    assert cluster.kubectl("exec", shell, "--", "false").returncode == 1
    killed = cluster.kubectl("exec", shell, "--", "sh", "-c", "kill -9 $$")
    assert killed.returncode == 137
    missing = cluster.kubectl("exec", shell, "-c", "nobody", "--", "true")
    assert missing.returncode == 1
    assert "container nobody is not valid for pod shell" in missing.stderr


def test_exec_reads_standard_input_to_its_end(cluster: Cluster, shell: str) -> None:
    text = "".join(f"line {n}\n" for n in range(20_000))
    done = cluster.kubectl("exec", "-i", shell, "--", "cat", stdin=text)
    assert done.stdout == text


def test_exec_at_a_terminal(cluster: Cluster, shell: str) -> None:
    with terminal(cluster.command("exec", "-it", shell, "--", "sh")) as shown:
        shown.type("stty size\n")
        shown.wait_for(r"30 100\r\n")
        shown.resize(40, 120)
        eventually(lambda: _asked(shown, "stty size\n", r"\d+ \d+\r\n").endswith("40 120\r\n"))
        shown.type("sleep 100\n")
        shown.wait_for("sleep 100")
        shown.type("\x03")  # Ctrl-C reaches the command, not kubectl
        shown.type("echo still $((40 + 2))\n")
        shown.wait_for("still 42")
        shown.type("exit 3\n")
        assert shown.process.wait(30) == 3


def _asked(shown: Terminal, text: str, pattern: str) -> str:
    shown.type(text)
    return shown.wait_for(pattern)


def test_exec_by_the_official_client(cluster: Cluster, shell: str) -> None:
    api = client.CoreV1Api(config.new_client_from_config(cluster.kubeconfig))
    running = stream(
        api.connect_get_namespaced_pod_exec,
        shell,
        cluster.namespace,
        command=["sh", "-c", "read word; echo got $word; echo bad >&2; exit 4"],
        stdin=True,
        stdout=True,
        stderr=True,
        tty=False,
        _preload_content=False,
    )
    running.write_stdin("something\n")
    running.run_forever(timeout=30)
    assert running.read_stdout() == "got something\n"
    assert running.read_stderr() == "bad\n"
    assert running.returncode == 4
    text = stream(
        api.connect_get_namespaced_pod_exec,
        shell,
        cluster.namespace,
        command=["echo", "plain"],
        stderr=True,
        stdin=False,
        stdout=True,
        tty=False,
    )
    assert text == "plain\n"


def test_exec_is_under_the_limits_of_the_container(cluster: Cluster) -> None:
    limits = {"limits": {"memory": "48Mi"}}
    with cluster.pod("tight", {"resources": limits, "image": "python:3.13-alpine"}) as name:
        eventually(lambda: cluster.is_ready(name))
        eat = "x = b'x' * (200 << 20)"
        done = cluster.kubectl("exec", name, "--", "python3", "-c", eat)
        assert done.returncode != 0


def test_cp_takes_files_and_directories_both_ways(
    cluster: Cluster, shell: str, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    (tree / "deep" / "er").mkdir(parents=True)
    (tree / "deep" / "er" / "data").write_bytes(os.urandom(3 << 20))
    (tree / "name with spaces").write_text("x")
    script = tree / "run.sh"
    script.write_text("#!/bin/sh\necho ran\n")
    script.chmod(0o755)
    assert cluster.kubectl("cp", str(tree), f"{shell}:/tmp/there").returncode == 0
    assert cluster.said("exec", shell, "--", "/tmp/there/run.sh") == "ran\n"
    back = tmp_path / "back"
    assert cluster.kubectl("cp", f"{shell}:/tmp/there", str(back)).returncode == 0
    for path in (p for p in tree.rglob("*") if p.is_file()):
        assert (back / path.relative_to(tree)).read_bytes() == path.read_bytes()
    assert cluster.kubectl("cp", str(script), f"{shell}:/tmp/one").returncode == 0
    assert cluster.said("exec", shell, "--", "cat", "/tmp/one") == script.read_text()
    missing = cluster.kubectl("cp", f"{shell}:/nowhere", str(tmp_path / "no"))
    assert "No such file" in missing.stdout + missing.stderr


ECHO = 'echo ready; while read line; do echo "got $line"; echo "err $line" >&2; done; echo end'


def test_attach_shows_the_output_and_feeds_the_input(cluster: Cluster) -> None:
    once = {"stdin": True, "stdinOnce": True, "command": ["sh", "-c", ECHO]}
    with cluster.pod("fed", once, restartPolicy="Never") as name:
        eventually(lambda: cluster.is_ready(name))
        done = cluster.kubectl("attach", "-i", name, stdin="one\ntwo\n")
        assert done.stdout == "got one\ngot two\nend\n"
        assert "err one\nerr two\n" in done.stderr
        eventually(lambda: cluster.get(name)["status"]["phase"] == "Succeeded")
        assert max(cluster.said("logs", name).splitlines()) == "ready"


def test_run_it_is_a_shell(cluster: Cluster) -> None:
    command = ("run", "visit", "-it", "--rm", "--restart=Never", "--image=busybox:1.36", "--", "sh")
    with terminal(cluster.command(*command)) as shown:
        shown.wait_for("pressing enter|[$#] ")
        shown.type("\n")
        shown.wait_for("[$#] ")  # a prompt, which is no whole line
        shown.type("stty size; tty\n")
        shown.wait_for(r"30 100\r\n/dev/pts/\d+")
        shown.type("exit 5\n")
        shown.wait_for('pod "visit" deleted')
        assert shown.process.wait(30) == 5


TALK = "echo zero >&2; sleep 0.3; for n in one two three; do echo $n; done"


def test_logs_of_one_container(cluster: Cluster) -> None:
    talks = {"command": ["sh", "-c", f"{TALK}; sleep 2; echo last; exit 3"]}
    with cluster.pod("talks", talks) as name:
        eventually(lambda: cluster.kubectl("logs", name).stdout.count("\n") == 4)
        followed = cluster.said("logs", "-f", name)  # ends with the container
        assert followed == "zero\none\ntwo\nthree\nlast\n"
        eventually(lambda: cluster.container(name)["restartCount"] >= 1)
        previous = cluster.said("logs", "--previous", name)
        assert previous == followed
        eventually(lambda: "three" in cluster.said("logs", name))
        assert cluster.said("logs", name, "--tail=0") == ""
        tail = cluster.said("logs", "--previous", name, "--tail=2", "--timestamps")
        stamps = [line.split(" ")[0] for line in tail.splitlines()]
        assert [line.split(" ")[1] for line in tail.splitlines()] == ["three", "last"]
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", s) for s in stamps)
        since = cluster.said("logs", "--previous", name, f"--since-time={stamps[1]}")
        assert since == "last\n"
        assert cluster.said("logs", "--previous", name, "--since=1h") == previous
        assert cluster.said("logs", "--previous", name, "--limit-bytes=7") == "zero\non"


def test_logs_of_many_pods_and_containers(cluster: Cluster) -> None:
    labels = {"app": "chorus"}
    containers = [
        {"name": n, "image": "busybox:1.36", "command": ["sh", "-c", f"echo {n}; sleep 1000"]}
        for n in ("alto", "bass")
    ]
    body = {
        "metadata": {"name": "chorus"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": containers, "terminationGracePeriodSeconds": 0},
            },
        },
    }
    cluster.kube.create(DEPLOYMENTS, body, cluster.namespace)
    cluster.said("rollout", "status", "deployment/chorus", "--timeout=60s")
    everything = ("logs", "-l", "app=chorus", "--all-containers", "--prefix")
    eventually(lambda: len(cluster.said(*everything).splitlines()) == 4)
    pods = json.loads(cluster.said("get", "pods", "-l", "app=chorus", "-o", "json"))["items"]
    names = [p["metadata"]["name"] for p in pods]
    expected = [f"[pod/{name}/{c}] {c}" for name in names for c in ("alto", "bass")]
    assert sorted(cluster.said(*everything).splitlines()) == sorted(expected)
    one = cluster.kubectl("logs", "deployment/chorus", "-c", "bass")
    assert one.stdout == "bass\n"
    assert "Found 2 pods" in one.stderr
    unnamed = cluster.kubectl("logs", names[0])  # kubectl itself takes the first
    assert unnamed.stdout == "alto\n"
    assert "Defaulted container" in unnamed.stderr
    wrong = cluster.kubectl("logs", names[0], "-c", "tenor")
    assert "container tenor is not valid for pod" in wrong.stderr
    never = cluster.kubectl("logs", names[0], "-c", "alto", "--previous")
    assert f'previous terminated container "alto" in pod "{names[0]}" not found' in never.stderr
    cluster.kube.delete(DEPLOYMENTS, "chorus", cluster.namespace)
