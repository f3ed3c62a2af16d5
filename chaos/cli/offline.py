"""Commands that need nothing but a finished run directory."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from chaos.cli.app import Json, RunDir, app, console, print_json
from reports import terminal, write_all
from reports.write import replace_text
from slo.compare.comparison import compare, with_comparison
from slo.evidence.recording import read_recording
from slo.exit_codes import ExitCode, of
from slo.model import Verdict
from slo.policy import Policy, read_policy
from slo.verdict import verdict_json
from slo.verdict.score import score as score_recording

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
                "error_budget": _budget(verdict),
                "files": [str(run_dir / "verdict.json"), *map(str, written)],
            }
        )
    else:
        terminal.show(verdict, screen, run_dir)
    return code


def _budget(verdict: Verdict) -> dict[str, float] | None:
    """None where no rate is known; the whole of it, with each window, stands in verdict.json."""
    found = verdict.budget
    if found is None:
        return None
    names = ("objective", "period_s", "requests", "failed", "cost", "burn_rate")
    return {name: getattr(found, name) for name in names}


def _score(
    run_dir: Path,
    *,
    policy: Path | None = None,
    baseline: Path | None = None,
    runbook: Path | None = None,
) -> Verdict:
    recording = read_recording(run_dir, _read(policy), runbook)
    verdict = score_recording(recording)
    if baseline is not None:
        verdict = with_comparison(verdict, compare(recording, read_recording(baseline)))
    replace_text(run_dir / "verdict.json", verdict_json.dump(verdict))
    return verdict


def _read(policy: Path | None) -> Policy | None:
    return read_policy(policy) if policy else None


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
    verdict = _score(run, policy=policy, baseline=baseline, runbook=runbook)
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
    verdict = verdict_json.read(run) if baseline is None else _score(run, baseline=baseline)
    written = write_all(verdict, run)
    if json:
        print_json({"files": [str(p) for p in written]})
    else:
        for path in written:
            print(path)


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
    """Give the exit code of a run's verdict, for CI."""
    verdict = _score(run, policy=policy, baseline=baseline, runbook=runbook)
    code = of(verdict)
    if strict and code == ExitCode.PASS and verdict.outcome != "pass":
        code = ExitCode.FAIL
    if json:
        told = {
            "outcome": verdict.outcome,
            "exit_code": int(code),
            "headline": verdict.headline,
            "error_budget": _budget(verdict),
        }
        against = verdict.comparison and verdict_json.tree(verdict)["comparison"]
        print_json(told | ({"comparison": against} if against else {}))
    else:
        print(f"{verdict.outcome.value}: {verdict.headline}")
        if verdict.comparison is not None and verdict.comparison.headline != verdict.headline:
            print(f"{verdict.comparison.outcome.value}: {verdict.comparison.headline}")
        terminal.show_comparison(verdict, console())
    raise typer.Exit(code)
