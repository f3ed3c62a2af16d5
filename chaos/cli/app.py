"""The application object, and the options that commands share."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

app = typer.Typer(
    name="gameday",
    help="Take the runbook at its word, and find out whether it is true.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

VERSION = version("gameday")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
RunDir = Annotated[Path, typer.Argument(help="A run directory, e.g. runs/latest.")]


def console(*, quiet: bool = False) -> Console:
    """Where people read. Machines read standard output, and nothing else goes there then."""
    return Console(stderr=quiet, quiet=quiet, highlight=False)


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, default=str))


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - a typer callback
    if wanted:
        print(VERSION)
        raise typer.Exit


@app.callback()
def _main(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    del version
