"""Where a run keeps its evidence."""

import os
from datetime import UTC, datetime
from pathlib import Path

from chaos.cli.errors import UsageError


def new_run_dir(runs: Path, plan: str) -> Path:
    """runs/<UTC time>-<plan>, new: a second run within the same second gets a number."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for number in range(1, 100):
        path = runs / (f"{stamp}-{plan}" + (f"-{number}" if number > 1 else ""))
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(f"{runs}: {error.strerror}") from error
        return path
    raise UsageError(f"{runs}: no free name for a run directory")


def point_latest_at(run_dir: Path, *, link: str = "latest") -> None:
    """runs/latest, replaced in one step.

    It stays with runs that have a verdict: proofs of a runbook have a link of their own.
    """
    draft = run_dir.parent / f".{link}-{os.getpid()}"
    draft.unlink(missing_ok=True)
    draft.symlink_to(run_dir.name)
    draft.replace(run_dir.parent / link)
