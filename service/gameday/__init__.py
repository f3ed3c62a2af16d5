"""The folder that describes the reference service to gameday, as any other service has one."""

from pathlib import Path

FOLDER = Path(__file__).parent
RUNBOOK = FOLDER / "runbook.md"
