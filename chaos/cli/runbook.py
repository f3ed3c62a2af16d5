"""`gameday runbook`: what a runbook says, and what is wrong with it."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from chaos.cli import options
from chaos.cli.app import Json, app, console, print_json, version
from chaos.cli.errors import UsageError

runbook_app = typer.Typer(help="Runbooks: read and checked.", no_args_is_help=True)
app.add_typer(runbook_app, name="runbook")

File = Annotated[Path, typer.Argument(help="A runbook in Markdown.")]


@runbook_app.command("show")
def show(file: File, *, json: Json = False) -> None:
    """Show what is understood of a runbook, line by line, and what is not."""
    from reports import outline
    from slo.runbook.reader import survey_runbook

    book = survey_runbook(file)
    if json:
        print_json({k: v for k, v in asdict(book).items() if k != "lines"})
    else:
        outline.show(book, console())


@runbook_app.command("check")
def check_runbook(
    file: File,
    *,
    prometheus: Annotated[
        str | None,
        typer.Option(help="The URL of a live Prometheus, or 'system': that of system.yaml."),
    ] = None,
    system: options.System = None,
    manifests: Annotated[
        Path | None, typer.Option(help="The directory of the system's manifests.")
    ] = None,
    context: Annotated[
        str | None, typer.Option(help="A live cluster: a context of the kubeconfig.")
    ] = None,
    kubeconfig: options.Kubeconfig = None,
    sarif: Annotated[Path | None, typer.Option(help="Write SARIF 2.1.0 to this file too.")] = None,
    json: Json = False,
) -> None:
    """Say what is wrong with a runbook: exit 1 on errors, 3 if next to nothing was read, else 0."""
    from chaos.cli.lint_context import lint_context
    from reports import findings
    from reports.write import replace_text
    from slo.exit_codes import ExitCode
    from slo.runbook.lint import Level, check
    from slo.runbook.reading.share import share_read

    given = lint_context(
        file,
        manifests=manifests,
        prometheus=prometheus,
        context=context,
        kubeconfig=kubeconfig,
        system=system,
    )
    found = check(given)
    if sarif is not None:
        try:
            replace_text(sarif, findings.sarif(found, version()))
        except OSError as error:
            raise UsageError(f"{sarif}: {error.strerror}") from error
    if json:
        print_json(findings.as_json(found, given.runbook))
    else:
        findings.show(found, given.runbook, console())
    if found.count(Level.ERROR):
        raise typer.Exit(ExitCode.FAIL)
    if share_read(given.runbook).nothing:
        print(
            f"{file}: next to nothing of it was read, so that this check says nothing;"
            " `gameday runbook show` lists what is not understood and why",
            file=sys.stderr,
        )
        raise typer.Exit(ExitCode.INCONCLUSIVE)
    raise typer.Exit(ExitCode.PASS)
