"""From a finished run to its verdict and reports."""

from pathlib import Path

from rich.console import Console

from chaos.cli.app import print_json
from reports import terminal, write_all
from reports.write import replace_text
from slo.compare.comparison import compare, with_comparison
from slo.evidence.recording import RecordingError, read_recording
from slo.exit_codes import ExitCode, of
from slo.model import Verdict
from slo.policy import Policy, read_policy
from slo.verdict import verdict_json
from slo.verdict.score import score as judge


def conclude(run_dir: Path, screen: Console, *, json: bool = False) -> ExitCode:
    """Score a run directory, write verdict and reports, show the closing screen."""
    verdict = score(run_dir)
    written = write_all(verdict, run_dir)
    code = of(verdict)
    if json:
        print_json(
            {
                "run": str(run_dir),
                "outcome": verdict.outcome,
                "exit_code": int(code),
                "headline": verdict.headline,
                "error_budget": error_budget(verdict),
                "files": [str(run_dir / "verdict.json"), *map(str, written)],
            }
        )
    else:
        terminal.show(verdict, screen, run_dir)
    return code


def error_budget(verdict: Verdict) -> dict[str, float] | None:
    """None where no rate is known; the whole of it, with each window, stands in verdict.json."""
    found = verdict.budget
    if found is None:
        return None
    names = ("objective", "period_s", "requests", "failed", "cost", "burn_rate")
    return {name: getattr(found, name) for name in names}


def score(
    run_dir: Path,
    *,
    policy: Path | None = None,
    baseline: Path | None = None,
    runbook: Path | None = None,
) -> Verdict:
    """Judges, and writes verdict.json. Raises RecordingError where that cannot be written."""
    verdict = judged(run_dir, policy=policy, baseline=baseline, runbook=runbook)
    try:
        replace_text(run_dir / "verdict.json", verdict_json.dump(verdict))
    except OSError as error:
        raise RecordingError(
            f"{run_dir}: verdict.json cannot be written: {error.strerror}; `gameday gate` judges a"
            " run without writing"
        ) from error
    return verdict


def judged(
    run_dir: Path,
    *,
    policy: Path | None = None,
    baseline: Path | None = None,
    runbook: Path | None = None,
) -> Verdict:
    """Writes nothing."""
    recording = read_recording(run_dir, _read(policy), runbook)
    verdict = judge(recording)
    if baseline is not None:
        verdict = with_comparison(verdict, compare(recording, read_recording(baseline)))
    return verdict


def _read(policy: Path | None) -> Policy | None:
    return read_policy(policy) if policy else None
