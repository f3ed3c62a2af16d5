"""Which processes of a node are a container's, as the program of the helper pods sees them."""

import os
import signal
import subprocess
import sys
import uuid

import pytest

from chaos.faults.signals import processes, send

RUNTIME = """
import signal, subprocess, sys
code = "import time; print('up', flush=True); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", code])
signal.signal(signal.SIGTERM, lambda *_: child.kill())
sys.exit(child.wait())
"""


@pytest.fixture
def container() -> str:
    return uuid.uuid4().hex


def test_without_control_groups_they_stand_below_what_the_runtime_started(container: str) -> None:
    command = [sys.executable, "-c", RUNTIME, f"/run/{container}.json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as runtime:
        assert runtime.stdout is not None
        assert runtime.stdout.readline() == b"up\n"
        found = processes([container])
        assert runtime.pid in found
        assert len(found) == 2
        assert send([container], signal.SIGKILL) == 2
        assert runtime.wait(30) == -signal.SIGKILL
    assert processes([container]) == set()


def test_a_runtimes_monitor_that_names_the_container_is_none_of_its_processes(
    container: str,
) -> None:
    """As CRI-O's conmon and Docker's shims do."""
    command = [sys.executable, "-c", RUNTIME, "-id", container, "-b", f"/run/{container}/userdata"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as monitor:
        assert monitor.stdout is not None
        assert monitor.stdout.readline() == b"up\n"
        assert processes([container]) == set()
        send([container], signal.SIGKILL)
        assert monitor.poll() is None
        monitor.terminate()


def test_the_one_that_looks_for_them_is_none_of_them(container: str) -> None:
    code = "import sys; from chaos.faults.signals import processes; print(processes(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, container], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
    assert os.getpid() not in processes([container])
