"""A real API server process on an address of its own, for tests."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme
from ruamel.yaml import YAML

from service.cluster.kube import NAMESPACES, Kube

ADMIN_TOKEN = "admin-token"
KUBELET_TOKEN = "kubelet-token"
NODE_TOKEN = "node-token"


class AnyApiServer:
    """Reached by a kubeconfig alone, with a namespace for the tests' objects."""

    def __init__(self, kubeconfig: Path, namespace: str = "default") -> None:
        self.kubeconfig, self.namespace = kubeconfig, namespace

    @property
    def kube(self) -> Kube:
        return Kube.connect(str(self.kubeconfig))

    def kubectl(self, *arguments: str, check: bool = True, stdin: str | None = None) -> str:
        """Standard output of the real kubectl; with check=False both streams, any exit code."""
        where = [] if self.namespace == "default" else ["-n", self.namespace]
        done = subprocess.run(
            [str(Path(sys.executable).parent / "kubectl"), *where, *arguments],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
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


class RunningApiServer(AnyApiServer):
    """`directory` is the server's; stop() and start() restart it over the same state.

    `client` is a certificate that the server could show to node agents.
    """

    def __init__(self, directory: Path, host: str, port: int, client: trustme.LeafCert) -> None:
        super().__init__(directory / "kubeconfig")
        self.directory, self.host, self.port, self.client = directory, host, port, client
        self.process: subprocess.Popen[bytes] | None = None

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


def _write_keys(directory: Path, host: str, port: int, node: tuple[str, str]) -> trustme.LeafCert:
    pki = directory / "pki"
    pki.mkdir(parents=True)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(pki / "ca.crt")
    certificate = authority.issue_cert(host, "localhost")
    certificate.private_key_pem.write_to_path(pki / "apiserver.key")
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(pki / "apiserver.crt", append=True)
    serving = authority.issue_cert(node[1])
    serving.private_key_pem.write_to_path(pki / "kubelet.key")
    for blob in serving.cert_chain_pems:
        blob.write_to_path(pki / "kubelet.crt", append=True)
    groups = ["system:nodes", "system:authenticated"]
    users = {
        NODE_TOKEN: {"user": f"system:node:{node[0]}", "groups": groups},
        ADMIN_TOKEN: {"user": "admin", "groups": ["system:masters"]},
        KUBELET_TOKEN: {"user": "apiserver", "groups": ["system:masters"]},
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
    return authority.issue_cert(
        "apiserver", common_name="apiserver", organization_name="system:masters"
    )


@contextmanager
def running_apiserver(
    directory: Path, node: tuple[str, str] = ("node-1", "127.0.0.1")
) -> Iterator[RunningApiServer]:
    """Started on a free port of 127.0.0.1, and ended. It knows a node of that name and address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    client = _write_keys(directory, "127.0.0.1", port, node)
    server = RunningApiServer(directory, "127.0.0.1", port, client)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def any_apiserver(directory: Path) -> Iterator[AnyApiServer]:
    """$KUBECONFIG's, in a namespace that is deleted in the end; else a process of our own."""
    kubeconfig = os.environ.get("KUBECONFIG")
    if kubeconfig is None:
        with running_apiserver(directory) as server:
            yield server
        return
    external = AnyApiServer(Path(kubeconfig), f"gameday-api-{os.getpid()}")
    external.kube.create(NAMESPACES, {"metadata": {"name": external.namespace}})
    try:
        yield external
    finally:
        external.kube.delete(NAMESPACES, external.namespace)
