"""Signals: the first one starts the undoing, the second does not stop it."""

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import sys, time
from chaos.run.interrupt import InterruptedRunError, interruptible
code = 0
with interruptible():
    try:
        print("ready", flush=True)
        signal_comes_by = time.monotonic() + 60
        while time.monotonic() < signal_comes_by:
            time.sleep(0.01)
    except InterruptedRunError as error:
        print("undoing", flush=True)
        sys.stdin.readline()
        print("undone", flush=True)
        code = error.exit_code
sys.exit(code)
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_second_signal_does_not_stop_the_undoing(number: signal.Signals, code: int) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdin is not None
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    program.send_signal(number)
    assert program.stdout.readline() == "undoing\n"
    program.send_signal(number)
    program.send_signal(signal.SIGTERM)
    rest, _ = program.communicate("go on\n", timeout=30)
    assert rest == "undone\n"
    assert program.returncode == code
