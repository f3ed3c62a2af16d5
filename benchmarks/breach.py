"""From a confirmed breach of a stop condition to everything undone, for each of some faults.

    python benchmarks/breach.py [--rounds 3]

Real game days on an embedded cluster with the stack: the condition comes true when the fault has
been there for a while. Times are the journal's: from the entry of the breach, which comes at most
one tick of the runner (0.1 s) after the guard confirmed it, to that of the object put back. The
goal is 2 s; exit code 1 when one run takes longer, or shows nothing.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from service.cluster import embedded
from slo.evidence import journal as entries
from slo.evidence.journal import read_journal
from slo.exit_codes import ExitCode

GOAL_S = 2.0
FAULTS = {
    "scale-to-zero": "{kind: scale-to-zero, workload: {name: redis}}",
    "freeze": "{kind: freeze, select: {labels: {app: redis}, count: 1}}",
    "bad-image": "{kind: bad-image, workload: {kind: Deployment, name: bizra-api}}",
    "network-degrade": """{kind: network-degrade, service: neo4j-service, latency: 100ms,
        witnesses: [{kind: bolt, from: {app: bizra-api}, to: "neo4j-service:7687", ends: [],
        slower_than: 100ms}]}""",
}
PLAN = """\
name: breach
target: {namespace: bizra-system, workload: bizra-api, service: bizra-api-internal, port: 8000}
prometheus: {service: prometheus-service, port: 9090, scrape_interval: 2s}
load: {scenario: smoke}
guardrails:
  all_pods_of: [redis, "app=redis"]
  stop: [{promql: "time()", above: MOMENT, every: 0.5s, times: 2}]
experiments:
  - {name: breach, title: A breach, fault: FAULT, baseline: 2s, duration: 10m, recovery: 10s}
"""
UNTIL_BROKEN_S = 25.0  # the load starts, the service is steady, the fault is injected and seen


def one(fault: str, home: Path, cluster: Path) -> float | None:
    """Seconds from the breach until it was put back; None where nothing was broken by then."""
    plan = PLAN.replace("FAULT", FAULTS[fault])
    (home / "plan.yaml").write_text(
        plan.replace("MOMENT", str(int(time.time() + UNTIL_BROKEN_S))), encoding="utf-8"
    )
    command = [str(Path(sys.executable).with_name("gameday")), "run", "plan.yaml", "--embedded"]
    done = subprocess.run(
        command,
        cwd=home,
        env={**os.environ, "GAMEDAY_CLUSTER_DIR": str(cluster)},
        stdout=subprocess.DEVNULL,
        timeout=300,
        check=False,
    )
    if done.returncode != ExitCode.ABORTED:
        return None
    told = read_journal(home / "runs/latest/journal.jsonl")
    injected = [e.time for e in told if isinstance(e, entries.FaultInjected)]
    breach = [e.time for e in told if isinstance(e, entries.GuardrailBreached)]
    restored = [e.time for e in told if isinstance(e, entries.FaultRestored)]
    if not (injected and breach and restored) or injected[0] > breach[0]:
        return None
    return (max(restored) - breach[0]).total_seconds()


def rounds(count: int) -> Iterator[tuple[str, list[float]]]:
    """The times of each fault, of the runs that show one."""
    with tempfile.TemporaryDirectory(prefix="gameday-breach-") as work:
        home, cluster = Path(work), Path(work) / "cluster"
        try:
            embedded.up(directory=cluster)
            for fault in FAULTS:
                tried = [one(fault, home, cluster) for _ in range(count)]
                yield fault, [each for each in tried if each is not None]
        finally:
            embedded.down(cluster)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    all_of_them: list[float] = []
    print("| fault | put back after, median | slowest | of |\n|---|---|---|---|")
    for fault, took in rounds(options.rounds):
        all_of_them += took
        if took:
            middle = statistics.median(took)
            print(f"| {fault} | {middle:.3f} s | {max(took):.3f} s | {len(took)} |", flush=True)
    runs, slowest = len(FAULTS) * options.rounds, max(all_of_them, default=float("inf"))
    share = slowest / GOAL_S
    print(f"slowest of {len(all_of_them)} of {runs} runs: {slowest:.3f} s, {share:.2f} of the goal")
    sys.exit(len(all_of_them) < runs or slowest > GOAL_S)


if __name__ == "__main__":
    main()
