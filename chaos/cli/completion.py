"""Names for a shell's completion. Where nothing fits, the shell completes names of files.

A completion has no place to say what is wrong: without a name there is none.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from slo.runbook.model import Runbook


def plans() -> list[str]:
    """The bundled plans."""
    from chaos.plan.bundled import bundled

    return bundled()


def scenarios() -> list[str]:
    """The bundled scenarios."""
    from loadtests.scenario import bundled

    return bundled()


def procedures(ctx: typer.Context) -> list[str]:
    """The procedures of the runbook that the command line names."""
    book = _runbook(ctx)
    return [p.name for p in book.procedures] if book else []


def promises(ctx: typer.Context) -> list[str]:
    """The alerts and procedures of the runbook that the command line names."""
    book = _runbook(ctx)
    return [a.name for a in book.alerts] + procedures(ctx) if book else []


def _runbook(ctx: typer.Context) -> "Runbook | None":
    from slo.documents import DocumentError
    from slo.runbook.reader import BUNDLED_RUNBOOK, survey_runbook

    # An option whose value is being typed ends the parsing: arguments stay among ctx.args then.
    named = ctx.params.get("runbook") or next(iter(ctx.args), None)
    try:
        return survey_runbook(Path(named or BUNDLED_RUNBOOK))
    except DocumentError:
        return None
