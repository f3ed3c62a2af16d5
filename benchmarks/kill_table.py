"""What came of a kill campaign, as tables."""

import statistics
from collections import Counter
from collections.abc import Iterator
from typing import Any

Result = dict[str, Any]


def tables(results: list[Result]) -> Iterator[str]:
    """Kills by fault and way of undoing, what was left of them, and how long undoing took."""
    ways = sorted({_way(r) for r in results})
    yield from _row("fault", *ways)
    yield from _row(*["---"] * (len(ways) + 1))
    for kind in sorted({r["kind"] for r in results}):
        yield from _row(kind, *(_count(results, kind, way) for way in ways))
    yield ""
    broken = [r for r in results if r["undone_s"] is not None]
    yield f"{len(broken)} died with a fault's mark in place, {_share(results)} at a boundary"
    died = Counter(r["died_after"] for r in results)
    yield "died after: " + ", ".join(f"{event} {n}" for event, n in died.most_common())
    yield ""
    yield from _row("from the runner's death to undone", "median", "slowest", "of")
    yield from _row(*["---"] * 4)
    for way in ways:
        took = [r["undone_s"] for r in broken if _way(r) == way]
        if took:
            middle = f"{statistics.median(took):.1f} s"
            yield from _row(way, middle, f"{max(took):.1f} s", len(took))
    yield ""


def _way(result: Result) -> str:
    said = [result["by"]]
    if result["watchdog_killed"]:
        said.append("killed as well")
    if result["errors"]:
        said.append("API errors")
    return ", ".join(said)


def _count(results: list[Result], kind: str, way: str) -> str:
    some = [r for r in results if r["kind"] == kind and _way(r) == way]
    left = sum(bool(r["left"]) for r in some)
    return f"{len(some)}" + (f" (**{left} left**)" if left else "")


def _share(results: list[Result]) -> str:
    return f"{sum(r['boundary'] for r in results) / len(results):.0%}" if results else "none"


def _row(*cells: object) -> Iterator[str]:
    yield "| " + " | ".join(map(str, cells)) + " |"
