"""What came of a kill campaign, as a table."""

from collections import Counter
from typing import Any


def table(results: list[dict[str, Any]]) -> list[str]:
    """Kills, and leftovers in brackets, by fault and by how it was undone."""
    columns = {
        "recover": lambda r: r["by"] == "recover" and not r["errors"],
        "recover, API errors": lambda r: r["by"] == "recover" and r["errors"],
        "watchdog": lambda r: r["by"] == "watchdog" and not (r["errors"] or r["watchdog_killed"]),
        "watchdog, API errors": lambda r: (
            r["by"] == "watchdog" and r["errors"] and not r["watchdog_killed"]
        ),
        "watchdog killed": lambda r: r["watchdog_killed"],
    }
    lines = ["| fault | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for kind in sorted({r["kind"] for r in results}):
        cells = []
        for wanted in columns.values():
            some = [r for r in results if r["kind"] == kind and wanted(r)]
            left = sum(bool(r["left"]) for r in some)
            cells.append(f"{len(some)}" + (f" ({left} LEFT)" if left else ""))
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    died = Counter(r["died_after"] for r in results)
    lines.append("")
    broken = sum(r["undone_s"] is not None for r in results)
    lines.append(f"{broken} died with a fault's mark in place")
    lines.append("died after: " + ", ".join(f"{k} {n}" for k, n in died.most_common()))
    return lines
