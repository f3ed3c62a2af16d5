"""`gameday runbook`: what a runbook says, and what is wrong with it."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from chaos.cli.app import Json, app, console, print_json
from reports import outline
from slo.runbook import survey_runbook

runbook_app = typer.Typer(help="Runbooks: read and checked.", no_args_is_help=True)
app.add_typer(runbook_app, name="runbook")

File = Annotated[Path, typer.Argument(help="A runbook in Markdown.")]


@runbook_app.command("show")
def show(file: File, *, json: Json = False) -> None:
    """Show what is understood of a runbook, line by line, and what is not."""
    book = survey_runbook(file)
    if json:
        print_json({k: v for k, v in asdict(book).items() if k != "lines"})
    else:
        outline.show(book, console())
