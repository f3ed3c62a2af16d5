"""The truth table in short: each scene a few times, and that a violation would be seen."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BENCHMARKS = ROOT / "benchmarks"


def truth(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / "truth.py"), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def test_verdicts_of_runs_whose_truth_is_known() -> None:
    done = truth("--runs", "60", "--seed", "3", "--jobs", "1")
    last = done.stdout.splitlines()[-1]
    assert done.returncode == 0, done.stdout + done.stderr
    assert last.startswith("ok: 60 runs, seed 3: false fails 0 of 33 ")
    assert "missed critical breaches 0 of 24; missing data that passed 0 of 12" in last


def test_a_judge_that_sees_no_severity_is_found_out(tmp_path: Path) -> None:
    """A policy under which nothing is worse than SEV4 misses every incident."""
    blind = tmp_path / "policy.yaml"
    blind.write_text("severity: {rules: [{severity: SEV4, when: target-missed, of: internals}]}\n")
    done = truth("--runs", "20", "--seed", "3", "--jobs", "1", "--policy", str(blind))
    assert done.returncode == 1, done.stdout
    assert done.stdout.splitlines()[-1].startswith("VIOLATED: 20 runs")


@pytest.mark.parametrize(
    ("truth_is", "outcome", "promise"),
    [
        ("HEALTHY", "FAIL", "false fails"),
        ("BREACH", "PASS", "missed critical breaches"),
        ("BREACH", "WARN", "missed critical breaches"),
        ("UNKNOWN", "PASS", "missing data that passed"),
        ("UNKNOWN", "WARN", "missing data that passed"),
    ],
)
def test_each_promise_is_broken_by_the_runs_that_break_it(
    monkeypatch: pytest.MonkeyPatch, truth_is: str, outcome: str, promise: str
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import truth as table
    from truth_runs import Truth

    from slo.model import Outcome, Severity
    from slo.policy import Policy

    said = table.Said(
        1, "s", Truth[truth_is], Outcome[outcome], None, Severity.NONE, "as it was told"
    )
    broken = [p.name for p in table.promises([said], Policy()) if p.violated]
    assert broken == [promise]
