"""Foreign errors are translated once, and completely."""

import errno
import socket
import ssl

import pytest

from loadtests.failures import error_kind, own_shortage
from slo.model import ErrorKind


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, ErrorKind.NONE),
        (302, ErrorKind.NONE),
        (400, ErrorKind.CLIENT_ERROR),
        (499, ErrorKind.CLIENT_ERROR),
        (500, ErrorKind.SERVER_ERROR),
        (503, ErrorKind.SERVER_ERROR),
    ],
)
def test_an_answer_counts_by_its_status(status: int, kind: ErrorKind) -> None:
    error = ValueError() if status >= 400 else None
    assert error_kind(status, error) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), ErrorKind.TIMEOUT),
        (ConnectionRefusedError(), ErrorKind.REFUSED),
        (ConnectionResetError(), ErrorKind.RESET),
        (BrokenPipeError(), ErrorKind.RESET),
        (OSError(errno.EHOSTUNREACH, "no route"), ErrorKind.REFUSED),
        (OSError(errno.ETIMEDOUT, "slow"), ErrorKind.TIMEOUT),
        (socket.gaierror(-2, "unknown name"), ErrorKind.GENERATOR),
        (OSError(errno.EMFILE, "files"), ErrorKind.GENERATOR),
        (OSError(errno.ENFILE, "files of all"), ErrorKind.GENERATOR),
        (OSError(errno.EADDRNOTAVAIL, "ports"), ErrorKind.GENERATOR),
        (ssl.SSLError(), ErrorKind.OTHER),
        (RuntimeError(), ErrorKind.OTHER),
        (None, ErrorKind.NONE),  # a client without statuses
    ],
)
def test_an_error_counts_by_what_it_is(error: BaseException | None, kind: ErrorKind) -> None:
    assert error_kind(0, error) is kind


def test_what_the_generators_own_machine_lacks_is_told_apart() -> None:
    wrapper = RuntimeError("retries exceeded")
    wrapper.__cause__ = OSError(errno.EMFILE, "no more files")
    assert own_shortage(wrapper) == "Too many open files"
    assert error_kind(0, wrapper) is ErrorKind.GENERATOR
    assert error_kind(503, wrapper) is ErrorKind.SERVER_ERROR  # it was answered
    assert "was not resolved" in own_shortage(socket.gaierror(-3, "later"))
    assert own_shortage(ConnectionRefusedError(errno.ECONNREFUSED, "refused")) == ""
    assert own_shortage(None) == ""


def test_what_the_locustfile_calls_a_success_is_one() -> None:
    assert error_kind(404, None) is ErrorKind.NONE


def test_an_answer_that_is_never_complete_is_a_timeout() -> None:
    assert error_kind(200, TimeoutError()) is ErrorKind.TIMEOUT


def test_a_wrapped_error_counts_as_what_caused_it() -> None:
    wrapper = RuntimeError("retries exceeded")
    wrapper.__cause__ = ConnectionResetError()
    assert error_kind(0, wrapper) is ErrorKind.RESET


def test_every_exception_that_locust_calls_a_failure_has_a_kind() -> None:
    """The list is Locust's own; only what says nothing about the connection may be "other"."""
    import subprocess
    import sys

    program = """
from locust.contrib.fasthttp import FAILURE_EXCEPTIONS
from loadtests.failures import error_kind
for kind in FAILURE_EXCEPTIONS:
    made = kind.__new__(kind)
    print(kind.__name__, error_kind(0, made).value)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    found = dict(line.split() for line in done.stdout.splitlines())
    assert found.pop("OSError", "other") == "other"  # an errno decides
    assert found.pop("ConnectionError", "other") == "other"  # a wrapper: its cause decides
    other = {name for name, kind in found.items() if kind == "other"}
    assert other <= {"SSLError", "HTTPParseError", "error"}
    assert found["HTTPConnectionClosed"] == "reset"
    assert found["Timeout"] == "timeout"
