"""Names for a shell's completion. Where nothing fits, the shell completes names of files.

A completion has no place to say what is wrong: without a name there is none.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from slo.runbook.model import Runbook


def plans() -> list[str]:
    """The plans of the system's folder."""
    return sorted(path.stem for path in (_folder() / "plans").glob("*.yaml"))


def scenarios() -> list[str]:
    """The scenarios of the system's folder."""
    return sorted(path.stem for path in (_folder() / "scenarios").glob("*.yaml"))


def procedures(ctx: typer.Context) -> list[str]:
    """The procedures of the runbook that the command line names."""
    book = _runbook(ctx)
    return [p.name for p in book.procedures] if book else []


def promises(ctx: typer.Context) -> list[str]:
    """The alerts and procedures of the runbook that the command line names."""
    book = _runbook(ctx)
    return [a.name for a in book.alerts] + procedures(ctx) if book else []


def _folder() -> Path:
    """The nearest system's, else the reference system's."""
    from service.gameday import FOLDER
    from slo.system.place import find_system

    return find_system(Path()) or FOLDER


def _runbook(ctx: typer.Context) -> "Runbook | None":
    from slo.documents import DocumentError
    from slo.runbook.reader import survey_runbook

    # An option whose value is being typed ends the parsing: arguments stay among ctx.args then.
    named = ctx.params.get("runbook") or next(iter(ctx.args), None)
    try:
        return survey_runbook(Path(named or _folder() / "runbook.md"))
    except DocumentError:
        return None
