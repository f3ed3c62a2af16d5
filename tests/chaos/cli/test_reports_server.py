"""The server of reports: to whoever has the token, the reports, and nothing else."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread, Timer
from urllib.parse import urlsplit

import pytest

from chaos.cli.reports_server import ReportsServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ReportsServer]:
    run = tmp_path / "runs" / "one run"
    run.mkdir(parents=True)
    (tmp_path / "runs" / "index.html").write_text("the index")
    (run / "report.html").write_text("the report")
    (run / "journal.jsonl").write_text("not for everybody")
    (tmp_path / "report.html").write_text("outside")
    (run / "runbook.html").symlink_to(tmp_path / "report.html")
    with ReportsServer(tmp_path / "runs") as found:
        thread = Thread(target=found.serve_forever, daemon=True)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def get(server: ReportsServer, path: str, host: str | None = None) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request("GET", path, headers={"Host": host or server.host})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_the_reports_are_served_to_whoever_has_the_token(server: ReportsServer) -> None:
    assert server.address.startswith("http://127.0.0.1:")
    assert get(server, f"/{server.token}/index.html") == (200, "the index")
    assert get(server, f"/{server.token}/one%20run/report.html") == (200, "the report")


@pytest.mark.parametrize(
    "path",
    [
        "/index.html",
        "/wrong/index.html",
        "/{token}/one%20run/journal.jsonl",
        "/{token}/../report.html",
        "/{token}/%2e%2e/report.html",
        "/{token}/one%20run/runbook.html",
        "/{token}/",
        "/{token}/nowhere/report.html",
    ],
)
def test_nothing_else_is_served(server: ReportsServer, path: str) -> None:
    status, body = get(server, path.format(token=server.token))
    assert (status, body) == (404, "There is no such report.\n")


def test_a_name_that_is_pointed_at_loopback_is_not_served(server: ReportsServer) -> None:
    assert get(server, f"/{server.token}/index.html", host="evil.example")[0] == 404


def test_the_command_says_the_address_serves_and_ends_when_interrupted(tmp_path: Path) -> None:
    gameday = Path(sys.executable).with_name("gameday")
    command = [gameday, "open", str(tmp_path), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        deadline = Timer(60, process.kill)
        deadline.start()
        try:
            assert process.stdout is not None
            address = urlsplit(process.stdout.readline().strip())
            connection = HTTPConnection("127.0.0.1", address.port, timeout=10)
            connection.request("GET", address.path)
            answer = connection.getresponse()
            assert answer.status == 200
            assert "No run with a verdict" in answer.read().decode()
            process.send_signal(signal.SIGINT)
            assert process.wait() == 0
        finally:
            deadline.cancel()
            process.kill()
