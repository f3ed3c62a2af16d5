"""Kills the runner over and over, and looks whether anything is left of its faults.

    python benchmarks/kill_campaign.py --kills 1000 --seed 7

Real SIGKILLs of real runner processes on an embedded cluster of small pods, in several namespaces
at once. A kill comes at a seeded boundary (before or after any request to the API, any command in
a container, any entry of the journal) or at a seeded moment between them, over all fault kinds of
the registry. Then either `recover` is called, or only the watchdog is there; in a part of the
cases the API server answers 409, 429, 500 or not at all during injection and undoing, and the
watchdog is killed as well. Afterwards every object must be as before (spec, data, labels,
annotations), no Lease, mark or process of a fault may be there, and all pods must be ready.

Each lane is a process of its own that prints one line of JSON for each kill. Exit code 1 when
anything was left, or when there were fewer kills than asked for. The last line is the summary.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for the tests' examples of faults

from kill_lane import Lane
from kill_table import tables

from chaos.faults import FAULTS
from service.cluster import embedded
from tests.chaos.faults.test_faults import EXAMPLES

ALL_KINDS = sorted(set(EXAMPLES) & set(FAULTS))


def run_lane(options: argparse.Namespace) -> None:
    work, kinds = Path(options.work), options.kinds.split(",")
    lane = Lane(options.lane, options.kubeconfig, options.seed, kinds, work)
    lane.prepare()
    print(json.dumps({"ready": options.lane}), flush=True)
    done = 0
    over = time.monotonic() + 60 * options.minutes
    for case in lane.cases(10 * options.kills, options.watchdog, options.errors):
        if time.monotonic() > over:
            return
        result = lane.kill(case)
        if result is None:
            continue
        print(json.dumps(asdict(result)), flush=True)
        done += 1
        if done == options.kills:
            return


def campaign(options: argparse.Namespace) -> int:
    begun = time.monotonic()
    results: list[dict[str, Any]] = []
    lock = threading.Lock()
    with tempfile.TemporaryDirectory(prefix="gameday-kills-") as work:
        directory = Path(work) / "cluster"
        kubeconfig = embedded.up(deploy_service=False, directory=directory).kubeconfig
        try:
            shares = [
                options.kills // options.lanes + (n < options.kills % options.lanes)
                for n in range(options.lanes)
            ]
            lanes = [
                start_lane(number, share, str(kubeconfig), work, options)
                for number, share in enumerate(shares)
                if share
            ]

            def read(lane: subprocess.Popen[str]) -> None:
                assert lane.stdout is not None
                for line in lane.stdout:
                    found = json.loads(line)
                    if "ready" in found:
                        continue
                    with lock:
                        results.append(found)
                        tell(results, options, begun)

            readers = [threading.Thread(target=read, args=(lane,)) for lane in lanes]
            for reader in readers:
                reader.start()
            for reader in readers:
                reader.join()
            codes = [lane.wait() for lane in lanes]
        finally:
            embedded.down(directory)
    return conclude(results, codes, options, time.monotonic() - begun)


def start_lane(
    number: int, kills: int, kubeconfig: str, work: str, options: argparse.Namespace
) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--lane", str(number), "--kubeconfig", kubeconfig]
    command += ["--kills", str(kills), "--seed", str(options.seed), "--work", work]
    command += ["--kinds", options.kinds, "--minutes", str(options.minutes)]
    command += ["--watchdog", str(options.watchdog), "--errors", str(options.errors)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def tell(results: list[dict[str, Any]], options: argparse.Namespace, begun: float) -> None:
    last = results[-1]
    if last["left"]:
        print(f"LEFT BEHIND: {json.dumps(last)}", flush=True)
    if len(results) % options.every == 0:
        left = sum(bool(r["left"]) for r in results)
        took = time.monotonic() - begun
        print(f"{len(results)} kills, {left} leftovers, {took:.0f} s", flush=True)


def conclude(
    results: list[dict[str, Any]], codes: list[int], options: argparse.Namespace, took: float
) -> int:
    if options.out:
        Path(options.out).write_text("".join(json.dumps(r) + "\n" for r in results))
    left = sum(bool(r["left"]) for r in results)
    print("\n".join(tables(results)))
    failed = left or len(results) < options.kills or any(codes)
    print(
        f"{len(results)} of {options.kills} kills, {len({r['kind'] for r in results})} of"
        f" {len(FAULTS)} fault kinds, {left} left something behind,"
        f" {took:.0f} s, seed {options.seed}"
    )
    return 1 if failed else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lanes", type=int, default=6, help="namespaces at once")
    parser.add_argument("--minutes", type=float, default=60, help="no kill begins later")
    parser.add_argument("--watchdog", type=float, default=0.25, help="share undone by it alone")
    parser.add_argument("--errors", type=float, default=0.2, help="share with a flaky API server")
    parser.add_argument("--every", type=int, default=50, help="a line of progress every so many")
    parser.add_argument("--kinds", default=",".join(ALL_KINDS), help="faults, with commas between")
    parser.add_argument("--out", help="one line of JSON for each kill")
    parser.add_argument("--lane", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--kubeconfig", help=argparse.SUPPRESS)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.lane is not None:
        run_lane(options)
    else:
        sys.exit(campaign(options))


if __name__ == "__main__":
    main()
