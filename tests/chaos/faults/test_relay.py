"""The relay over real sockets: what it does to a connection, compared with none of it."""

import json
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any

import pytest

QUIET = {"latency_s": 0, "jitter_s": 0, "loss": 0, "reset": 0, "rate": 0, "seed": "1"}


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)


@pytest.fixture
def echo() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@pytest.fixture
def relay(echo: int) -> Iterator[Callable[..., int]]:
    """Starts relays to the echo server as a fault does; returns the port of one."""
    running: list[subprocess.Popen[bytes]] = []

    def start(to: int = echo, **settings: Any) -> int:
        port = free_port()
        place = {"to": "127.0.0.1", "host": "127.0.0.1", "ports": {port: to}}
        program = resources.files("chaos.faults").joinpath("relay.py").read_text()
        setting = json.dumps({**QUIET, **place, **settings})
        running.append(subprocess.Popen([sys.executable, "-I", "-S", "-c", program, setting]))
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            else:
                return port

    yield start
    for process in running:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def exchange(port: int, data: bytes = b"x") -> tuple[bytes, float]:
    """What comes back, and after how many seconds."""
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 30) as found:
        found.sendall(data)
        found.shutdown(socket.SHUT_WR)
        back = b""
        while piece := found.recv(65536):
            back += piece
    return back, time.monotonic() - begun


def ends(port: int) -> set[str]:
    """How ten exchanges end: a reset may come only after the data was taken, as an empty answer."""
    found = set()
    for _ in range(10):
        try:
            found.add("answer" if exchange(port)[0] else "nothing")
        except ConnectionResetError:
            found.add("reset")
    return found


def test_without_any_harm_all_data_come_back_in_order(relay: Callable[..., int]) -> None:
    data = bytes(range(256)) * 8000
    assert exchange(relay(), data)[0] == data


def test_latency_is_added_to_the_opening_and_to_each_direction(relay: Callable[..., int]) -> None:
    back, took = exchange(relay(latency_s=0.1))
    assert back == b"x"
    assert took >= 0.3


def test_lost_data_come_later_and_none_is_missing(relay: Callable[..., int]) -> None:
    data = bytes(range(256)) * 64
    back, took = exchange(relay(loss=0.8), data)
    assert back == data
    assert took >= 0.2


def test_a_rate_holds_data_up(relay: Callable[..., int]) -> None:
    back, took = exchange(relay(rate=100_000), b"x" * 50_000)
    assert len(back) == 50_000
    assert took >= 0.4


def test_connections_are_reset(relay: Callable[..., int]) -> None:
    port = relay(reset=1)
    assert "answer" not in (seen := ends(port))
    assert "reset" in seen


def test_a_far_side_that_goes_away_is_a_reset(relay: Callable[..., int]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as far:
        port = relay(to=far.getsockname()[1])
    assert "answer" not in (seen := ends(port))
    assert "reset" in seen


def test_it_listens_once_the_far_side_can_be_reached(relay: Callable[..., int]) -> None:
    """So that Kubernetes sends nobody to a relay from which no way leads on."""
    far_port = free_port()
    far: list[socket.socket] = []
    later = threading.Timer(1.0, lambda: far.append(socket.create_server(("127.0.0.1", far_port))))
    later.start()
    relay(to=far_port)  # which waits until it listens
    assert far
    far[0].close()
