"""Commands that need nothing but a finished run directory."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from chaos.cli.app import Json, RunDir, app, console, print_json
from reports import terminal, write_all
from reports.write import replace_text
from slo import verdict_json
from slo.exit_codes import ExitCode, of
from slo.model import Verdict
from slo.policy import Policy, read_policy
from slo.recording import read_recording
from slo.score import score as score_recording

PolicyFile = Annotated[
    Path | None, typer.Option("--policy", help="Judge by this policy, not by the one the run kept.")
]


def conclude(run_dir: Path, screen: Console, *, json: bool = False) -> ExitCode:
    """Score a run directory, write verdict and reports, show the closing screen."""
    verdict = _score(run_dir)
    written = write_all(verdict, run_dir)
    code = of(verdict)
    if json:
        print_json(
            {
                "run": str(run_dir),
                "outcome": verdict.outcome,
                "exit_code": int(code),
                "headline": verdict.headline,
                "files": [str(run_dir / "verdict.json"), *map(str, written)],
            }
        )
    else:
        terminal.show(verdict, screen, run_dir)
    return code


def _score(run_dir: Path, policy: Path | None = None) -> Verdict:
    verdict = score_recording(read_recording(run_dir, _read(policy)))
    replace_text(run_dir / "verdict.json", verdict_json.dump(verdict))
    return verdict


def _read(policy: Path | None) -> Policy | None:
    return read_policy(policy) if policy else None


@app.command()
def score(run: RunDir, *, policy: PolicyFile = None, json: Json = False) -> None:
    """Score a finished run again, from its directory alone."""
    verdict = _score(run, policy)
    if json:
        print(verdict_json.dump(verdict), end="")
    else:
        terminal.show(verdict, console(), run)
    raise typer.Exit(of(verdict))


@app.command()
def report(run: RunDir, *, json: Json = False) -> None:
    """Render report.html, junit.xml and summary.md of a scored run again."""
    written = write_all(verdict_json.read(run), run)
    if json:
        print_json({"files": [str(p) for p in written]})
    else:
        for path in written:
            print(path)


@app.command()
def gate(
    run: RunDir,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail as well.")] = False,
    policy: PolicyFile = None,
    json: Json = False,
) -> None:
    """Give the exit code of a run's verdict, for CI."""
    verdict = _score(run, policy)
    code = of(verdict)
    if strict and code == ExitCode.PASS and verdict.outcome != "pass":
        code = ExitCode.FAIL
    if json:
        print_json(
            {"outcome": verdict.outcome, "exit_code": int(code), "headline": verdict.headline}
        )
    else:
        print(f"{verdict.outcome.value}: {verdict.headline}")
    raise typer.Exit(code)
