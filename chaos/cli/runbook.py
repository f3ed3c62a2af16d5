"""`gameday runbook`: what a runbook says, and what is wrong with it."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chaos.cli import options
from chaos.cli.app import Json, app, console, print_json, version
from chaos.cli.errors import UsageError

if TYPE_CHECKING:
    from chaos.cli.lint_files import Choice
    from slo.runbook.lint import Context

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


@runbook_app.command("rule")
def show_rule(rule: Annotated[str, typer.Argument(help="Its id, as findings name it.")]) -> None:
    """Say what a rule of the check is about, and how to ignore it."""
    from reports.findings import rule_page
    from slo.runbook.lint import RULES

    found = next((r for r in RULES if r.id == rule), None)
    if found is None:
        known = ", ".join(r.id for r in RULES)
        raise UsageError(f"there is no rule {rule!r}; there are {known}")
    print(rule_page(found), end="")


@runbook_app.command("check")
def check_runbook(
    files: Annotated[
        list[Path], typer.Argument(help="Runbooks, or folders with runbooks, rules, dashboards.")
    ],
    *,
    prometheus: Annotated[
        str | None,
        typer.Option(
            help="The URL of a live Prometheus, 'system' for that of system.yaml, or the version to"
            " check for: 2.53, 3.x."
        ),
    ] = None,
    system: options.System = None,
    kubernetes: Annotated[
        str | None, typer.Option(help="The version of Kubernetes to check for: 1.31.")
    ] = None,
    manifests: Annotated[
        Path | None, typer.Option(help="The directory of the system's manifests.")
    ] = None,
    context: Annotated[
        str | None, typer.Option(help="A live cluster: a context of the kubeconfig.")
    ] = None,
    kubeconfig: options.Kubeconfig = None,
    baseline: Annotated[
        Path | None, typer.Option(help="A file of findings that are known: only others are shown.")
    ] = None,
    write_baseline: Annotated[
        bool, typer.Option("--write-baseline", help="Write what is found to the baseline file.")
    ] = False,
    fix: Annotated[
        bool, typer.Option("--fix", help="Change what is safe to change in the files first.")
    ] = False,
    sarif: Annotated[Path | None, typer.Option(help="Write SARIF 2.1.0 to this file too.")] = None,
    json: Json = False,
) -> None:
    """Say what is wrong with runbooks: exit 1 on errors, 3 if next to nothing was read, else 0."""
    from chaos.cli.lint_context import lint_context
    from chaos.cli.lint_files import Baseline, baseline_text, check_file, exit_code, runbook_files
    from chaos.cli.lint_files import write_files as write
    from reports import findings
    from slo.exit_codes import ExitCode

    if write_baseline and baseline is None:
        raise UsageError("--write-baseline needs --baseline FILE, the file to write")

    def look(file: Path, choice: "Choice") -> "Context":
        return lint_context(
            file,
            manifests=manifests,
            prometheus=prometheus or choice.prometheus,
            context=context,
            kubeconfig=kubeconfig,
            kubernetes=kubernetes or choice.kubernetes,
            system=system,
        )

    checked = [check_file(file, look, fix=fix) for file in runbook_files(files)]
    if baseline is not None and write_baseline:
        write({baseline: baseline_text(checked, baseline)})
    elif baseline is not None:
        checked, hidden = Baseline.read(baseline).new(checked)
        print(f"{hidden} known findings of {baseline} are not shown", file=sys.stderr)
    if sarif is not None:
        write({sarif: findings.sarif((found for _, found in checked), version())})
    if json:
        told = [findings.as_json(found, given.runbook) for given, found in checked]
        print_json(told[0] if len(told) == 1 else {"files": told})
    else:
        for given, found in checked:
            findings.show(found, given.runbook, console())
    code = ExitCode.PASS if write_baseline else exit_code(checked)
    if code is ExitCode.INCONCLUSIVE:
        where = files[0] if len(files) == 1 else f"{len(files)} files"
        print(
            f"{where}: next to nothing of it was read, so that this check says nothing;"
            " `gameday runbook show` lists what is not understood and why",
            file=sys.stderr,
        )
    raise typer.Exit(code)
