"""Port-forward, as kubectl does it (SPDY) and as the official client does (channels)."""

import contextlib
import hashlib
import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kubernetes import client, config
from kubernetes.stream import portforward

from service.cluster.agent.spdy import (
    Data,
    Decoder,
    Encoder,
    Frame,
    GoAway,
    Open,
    Ping,
    Reset,
    SpdyError,
)
from service.cluster.kube import DEPLOYMENTS, SERVICES
from tests.cluster.conftest import PYTHON, Cluster, eventually

STREAMS = st.integers(1, 2**31 - 1)
NUMBERS = st.integers(0, 2**32 - 1)
FRAMES: st.SearchStrategy[Frame] = st.one_of(
    st.builds(Open, STREAMS, st.dictionaries(st.text(), st.text()), st.booleans(), st.booleans()),
    st.builds(Data, STREAMS, st.binary(max_size=2000), st.booleans()),
    st.builds(Reset, STREAMS, NUMBERS),
    st.builds(Ping, NUMBERS),
    st.builds(GoAway, STREAMS, NUMBERS),
)


@settings(deadline=None)
@given(st.lists(FRAMES, max_size=8), st.integers(1, 50))
def test_frames_arrive_as_they_were_sent_however_the_bytes_are_cut(
    frames: list[Frame], size: int
) -> None:
    encoder, decoder = Encoder(), Decoder()
    sent = b"".join(map(encoder.encode, frames))
    pieces = [sent[n : n + size] for n in range(0, len(sent), size)]
    assert [frame for piece in pieces for frame in decoder.feed(piece)] == frames


@given(st.binary(max_size=300))
def test_what_is_no_spdy_is_refused_or_ignored(noise: bytes) -> None:
    with contextlib.suppress(SpdyError):
        list(Decoder().feed(noise))


def test_headers_are_packed_with_the_dictionary_of_the_specification() -> None:
    packed = Encoder().encode(Open(1, {"streamtype": "error", "port": "80", "requestid": "0"}))
    assert packed[:8].hex() == f"80030001{len(packed) - 8:08x}"
    assert packed[18:24].hex() == "78bbe3c6a7c2"  # zlib's head, and the checksum of SPDY/3's


# Upper-cases what comes, and at the client's end says so and how much there was.
SERVER = """
import os, socketserver
class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        count = 0
        while data := self.request.recv(65536):
            count += len(data)
            self.request.sendall(data.upper())
        self.request.sendall(b"<end of %d>" % count)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 100
Server((os.environ["POD_IP"], 7000), Handler).serve_forever()
"""
CONTAINER = {
    "name": "c",
    "image": PYTHON,
    "command": ["python3", "-c", SERVER],
    "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
    "ports": [{"containerPort": 7000, "name": "upper"}],
    "readinessProbe": {"tcpSocket": {"port": 7000}, "periodSeconds": 1},
}


@pytest.fixture(scope="module")
def upper(cluster: Cluster) -> Iterator[str]:
    """A Deployment and a Service (port 70) of this name."""
    labels = {"app": "upper"}
    spec = {"containers": [CONTAINER], "terminationGracePeriodSeconds": 1}
    body = {
        "metadata": {"name": "upper"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
    front = {"selector": labels, "ports": [{"port": 70, "targetPort": "upper"}]}
    cluster.kube.create(DEPLOYMENTS, body, cluster.namespace)
    cluster.kube.create(SERVICES, {"metadata": {"name": "upper"}, "spec": front}, cluster.namespace)
    cluster.said("rollout", "status", "deployment/upper", "--timeout=60s")
    yield "upper"
    cluster.said("delete", "deployment,service", "upper")


@contextmanager
def forwarded(
    cluster: Cluster, target: str, *ports: str
) -> Iterator[tuple[list[int], subprocess.Popen[str]]]:
    """The local ports of a running `kubectl port-forward`, and the process."""
    command = cluster.command("port-forward", "--address=127.0.0.1", target, *ports)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = []
        for _ in ports:
            line = process.stdout.readline()
            match = re.match(r"Forwarding from 127\.0\.0\.1:(\d+) -> \d+", line)
            assert match, line + (process.stderr.read() if process.stderr and not line else "")
            found.append(int(match[1]))
        yield found, process
    finally:
        process.kill()
        process.communicate()


def exchange(port: int, data: bytes) -> bytes:
    """What came back for `data`, after which our half was closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        sending = threading.Thread(target=_send, args=(connection, data))
        sending.start()
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
        sending.join()
        return answer


def _send(connection: socket.socket, data: bytes) -> None:
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize(
    ("kind", "port"), [("pod", "7000"), ("svc", "70"), ("deployment", "upper")]
)
def test_kubectl_forwards_to_pods_services_and_deployments(
    cluster: Cluster, upper: str, kind: str, port: str
) -> None:
    name = upper
    if kind == "pod":
        name = cluster.said("get", "pods", "-l", "app=upper", "-o", "name").split("/")[1].strip()
    with forwarded(cluster, f"{kind}/{name}", f":{port}") as ((local,), _):
        assert exchange(local, b"hello") == b"HELLO<end of 5>"


@pytest.mark.slow
@pytest.mark.cluster
def test_many_connections_and_much_data_over_one_forward(cluster: Cluster, upper: str) -> None:
    with forwarded(cluster, f"svc/{upper}", ":70") as ((local,), process):
        with ThreadPoolExecutor(50) as pool:
            words = [f"connection {n}".encode() for n in range(200)]
            answers = list(pool.map(lambda word: exchange(local, word), words))
        assert answers == [w.upper() + b"<end of %d>" % len(w) for w in words]
        much = os.urandom(32 << 20)
        answer = exchange(local, much)
        assert answer.endswith(b"<end of %d>" % len(much))
        digest = hashlib.sha256(answer[: len(much)]).digest()
        assert digest == hashlib.sha256(much.upper()).digest()
        assert process.poll() is None


@pytest.mark.slow
@pytest.mark.cluster
def test_a_port_that_nobody_listens_on_is_told(cluster: Cluster, upper: str) -> None:
    with forwarded(cluster, f"deployment/{upper}", ":9") as ((local,), process):
        assert exchange(local, b"") == b""
        assert process.stderr is not None
        said = ""
        while "refused" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
    assert re.search(r"error forwarding port 9 to pod .*: connect: connection refused", said)


@pytest.mark.slow
@pytest.mark.cluster
def test_the_official_client_forwards(cluster: Cluster, upper: str) -> None:
    api = client.CoreV1Api(config.new_client_from_config(cluster.kubeconfig))
    pods = api.list_namespaced_pod(cluster.namespace, label_selector=f"app={upper}")
    name = pods.items[0].metadata.name
    ways = portforward(
        api.connect_get_namespaced_pod_portforward, name, cluster.namespace, ports="7000,9"
    )
    connection = ways.socket(7000)
    connection.setblocking(True)
    connection.sendall(b"through channels")
    assert connection.recv(1000) == b"THROUGH CHANNELS"
    eventually(lambda: ways.error(9))
    assert "connection refused" in ways.error(9)
    assert ways.error(7000) is None
    ways.close()
