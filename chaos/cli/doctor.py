"""`gameday doctor`: what this machine has, and what is missing."""

import contextlib
from dataclasses import asdict
from typing import Annotated

import typer

from chaos.cli.app import Json, app, console, print_json, tell


@app.command()
def doctor(
    *,
    fix: Annotated[bool, typer.Option("--fix", help="Fetch what can be fetched.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only what is missing.")] = False,
    json: Json = False,
) -> None:
    """Say what is there and what is missing; exit 2 if a run cannot work."""
    from chaos.cli.diagnosis import State, examine, show
    from service.cluster.packages import PACKAGES, PackageMissingError
    from service.images.neo4j import distribution
    from slo.exit_codes import ExitCode

    screen = console(quiet=json)
    for package in PACKAGES if fix else ():
        with contextlib.suppress(PackageMissingError):  # the finding below says it
            package.fetch(lambda text: screen.print(text, style="dim"))
    if fix and distribution.find() is None:
        try:
            distribution.fetch(say=lambda text: screen.print(text, style="dim"))
        except distribution.Neo4jMissingError as error:
            tell(str(error), error=True)
    findings = examine()
    if json:
        print_json([asdict(f) for f in findings])
    else:
        show([f for f in findings if f.state is State.MISSING or not quiet])
    if any(f.state is State.MISSING for f in findings):
        raise typer.Exit(ExitCode.USAGE)
