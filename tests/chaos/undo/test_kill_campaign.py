"""The kill campaign in short; the long run's table stands in benchmarks/kill_campaign.md."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[3] / "benchmarks/kill_campaign.py"


@pytest.mark.slow
def test_a_killed_runner_leaves_nothing_that_recover_or_the_watchdog_would_not_find() -> None:
    kinds = "pod-kill,scale-to-zero"
    command = [sys.executable, str(PROGRAM), "--kills", "10", "--seed", "4", "--lanes", "2"]
    done = subprocess.run(
        [*command, "--kinds", kinds],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    summary = done.stdout.strip().splitlines()[-1]
    assert summary.startswith("10 of 10 kills, 2 of "), done.stdout
    assert "0 left something behind" in summary
