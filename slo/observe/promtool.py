"""promtool, run in a folder: Prometheus' own engine over series that are made up."""

import json
import math
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from slo.runbook.lint.evaluation import STEP_S, STEPS, Answer, Evaluator, ExpressionTrial

TIMEOUT_S = 60.0


class PromtoolError(Exception):
    """promtool cannot be run, or says what we do not understand; one sentence."""


def run(promtool: Path, words: Sequence[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    """Raises PromtoolError where it does not run, or does not end."""
    try:
        return subprocess.run(
            [str(promtool), *words],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PromtoolError(f"promtool cannot be run: {error}") from error


def promtool_evaluator(binary: Path) -> Evaluator:
    """Trials run by this promtool. What it refuses is in the answer's `error`."""

    def evaluate(trials: Sequence[ExpressionTrial]) -> list[Answer]:
        if not trials:
            return []
        tests = [_test(trial, i) for i, trial in enumerate(trials)]
        document = {"evaluation_interval": f"{STEP_S}s", "rule_files": [], "tests": tests}
        with tempfile.TemporaryDirectory() as name:
            (Path(name) / "tests.yaml").write_text(json.dumps(document), encoding="utf-8")
            try:
                done = run(binary, ["test", "rules", "tests.yaml"], Path(name))
            except PromtoolError as error:
                return [Answer((), (), str(error))] * len(trials)
        return _answers(done.stdout + done.stderr, trials)

    return evaluate


def _test(trial: ExpressionTrial, number: int) -> dict[str, object]:
    # A sample that no expression gives makes promtool print what it got instead.
    impossible = [{"labels": f'expected{{trial="{number}"}}', "value": 0}]
    return {
        "interval": f"{STEP_S}s",
        "input_series": [{"series": name, "values": values} for name, values in trial.series],
        "promql_expr_test": [
            {
                "expr": f"({trial.expr}\n) and on() vector({number + 1})",
                "eval_time": f"{STEP_S * STEPS}s",
                "exp_samples": impossible,
            }
        ],
    }


_FAILURE = re.compile(
    r'"expected", trial="(\d+)"\}[^\n]*\n\s*got:\s*(.*?)(?=\n\s*expr:|\n\n|\Z)', re.DOTALL
)
_REFUSAL = re.compile(r'vector\((\d+)\)",\s*time:[^\n]*err:\s*([^\n]*)')
_SAMPLE = re.compile(
    r"(\{.*?\}|[a-zA-Z_:][\w:]*\{.*?\})\s+([-+]?(?:Inf|[\d.]+(?:[eE][-+]?\d+)?)|NaN)"
)


def _answers(output: str, trials: Sequence[ExpressionTrial]) -> list[Answer]:
    answers = [Answer((), (), "promtool said nothing of it") for _ in trials]
    for number, said in _FAILURE.findall(output):
        samples = _SAMPLE.findall(said)
        answers[int(number)] = Answer(
            tuple(_number(value) for _, value in samples), tuple(name for name, _ in samples)
        )
    for number, error in _REFUSAL.findall(output):
        answers[int(number) - 1] = Answer((), (), error.strip())
    return answers


def _number(text: str) -> float:
    return math.nan if text == "NaN" else float(text.replace("Inf", "inf"))
