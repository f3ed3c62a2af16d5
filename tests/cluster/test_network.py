"""Pods' network: who a connection comes from, and that NetworkPolicies really cut."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from service.cluster.kube import NETWORK_POLICIES, SERVICES, Json
from tests.cluster.conftest import PYTHON, Cluster, eventually

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

# Answers each line with the address that the connection comes from.
SERVER = """
import os, socketserver
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline():
            self.wfile.write(self.client_address[0].encode() + b"\\n")
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer((os.environ["POD_IP"], 8000), Handler).serve_forever()
"""
# Asks over one connection for as long as it lives; says what was answered last.
STEADY = """
import pathlib, socket, sys, time
link = socket.create_connection((sys.argv[1], 8000))
link.settimeout(1)
while True:
    try:
        link.sendall(b"?\\n")
        told = link.recv(99).decode().strip()
    except OSError as error:
        told = type(error).__name__
    pathlib.Path("/tmp/told").write_text(told)
    time.sleep(0.1)
"""
ASK = """
import socket, sys
try:
    link = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2)
    link.sendall(b"?\\n")
    print(link.recv(99).decode().strip())
except OSError as error:
    print(type(error).__name__)
"""
ADDRESS = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


class Town:
    """A server behind a service, a friend with a lasting connection, and a stranger."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.server = self.address("server")

    def address(self, pod: str) -> str:
        return str(self.cluster.get(pod)["status"]["podIP"])

    def ask(self, pod: str, host: str, port: int = 8000) -> str:
        return self.cluster.said("exec", pod, "--", "python3", "-c", ASK, host, str(port)).strip()

    def last_told(self, pod: str = "friend") -> str:
        return self.cluster.said("exec", pod, "--", "cat", "/tmp/told").strip()

    def policy(self, name: str, pods: str, **rules: object) -> None:
        body = {
            "metadata": {"name": name},
            "spec": {"podSelector": {"matchLabels": {"app": pods}}, **rules},
        }
        self.cluster.kube.create(NETWORK_POLICIES, body, self.cluster.namespace)

    def open(self, name: str) -> None:
        self.cluster.kube.delete(NETWORK_POLICIES, name, self.cluster.namespace)


@pytest.fixture(scope="module")
def town(cluster: Cluster) -> Iterator[Town]:
    def program(text: str, *arguments: str) -> Json:
        command = ["python3", "-u", "-c", text, *arguments]
        return {"image": PYTHON, "command": command, "env": [ADDRESS]}

    ready = {"tcpSocket": {"port": 8000}, "periodSeconds": 1}
    ports = [{"name": "ask", "containerPort": 8000}]
    service = {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": "ask"}]}
    with ExitStack() as stack:
        server = {**program(SERVER), "readinessProbe": ready, "ports": ports}
        stack.enter_context(cluster.pod("server", server))
        body = {"metadata": {"name": "asked"}, "spec": service}
        cluster.kube.create(SERVICES, body, cluster.namespace)
        eventually(lambda: cluster.is_ready("server"))
        address = cluster.get("server")["status"]["podIP"]
        stack.enter_context(cluster.pod("friend", program(STEADY, address)))
        stack.enter_context(cluster.pod("stranger"))
        eventually(lambda: cluster.is_ready("friend") and cluster.is_ready("stranger"))
        yield Town(cluster)


def test_a_connection_comes_from_the_pod_direct_or_through_a_service(town: Town) -> None:
    friend = town.address("friend")
    assert town.ask("friend", town.server) == friend
    eventually(lambda: town.ask("friend", "asked", 80) == friend)
    assert town.ask("stranger", town.server) == town.address("stranger")


def test_a_policy_cuts_new_and_standing_connections_and_heals(town: Town) -> None:
    friend = town.address("friend")
    eventually(lambda: town.last_told() == friend)
    town.policy("shut", "server", policyTypes=["Ingress"])
    eventually(lambda: town.last_told() == "TimeoutError")
    assert town.ask("friend", town.server) == "TimeoutError"
    assert town.ask("friend", "asked", 80) == "TimeoutError"
    assert town.cluster.is_ready("server")  # its own node always reaches it
    town.open("shut")
    eventually(lambda: town.last_told() == friend)
    assert town.ask("friend", "asked", 80) == friend


def test_a_policy_lets_in_whom_it_names(town: Town) -> None:
    named = {"podSelector": {"matchLabels": {"app": "friend"}}}
    town.policy("friends", "server", ingress=[{"from": [named], "ports": [{"port": "ask"}]}])
    eventually(lambda: town.ask("stranger", town.server) == "TimeoutError")
    assert town.ask("stranger", "asked", 80) == "TimeoutError"
    assert town.ask("friend", town.server) == town.address("friend")
    assert town.ask("friend", "asked", 80) == town.address("friend")
    town.open("friends")


def test_egress_is_cut_but_for_what_is_named(town: Town) -> None:
    town.policy("inside", "stranger", policyTypes=["Egress"])
    eventually(lambda: town.ask("stranger", town.server) == "TimeoutError")
    assert town.ask("friend", town.server) == town.address("friend")
    town.open("inside")
    to = {"podSelector": {"matchLabels": {"app": "server"}}}
    town.policy("only", "stranger", policyTypes=["Egress"], egress=[{"to": [to]}])
    eventually(lambda: town.ask("stranger", "asked", 80) == town.address("stranger"))
    assert town.ask("stranger", town.address("friend"), 1) == "TimeoutError"
    town.open("only")
    assert eventually(lambda: town.ask("stranger", town.address("friend"), 1)) == (
        "ConnectionRefusedError"
    )
