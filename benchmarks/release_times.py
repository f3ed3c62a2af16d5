"""How late requests leave: three ways to wait for the moment at which one is due, side by side.

    python benchmarks/release_times.py [--rate 200] [--seconds 5] [--rounds 3]

An event with a time limit (the event loop's own timers), an event that ends early and then a yield
until it is time, and loadtests.alarm (the kernel's timer). Beside each stands what it costs of a
core. Rounds alternate, so that a busy moment of the machine meets all of them; the last line has
the ratios to the event. Exit code 1 if the alarm is not the earlier one at the median.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

import gevent
from gevent.event import Event

from loadtests.alarm import Alarm

EARLY_S = 0.0015  # the loop's timers overshoot by about as much
Wait = Callable[[float], object]


class Found(NamedTuple):
    """Lateness in seconds at the median and the 99th percentile, and the share of a core."""

    p50: float
    p99: float
    cpu: float


def measured(wait: Wait, rate: float, seconds: float) -> Found:
    late = []
    begun, cpu = time.monotonic(), time.process_time()
    for number in range(1, int(rate * seconds) + 1):
        due = begun + number / rate
        wait(due)
        late.append(time.monotonic() - due)
    share = (time.process_time() - cpu) / (time.monotonic() - begun)
    cuts = statistics.quantiles(late, n=100)
    return Found(cuts[49], cuts[98], share)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    never = Event()

    def by_event(due: float) -> None:
        never.wait(max(0.0, due - time.monotonic()))

    def by_yielding(due: float) -> None:
        never.wait(max(0.0, due - time.monotonic() - EARLY_S))
        while time.monotonic() < due:
            gevent.sleep(0)

    with Alarm() as alarm:
        ways: dict[str, Wait] = {
            "event": by_event,
            "event, yield": by_yielding,
            "alarm": lambda due: alarm.wait(due, never),
        }
        rounds: dict[str, list[Found]] = {name: [] for name in ways}
        for _ in range(asked.rounds):
            for name, wait in ways.items():
                rounds[name].append(measured(wait, asked.rate, asked.seconds))
    best = {
        name: Found(*(statistics.median(column) for column in zip(*found, strict=True)))
        for name, found in rounds.items()
    }
    print(f"{'':<14}{'late p50':>10}{'late p99':>10}{'of a core':>11}")
    for name, found in best.items():
        print(f"{name:<14}{found.p50 * 1e3:>7.3f} ms{found.p99 * 1e3:>7.3f} ms{found.cpu:>11.3f}")
    event, alarm_found = best["event"], best["alarm"]
    print(
        f"alarm / event: {alarm_found.p50 / event.p50:.2f} of the lateness at the median,"
        f" {alarm_found.cpu / event.cpu:.2f} of the processor"
    )
    return 0 if alarm_found.p50 < event.p50 else 1


if __name__ == "__main__":
    sys.exit(main())
