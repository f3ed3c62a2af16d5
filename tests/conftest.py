"""Settings for all tests."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A shared machine may stand still for longer than the 200 ms that one example has by default.
# pytest-timeout bounds a test as a whole. The same examples each time, so that a commit that passed
# passes again; `pytest --hypothesis-profile search` looks for new ones.
settings.register_profile("gameday", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None)
settings.load_profile("gameday")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test marked `alone` has the machine to itself; all others run beside each other.

    For tests whose answer is a verdict on a service's speed: another worker's cluster that starts
    takes both processors for half a minute, and the service under test is truly slow then.
    """
    with _turn(alone=item.get_closest_marker("alone") is not None):
        return (yield)


@contextlib.contextmanager
def _turn(*, alone: bool) -> Iterator[None]:
    """Readers and writers, with a turnstile: who waits to be alone lets nobody else begin."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    name = Path(tempfile.gettempdir()) / f"gameday-tests-{run}"
    with Path(f"{name}.turnstile").open("w") as turnstile, Path(f"{name}.lock").open("w") as lock:
        fcntl.flock(turnstile, fcntl.LOCK_EX)
        fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        if not alone:
            fcntl.flock(turnstile, fcntl.LOCK_UN)
        yield
