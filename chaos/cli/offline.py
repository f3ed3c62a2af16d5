"""Commands that need nothing but a finished run directory."""

from pathlib import Path
from typing import Annotated

import typer

from chaos.cli.app import Json, RunDir, app, console, print_json, tell

PolicyFile = Annotated[
    Path | None, typer.Option("--policy", help="Judge by this policy, not by the one the run kept.")
]

RunbookFile = Annotated[
    Path | None,
    typer.Option("--runbook", help="Judge by this runbook, not by the one the run kept."),
]

BaselineDir = Annotated[
    Path | None, typer.Option("--baseline", help="A run to compare with: release against release.")
]


@app.command()
def score(
    run: RunDir,
    *,
    baseline: BaselineDir = None,
    policy: PolicyFile = None,
    runbook: RunbookFile = None,
    json: Json = False,
) -> None:
    """Score a finished run again, from its directory alone."""
    from chaos.cli import conclusion
    from reports import terminal
    from slo.exit_codes import of
    from slo.verdict import verdict_json

    verdict = conclusion.score(run, policy=policy, baseline=baseline, runbook=runbook)
    if json:
        print(verdict_json.dump(verdict), end="")
    else:
        terminal.show(verdict, console(), run)
    raise typer.Exit(of(verdict))


@app.command()
def report(run: RunDir, *, baseline: BaselineDir = None, json: Json = False) -> None:
    """Render report.html, junit.xml and summary.md of a scored run again.

    With a baseline run it is scored against that one first.
    """
    from chaos.cli import conclusion
    from reports import write_all
    from slo.verdict import verdict_json

    verdict = (
        verdict_json.read(run) if baseline is None else conclusion.score(run, baseline=baseline)
    )
    written = write_all(verdict, run)
    if json:
        print_json({"files": [str(p) for p in written]})
    else:
        for path in written:
            tell(str(path))


@app.command()
def gate(
    run: RunDir,
    *,
    baseline: BaselineDir = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail as well.")] = False,
    policy: PolicyFile = None,
    runbook: RunbookFile = None,
    json: Json = False,
) -> None:
    """Give the exit code of a run's verdict, for CI. Nothing is written."""
    from chaos.cli import conclusion
    from reports import terminal
    from slo.exit_codes import ExitCode, of
    from slo.verdict import verdict_json

    verdict = conclusion.judged(run, policy=policy, baseline=baseline, runbook=runbook)
    code = of(verdict)
    if strict and code == ExitCode.PASS and verdict.outcome != "pass":
        code = ExitCode.FAIL
    if json:
        told = {
            "outcome": verdict.outcome,
            "exit_code": int(code),
            "headline": verdict.headline,
            "error_budget": conclusion.error_budget(verdict),
        }
        against = verdict.comparison and verdict_json.tree(verdict)["comparison"]
        print_json(told | ({"comparison": against} if against else {}))
    else:
        tell(f"{verdict.outcome.value}: {verdict.headline}")
        if verdict.comparison is not None and verdict.comparison.headline != verdict.headline:
            tell(f"{verdict.comparison.outcome.value}: {verdict.comparison.headline}")
        terminal.show_comparison(verdict, console())
    raise typer.Exit(code)
