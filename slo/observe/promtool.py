"""promtool, run in a folder: Prometheus' own engine over series that are made up."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

TIMEOUT_S = 60.0


class PromtoolError(Exception):
    """promtool cannot be run, or says what we do not understand; one sentence."""


def run(promtool: Path, words: Sequence[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    """Raises PromtoolError where it does not run, or does not end."""
    try:
        return subprocess.run(
            [str(promtool), *words],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PromtoolError(f"promtool cannot be run: {error}") from error
