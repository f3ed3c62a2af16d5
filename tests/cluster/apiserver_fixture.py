"""A real API server process on an address of its own, for tests."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from ruamel.yaml import YAML

from service.cluster.kube import Kube

ADMIN_TOKEN = "admin-token"
KUBELET_TOKEN = "kubelet-token"


@dataclass
class RunningApiServer:
    """`directory` is the server's; stop() and start() restart it over the same state."""

    directory: Path
    host: str
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def kube(self) -> Kube:
        return Kube.connect(str(self.kubeconfig))

    def start(self) -> None:
        command = [sys.executable, "-m", "service.cluster.apiserver"]
        where = ["--host", self.host, "--port", str(self.port), "--dir", str(self.directory)]
        self.process = subprocess.Popen([*command, *where])
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection((self.host, self.port), timeout=1).close()
            except OSError:
                assert self.process.poll() is None, "the API server ended at once"
                assert time.monotonic() < deadline, "the API server does not listen"
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(15)
            self.process = None

    def kubectl(self, *arguments: str, check: bool = True, stdin: str | None = None) -> str:
        """Standard output of the real kubectl; with check=False both streams, any exit code."""
        done = subprocess.run(
            [str(Path(sys.executable).parent / "kubectl"), *arguments],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.directory)},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if not check:
            return done.stdout + done.stderr
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout


def _write_keys(directory: Path, host: str, port: int) -> None:
    pki = directory / "pki"
    pki.mkdir(parents=True)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(pki / "ca.crt")
    certificate = authority.issue_cert(host, "localhost")
    certificate.private_key_pem.write_to_path(pki / "apiserver.key")
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(pki / "apiserver.crt", append=True)
    users = {
        ADMIN_TOKEN: {"user": "admin", "groups": ["system:masters"]},
        KUBELET_TOKEN: {"user": "apiserver", "groups": ["system:nodes"]},
    }
    (pki / "tokens.json").write_text(json.dumps(users))
    (pki / "apiserver-kubelet.token").write_text(KUBELET_TOKEN)
    (pki / "sa.key").write_bytes(os.urandom(32))
    server = {
        "server": f"https://{host}:{port}",
        "certificate-authority": str(pki / "ca.crt"),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": server}],
        "users": [{"name": "admin", "user": {"token": ADMIN_TOKEN}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "current-context": "test",
    }
    with (directory / "kubeconfig").open("w") as file:
        YAML(typ="safe").dump(config, file)


@contextmanager
def running_apiserver(directory: Path) -> Iterator[RunningApiServer]:
    """Started on a free port of 127.0.0.1, and ended."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = RunningApiServer(directory, "127.0.0.1", port)
    _write_keys(directory, server.host, server.port)
    server.start()
    try:
        yield server
    finally:
        server.stop()
