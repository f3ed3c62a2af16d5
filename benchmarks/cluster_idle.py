"""How long the embedded cluster takes to start with the stack, and what it costs when idle.

    python benchmarks/cluster_idle.py [--seconds 20]

Boot is the time until every pod is ready. Its measure is one Python interpreter that imports what
an API pod imports, started alone on the same machine in the same run. Idle CPU is counted by part,
in percent of one core, with what the pods themselves need beside it.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from service.cluster import embedded
from service.cluster.processes import read_records


def used(parts: dict[str, psutil.Process]) -> dict[str, float]:
    """CPU seconds of each part, and of everything below them under "pods"."""
    own = {name: sum(process.cpu_times()[:2]) for name, process in parts.items()}
    listed = {process.pid for process in parts.values()}
    below = [c for p in parts.values() for c in p.children(recursive=True) if c.pid not in listed]
    pods = 0.0
    for process in {p.pid: p for p in below}.values():
        try:
            pods += sum(process.cpu_times()[:2])
        except psutil.NoSuchProcess:  # a probe's command, meanwhile ended
            continue
    return {**own, "pods": pods}


def one_start() -> float:
    """Seconds that one API process needs for its imports."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import service.api.app"], check=True)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        cluster, single = Path(directory) / "cluster", one_start()
        try:
            boot = embedded.up(directory=cluster).boot_s
            pods = embedded.status(cluster).pods
            print(f"boot with {pods} pods {boot:.1f} s, {boot / single:.1f} starts of one process")
            time.sleep(10)  # until the start is over
            records = read_records(cluster / "processes.json")
            parts = {name: psutil.Process(record.pid) for name, record in records.items()}
            before = used(parts)
            time.sleep(options.seconds)
            after = used(parts)
        finally:
            embedded.down(cluster)
    shares = {name: (after[name] - before[name]) / options.seconds for name in after}
    for name, share in shares.items():
        print(f"  {name:12} {share:6.1%} of a core")
    ours = sum(share for name, share in shares.items() if name != "pods")
    print(
        f"summary: boot {boot / single:.1f} starts of one process; idle, the cluster takes"
        f" {ours:.1%} of a core, {ours / shares['pods']:.2f} of what its pods take"
    )


if __name__ == "__main__":
    main()
