"""Does the comparison of releases tell the truth on a real service? A/A and A/B, many times.

    python benchmarks/aa_ab.py [--runs 20] [--directory DIR]

Three releases stand side by side on one embedded cluster (the one that is up, or one for this): a
good one, one that is 60 ms slower, one that answers 2 % of its requests with 500. Each round runs
the same plan once on each of them, one after the other. The good release is compared with itself a
round earlier (A/A), the others with the good one of their round (A/B). A bad release counts as
found when the comparison fails for what is bad about it. What a busy machine leaves inconclusive is
run once more, both sides, as the verdict says to, and counted apart. With a directory, runs that
are in it are kept, so that the benchmark can go on where it stopped. 20 rounds take 35 minutes.

150 requests/s for 20 s: with so many, 2 % failing are surely more than the 0.5 % that matter in
3,997 of 4,000 simulated rounds (in 3,976 with 120/s for 22 s, so that 20 of 20 were a matter of
luck).

The last line is the summary. Exit code 1 when an A/A failed, a good release failed by its own
verdict, or a bad release was not found every time.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from service.cluster import embedded
from slo.compare.comparison import compare
from slo.evidence.recording import read_recording
from slo.model import Outcome, ReleaseComparison
from slo.verdict.score import score

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
stages: [{rate: 150}]
request_timeout: 5s
max_in_flight: 400
"""
# The fault comes when the comparison has what it needs, and hits a pod that serves nobody.
PLAN = """\
name: release
seed: 7
target: {{namespace: bizra-system, workload: {name}, service: {name}, port: 8000}}
prometheus: {{service: prometheus-service, port: 9090, scrape_interval: 2s}}
load: {{scenario: {scenario}}}
guardrails: {{max_share_of_pods: 1, steady_within: 20s}}
{more}experiments:
  - name: bystander
    title: A pod goes that serves nobody
    fault: {{kind: pod-kill, select: {{labels: {{app: {bystander}}}, count: 1}}}}
    baseline: 20s
    duration: 1s
    recovery: 1s
"""
# With 2 % failing it would never be steady otherwise, and is to be measured as long as the others.
MORE = {"failing": "objectives: {error_rate: {target: 0.1%, critical: 10%}}\n"}
BYSTANDER = "bystander"
AGAIN = "-again"
TRIES = 2  # of a run that never began: 61 of them take long


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


def deploy(kubeconfig: Path, source: str, name: str, environment: dict[str, str]) -> None:
    """A Deployment of the reference system again under another name, until it is ready."""
    kubectl = ("kubectl", "--kubeconfig", kubeconfig, "-n", NAMESPACE)
    found = json.loads(command(*kubectl, "get", "deployment", source, "-o", "json").stdout)
    spec, labels = found["spec"], {"app": name}
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
    plan.write_text(
        PLAN.format(
            name=name_of(release),
            scenario=json.dumps(str(scenario.absolute())),
            bystander=BYSTANDER,
            more=MORE.get(release, ""),
        )
    )
    runs = into.parent / f".{into.name}"
    for number in range(TRIES):
        shutil.rmtree(runs, ignore_errors=True)  # of a benchmark that was ended meanwhile
        begun = time.monotonic()
        done = command("gameday", "run", plan, "--kubeconfig", kubeconfig, "--runs", runs, "--json")
        if (runs / "latest/journal.jsonl").exists():
            break
        print(f"{into.name}: try {number + 1}: {done.stderr.strip()}", flush=True)
    else:
        raise SystemExit(f"{into.name}: no run came of it")
    (runs / "latest").resolve().rename(into)
    shutil.rmtree(runs)
    print(f"{into.name}: {time.monotonic() - begun:.0f} s", flush=True)


class Question(NamedTuple):
    """Release `new` of each round against the good one of `back` rounds before.

    `bad` are the quantities of which one has to be worse; none where nothing is.
    """

    title: str
    new: str
    back: int
    bad: frozenset[str] = frozenset()


TIMES = frozenset({"p10", "p50", "p95"})
QUESTIONS = (
    Question("A/A", "good", back=1),
    Question("A/B, 60 ms slower", "slow", back=0, bad=TIMES),
    Question("A/B, 2 % failing", "failing", back=0, bad=frozenset({"error rate"})),
)


def of(directory: Path, new: str, good: str) -> ReleaseComparison:
    return compare(read_recording(directory / new), read_recording(directory / good))


def first(directory: Path, number: int, question: Question) -> ReleaseComparison:
    return of(directory, f"{number:02}-{question.new}", f"{number - question.back:02}-good")


def compared(directory: Path, number: int, question: Question) -> ReleaseComparison:
    """The second answer, where there had to be one."""
    again = f"{number:02}-{question.new}{AGAIN}"
    if question.bad and (directory / again).exists():
        return of(directory, again, f"{number:02}-good{AGAIN}")
    return first(directory, number, question)


def measure(directory: Path, rounds: int) -> None:
    """Rounds 0 to `rounds`; of round 0 only the good release, for the first A/A."""
    with cluster() as kubeconfig:
        for release, environment in RELEASES.items():
            deploy(kubeconfig, "bizra-api", name_of(release), environment)
        deploy(kubeconfig, "redis", BYSTANDER, {})
        for number in range(rounds + 1):
            for release in RELEASES if number else ("good",):
                run(kubeconfig, release, directory / f"{number:02}-{release}")
            for question in (q for q in QUESTIONS if q.bad and number):
                if first(directory, number, question).outcome is Outcome.INCONCLUSIVE:
                    for release in ("good", question.new):
                        run(kubeconfig, release, directory / f"{number:02}-{release}{AGAIN}")


def right(found: ReleaseComparison, bad: frozenset[str]) -> bool:
    """A bad release is worse in what is bad about it; a good one in nothing."""
    if not bad:
        return found.outcome is not Outcome.FAIL
    worse = {d.quantity for d in found.differences if d.outcome is Outcome.FAIL}
    return found.outcome is Outcome.FAIL and bool(worse & bad)


def told(outcomes: Iterable[Outcome]) -> str:
    tally = Counter(outcomes)
    return ", ".join(f"{tally[o]} {o.value}" for o in Outcome if tally[o])


def report(directory: Path, rounds: int) -> tuple[bool, str]:
    """Print the figures; whether they are as they should be, and the summary."""
    parts, well = [], True
    for question in QUESTIONS:
        numbers = range(1, rounds + 1)
        found = [compared(directory, n, question) for n in numbers]
        begun = [first(directory, n, question) for n in numbers]
        rows = [d for c in found for d in c.differences]
        medians = [d.change for d in rows if d.quantity == "p50" and d.change is not None]
        rates = [d.change for d in rows if d.endpoint == "" and d.change is not None]
        print(
            f"{question.title}: {told(c.outcome for c in found)} of {rounds}"
            f" (median p50 shift {1000 * median(medians or [0.0]):+.1f} ms,"
            f" error rate {100 * median(rates or [0.0]):+.2f} %)"
        )
        again = sum(b.outcome is not c.outcome for b, c in zip(begun, found, strict=True))
        if again:
            print(f"  at first {told(c.outcome for c in begun)}; run once more they say the above")
        wrong = [n for n, c in enumerate(found, start=1) if not right(c, question.bad)]
        for number in wrong:
            c = found[number - 1]
            print(f"  round {number}: {c.outcome.value}: {c.headline}")
        well = well and not wrong
        if question.bad:
            late = f", {again} of them when run once more" if again else ""
            parts.append(f"{question.title}: found {rounds - len(wrong)} of {rounds}{late}")
        else:
            parts.append(f"{question.title}: false fails {len(wrong)} of {rounds}")
    own = [score(read_recording(directory / f"{n:02}-good")) for n in range(rounds + 1)]
    failed = [v for v in own if v.outcome is Outcome.FAIL]
    print(f"the good release by its own verdict: {told(v.outcome for v in own)} of {len(own)}")
    for verdict in failed:
        print(f"  {verdict.run}: {verdict.headline}")
    parts.append(f"own verdicts that failed a good one {len(failed)} of {len(own)}")
    return well and not failed, "; ".join(parts)


def main() -> int:
    parser = argparse.ArgumentParser(description="A/A and A/B on the embedded cluster.")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--directory", type=Path)
    options = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gameday-aa-ab-") as temporary:
        directory = options.directory or Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        measure(directory, options.runs)
        well, summary = report(directory, options.runs)
    minutes = (time.monotonic() - begun) / 60
    print(f"{'ok' if well else 'MISSED'}: {options.runs} rounds in {minutes:.0f} min: {summary}")
    return int(not well)


if __name__ == "__main__":
    sys.exit(main())
