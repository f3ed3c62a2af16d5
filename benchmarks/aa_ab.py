"""Does the comparison of releases tell the truth on a real service? A/A and A/B, many times.

    python benchmarks/aa_ab.py [--runs 20] [--directory DIR]

Three releases stand side by side on one embedded cluster (the one that is up, or one for this): a
good one, one that is 60 ms slower, one that answers 2 % of its requests with 500. Each round runs
the same plan once on each of them, one after the other. The good release is compared with itself a
round earlier (A/A), the others with the good one of their round (A/B). With a directory, runs that
are in it are kept, so that the benchmark can go on where it stopped.

The last lines are the figures: how often each comparison said what. Exit code 1 when an A/A failed
or a bad release was not found every time.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from service.cluster import embedded
from slo.comparison import compare
from slo.model import Outcome, ReleaseComparison
from slo.recording import read_recording

BIN = Path(sys.executable).parent
NAMESPACE = "bizra-system"
RELEASES = {
    "good": {},
    "slow": {"RELEASE_DELAY_MS": "60"},
    "failing": {"RELEASE_ERROR_RATE": "0.02"},
}

# Endpoints that need no graph: what is measured is the comparison, not how a database is.
SCENARIO = """\
name: release
arrivals: poisson
mix: {score: 50, search: 50}
stages: [{rate: 120}]
request_timeout: 5s
max_in_flight: 400
"""
# The fault comes when the comparison has what it needs, and hits nothing that serves users.
PLAN = """\
name: release
seed: 7
target: {{namespace: bizra-system, workload: {name}, service: {name}, port: 8000}}
prometheus: {{service: prometheus-service, port: 9090, scrape_interval: 2s}}
load: {{scenario: {scenario}}}
guardrails: {{max_share_of_pods: 1, steady_within: 23s}}
experiments:
  - name: bystander
    title: What counts the pods goes
    fault: {{kind: pod-kill, select: {{labels: {{app: kube-state-metrics}}, count: 1}}}}
    baseline: 22s
    duration: 1s
    recovery: 1s
"""


def command(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(BIN / arguments[0]), *map(str, arguments[1:])],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **options,
    )
    if done.returncode and arguments[0] == "kubectl":
        raise SystemExit(f"kubectl: {done.stderr.strip()}")
    return done


@contextmanager
def cluster() -> Iterator[Path]:
    """The kubeconfig of the embedded cluster; ended afterwards if it was started for this."""
    was_up = embedded.status().running
    info = embedded.up(owner_pid=None if was_up else os.getpid())
    try:
        yield info.kubeconfig
    finally:
        if not was_up:
            embedded.down()


def name_of(release: str) -> str:
    return f"bizra-api-{release}"


def deploy(kubeconfig: Path, release: str, environment: dict[str, str]) -> None:
    """The reference Deployment again under another name, with a Service, until it is ready."""
    kubectl = ("kubectl", "--kubeconfig", kubeconfig, "-n", NAMESPACE)
    found = json.loads(command(*kubectl, "get", "deployment", "bizra-api", "-o", "json").stdout)
    name, spec = name_of(release), found["spec"]
    labels = {"app": name}
    spec["selector"] = {"matchLabels": labels}
    spec["template"]["metadata"]["labels"] = labels
    spec["template"]["spec"]["containers"][0]["env"] += [
        {"name": key, "value": value} for key, value in environment.items()
    ]
    metadata = {"name": name, "namespace": NAMESPACE}
    ports = [{"port": 8000, "targetPort": 8000}]
    items = [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": labels, "ports": ports},
        },
    ]
    command(*kubectl, "apply", "-f", "-", input="\n".join(map(json.dumps, items)))
    command(*kubectl, "rollout", "status", f"deployment/{name}", "--timeout=120s")


def run(kubeconfig: Path, release: str, into: Path) -> None:
    """One game day, kept under the name of `into`; nothing is done where that is there."""
    if into.exists():
        return
    scenario, plan = into.parent / "scenario.yaml", into.parent / f"{release}.yaml"
    scenario.write_text(SCENARIO)
    plan.write_text(PLAN.format(name=name_of(release), scenario=scenario.absolute()))
    runs = into.parent / f".{into.name}"
    done = command("gameday", "run", plan, "--kubeconfig", kubeconfig, "--runs", runs, "--json")
    if not (runs / "latest/journal.jsonl").exists():
        raise SystemExit(f"gameday run: {done.stderr.strip()}")
    (runs / "latest").resolve().rename(into)
    (runs / "latest").unlink()
    runs.rmdir()


def measure(directory: Path, rounds: int) -> None:
    """Rounds 0 to `rounds`; of round 0 only the good release, for the first A/A."""
    with cluster() as kubeconfig:
        for release, environment in RELEASES.items():
            deploy(kubeconfig, release, environment)
        for number in range(rounds + 1):
            for release in RELEASES if number else ("good",):
                run(kubeconfig, release, directory / f"{number:02}-{release}")


def compared(directory: Path, rounds: int, new: str, back: int) -> list[ReleaseComparison]:
    """Release `new` of each round with the good one of `back` rounds before."""
    return [
        compare(
            read_recording(directory / f"{number:02}-{new}"),
            read_recording(directory / f"{number - back:02}-good"),
        )
        for number in range(1, rounds + 1)
    ]


def report(directory: Path, rounds: int) -> bool:
    """Print the figures; whether they are as they should be."""
    well = True
    for title, new, back, wanted in (
        ("A/A, the good release again", "good", 1, None),
        ("A/B, 60 ms slower", "slow", 0, Outcome.FAIL),
        ("A/B, 2 % failing", "failing", 0, Outcome.FAIL),
    ):
        found = compared(directory, rounds, new, back)
        tally = Counter(c.outcome for c in found)
        rows = [d for c in found for d in c.differences]
        medians = [d.change for d in rows if d.quantity == "p50" and d.change is not None]
        rates = [d.change for d in rows if d.endpoint == "" and d.change is not None]
        counts = ", ".join(f"{tally[o]} {o.value}" for o in Outcome if tally[o])
        print(
            f"{title}: {counts} of {rounds}"
            f" (median p50 shift {1000 * median(medians):+.1f} ms,"
            f" error rate {100 * median(rates):+.2f} %)"
        )
        for number, c in enumerate(found, start=1):
            if (c.outcome is Outcome.FAIL) is not (wanted is Outcome.FAIL):
                well = False
                print(f"  round {number}: {c.outcome.value}: {c.headline}")
    return well


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--directory", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gameday-aa-ab-") as temporary:
        directory = options.directory or Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        measure(directory, options.runs)
        if not report(directory, options.runs):
            sys.exit(1)


if __name__ == "__main__":
    main()
