"""The application object, and what all commands share.

The command starts fast: a command's module declares its arguments and imports what it needs inside
the command's function. Nothing that is loaded at the top of these modules may load Kubernetes,
pydantic, numpy or the like (tests/chaos/cli/test_start_up.py).
"""

import json
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

DISTRIBUTION = "gameday-runbook"
"""What the package index calls us: `gameday` there is somebody else's package."""

app = typer.Typer(
    name="gameday",
    help="Take the runbook at its word, and find out whether it is true.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
RunDir = Annotated[Path, typer.Argument(help="A run directory, e.g. runs/latest.")]


@cache
def version() -> str:
    """The version of the installed distribution."""
    from importlib import metadata

    return metadata.version(DISTRIBUTION)


def console(*, quiet: bool = False) -> "Console":
    """Where people read. Machines read standard output, and nothing else goes there then."""
    from chaos.cli.screen import console_on

    return console_on(sys.stderr if quiet else sys.stdout, quiet=quiet)


def tell(text: str, *, error: bool = False) -> None:
    """A line for people; `error` is for standard error."""
    from chaos.cli.screen import visible

    print(visible(text), file=sys.stderr if error else sys.stdout)


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, default=str))


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - a typer callback
    if wanted:
        print(version())
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
