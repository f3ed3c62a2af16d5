"""Scoring millions of samples: seconds and memory beside a plain pandas groupby of the same file.

    python -m benchmarks.score_scale [--millions 1 3 10] [--repeat 3]

Writes a run of an hour with two experiments, and as many requests in its samples.parquet as asked
for, then measures in a process of its own each time, in turn: scoring it (read everything, judge,
dump verdict.json), and pandas reading the same file and grouping it by endpoint and minute for
counts, error rates and three quantiles. Seconds are the fastest of the repetitions, memory the
peak of resident pages. The last lines are the ratios, and how the seconds grow with the samples.

"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import NamedTuple

import numpy as np

from slo.evidence.categories import Categories
from slo.evidence.samples import Samples
from tests.slo.builders import ENDPOINTS, START, Act, Run, build

HOUR_S = 3600.0
MEBIBYTE = 1024.0  # in the kernel's KiB


class Cost(NamedTuple):
    """`seconds` of wall time without imports, `peak_mb` in MiB."""

    seconds: float
    peak_mb: float


def write(run_dir: Path, millions: float) -> None:
    """Poisson arrivals, log-normal latencies, one request in a thousand fails."""
    part = HOUR_S / 6 - 2
    acts = [Act(name=name, baseline=part, fault=part, recovery=part) for name in ("one", "two")]
    build(Run(acts=tuple(acts), rate=0.1), run_dir)
    rng, n = np.random.default_rng(1), round(millions * 1e6)
    due = START.timestamp() + np.sort(rng.random(n)) * HOUR_S
    failed = rng.random(n) < 0.001
    Samples(
        intended_start=due,
        start=due + rng.exponential(0.0005, n),
        latency=rng.lognormal(-4.2, 0.3, n),
        endpoint=Categories(
            rng.integers(0, len(ENDPOINTS), n, dtype=np.int32), tuple(sorted(ENDPOINTS))
        ),
        status=np.where(failed, 503, 200).astype(np.int16),
        error=Categories((~failed).astype(np.int32), ("5xx", "none")),
    ).write_parquet(run_dir / "samples.parquet")


class Absent(MetaPathFinder):
    """A package as if it were not installed: where pandas is, pyarrow loads it; users lack it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname == self._name:
            raise ImportError(fullname, name=fullname)


def scored(run_dir: Path) -> None:
    sys.meta_path.insert(0, Absent("pandas"))

    from slo.evidence.recording import read_recording
    from slo.verdict import verdict_json
    from slo.verdict.score import score

    begin()
    verdict_json.dump(score(read_recording(run_dir)))


def grouped(run_dir: Path) -> None:
    import pandas as pd

    begin()
    frame = pd.read_parquet(run_dir / "samples.parquet")
    frame["response_time"] = frame["start"] - frame["intended_start"] + frame["latency"]
    frame["failed"] = frame["error"] != "none"
    frame["minute"] = frame["intended_start"] // 60
    groups = frame.groupby(["endpoint", "minute"], observed=True)
    groups["failed"].agg(["size", "mean"])
    groups["response_time"].quantile([0.5, 0.95, 0.99])


_begun = 0.0


def begin() -> None:
    """Imports are done: from here on the time counts."""
    global _begun  # noqa: PLW0603 - one measurement in one process
    _begun = time.perf_counter()


WAYS: dict[str, Callable[[Path], None]] = {"score": scored, "pandas": grouped}


def measure(way: str, run_dir: Path) -> Cost:
    """In a process of its own, so that the peak is its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.score_scale", "--way", way, str(run_dir)],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr.strip())
    return Cost(*json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 3, 10])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("run_dir", type=Path, nargs="?", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        WAYS[options.way](options.run_dir)
        seconds = time.perf_counter() - _begun
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEBIBYTE
        print(json.dumps([seconds, peak]))
        return
    print(f"{'samples':>12}{'':10}{'seconds':>10}{'peak MiB':>10}{'s/million':>11}")
    per_million: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for millions in options.millions:
            run_dir = Path(folder) / f"{millions:g}"
            write(run_dir, millions)
            costs: dict[str, list[Cost]] = {way: [] for way in WAYS}
            for _ in range(options.repeat):
                for way, found in costs.items():
                    found.append(measure(way, run_dir))
            best = {way: Cost(*map(min, zip(*found, strict=True))) for way, found in costs.items()}
            for way, cost in best.items():
                print(
                    f"{millions * 1e6:12,.0f}{way:>10}{cost.seconds:10.2f}{cost.peak_mb:10.0f}"
                    f"{cost.seconds / millions:11.3f}"
                )
            per_million.append(best["score"].seconds / millions)
            print(
                f"{'':12}{'ratio':>10}{best['score'].seconds / best['pandas'].seconds:10.2f}"
                f"{best['score'].peak_mb / best['pandas'].peak_mb:10.2f}"
            )
    growth = ", ".join(f"{p / per_million[0]:.2f}" for p in per_million)
    print(f"seconds per million beside those of the smallest file: {growth}")


if __name__ == "__main__":
    main()
