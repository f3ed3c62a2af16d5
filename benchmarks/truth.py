"""Verdicts of runs whose truth is known: how often they are right, and how they are wrong.

    python benchmarks/truth.py [--runs 2000] [--seed 1] [--policy FILE] [--jobs 2]

Writes seeded synthetic run directories (truth_runs.py), scores each as `gameday score` does, and
prints what was said against what was so: by scene, by truth, and for severity. Exits with 1 when

- more runs of a healthy service fail than the policy allows (`decision.false_fails`, 1 %);
- a critical breach passes, or passes with a warning;
- a run whose evidence is missing or too thin passes;
- an incident that was SEV1 or SEV2 is called less than SEV2.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from truth_runs import SCENES, Truth, write

from slo.evidence.recording import read_recording
from slo.model import Outcome, Severity
from slo.policy import BUNDLED_POLICY, Policy, read_policy
from slo.stats.intervals import wilson_interval
from slo.verdict.score import score

GREEN = {Outcome.PASS, Outcome.WARN}


class Said(NamedTuple):
    """One run: what it was, and what was said. `was` None: nothing is promised of its severity."""

    number: int
    scene: str
    truth: Truth
    outcome: Outcome
    was: Severity | None
    severity: Severity
    headline: str


def judge(number: int, seed: int, policy: Policy) -> Said:
    """Run `number` of a seed: the scenes take turns."""
    scene_name = list(SCENES)[number % len(SCENES)]
    scene = SCENES[scene_name](np.random.default_rng([seed, number]))
    with tempfile.TemporaryDirectory() as folder:
        run_dir = write(scene, Path(folder) / "run")
        verdict = score(read_recording(run_dir, policy))
    return Said(
        number,
        scene_name,
        scene.truth,
        verdict.outcome,
        scene.severity,
        verdict.severity,
        verdict.headline,
    )


class Broken(NamedTuple):
    """One of the promises above: how many runs it was about, and which broke it."""

    name: str
    runs: int
    wrong: tuple[Said, ...]
    allowed: float

    @property
    def violated(self) -> bool:
        return len(self.wrong) > self.allowed * self.runs


def promises(said: Sequence[Said], policy: Policy) -> list[Broken]:
    def broken(name: str, about: Iterable[Said], wrong: set[Outcome], allowed: float) -> Broken:
        runs = list(about)
        return Broken(name, len(runs), tuple(s for s in runs if s.outcome in wrong), allowed)

    well = [s for s in said if s.truth in {Truth.HEALTHY, Truth.TARGET, Truth.UNKNOWN}]
    breaches = [s for s in said if s.truth is Truth.BREACH]
    missing = [s for s in said if s.truth is Truth.UNKNOWN]
    bad = [s for s in said if s.was in {Severity.SEV1, Severity.SEV2}]
    mild = tuple(s for s in bad if s.severity.rank > Severity.SEV2.rank)
    return [
        broken("false fails", well, {Outcome.FAIL}, policy.decision.false_fails),
        broken("missed critical breaches", breaches, GREEN, 0),
        broken("missing data that passed", missing, GREEN, 0),
        Broken("SEV1 or SEV2 called less", len(bad), mild, 0),
    ]


def table(title: str, rows: Sequence[tuple[str, str]], columns: Sequence[str]) -> str:
    """Counts of (row, column), rows in the order of their first appearance."""
    counts = Counter(rows)
    names = list(dict.fromkeys(r for r, _ in rows))
    width = max(len(title), *map(len, names)) + 2
    lines = [title.ljust(width) + "".join(c.rjust(14) for c in columns)]
    lines += [
        name.ljust(width) + "".join(str(counts[name, c] or ".").rjust(14) for c in columns)
        for name in names
    ]
    return "\n".join(lines)


def report(said: Sequence[Said], checked: Sequence[Broken]) -> str:
    outcomes = [o.value for o in Outcome]
    severities = [s.value for s in Severity]
    by_truth = [(s.truth.value, s.outcome.value) for s in said]
    by_scene = [(s.scene, s.outcome.value) for s in said]
    by_severity = [(s.was.value, s.severity.value) for s in said if s.was is not None]
    parts = [
        table("scene", by_scene, outcomes),
        table(
            "truth", sorted(by_truth, key=lambda p: [t.value for t in Truth].index(p[0])), outcomes
        ),
        table("severity", sorted(by_severity), severities),
    ]
    for promise in checked:
        parts += [
            f"{promise.name}: run {s.number} ({s.scene}) was {s.outcome.value},"
            f" {s.severity.value}: {s.headline}"
            for s in promise.wrong[:5]
        ]
    return "\n\n".join(parts)


def summary(said: Sequence[Said], checked: Sequence[Broken], seed: int) -> str:
    told = []
    for promise in checked:
        wrong = len(promise.wrong)
        text = f"{promise.name} {wrong} of {promise.runs}"
        if promise.allowed and promise.runs:
            high = wilson_interval(wrong, promise.runs).high
            text += f" (up to {high:.2%} with 95 % confidence, {promise.allowed:.0%} allowed)"
        told.append(text)
    known = [s for s in said if s.was is not None]
    right = sum(s.severity is s.was for s in known)
    told.append(f"severity right {right} of {len(known)}")
    verdict = "VIOLATED" if any(p.violated for p in checked) else "ok"
    return f"{verdict}: {len(said)} runs, seed {seed}: {'; '.join(told)}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Verdicts against known truth.")
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--policy", type=Path, default=BUNDLED_POLICY)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    policy = read_policy(options.policy)
    begun, count = time.monotonic(), options.runs
    with ProcessPoolExecutor(options.jobs) as pool:
        said = list(
            pool.map(judge, range(count), [options.seed] * count, [policy] * count, chunksize=10)
        )
    checked = promises(said, policy)
    print(report(said, checked))
    print(f"\n{time.monotonic() - begun:.0f} s")
    print(summary(said, checked, options.seed))
    return int(any(p.violated for p in checked))


if __name__ == "__main__":
    sys.exit(main())
