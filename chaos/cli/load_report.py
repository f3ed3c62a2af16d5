"""What came of a load, for people and for machines."""

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from slo.indicators.client import KINDS, requests
from slo.model import Outcome
from slo.stats.intervals import quantile

if TYPE_CHECKING:
    from rich.console import Console

    from loadtests.runner import LoadSummary
    from slo.evidence.samples import Samples
    from slo.verdict.load_alone import LoadVerdict, Promise

QUANTILES = {"p50_s": 0.5, "p95_s": 0.95, "p99_s": 0.99}
_REDIRECT, _CLIENT_ERROR = 300, 400
_STYLES = {
    Outcome.PASS: "green",
    Outcome.WARN: "yellow",
    Outcome.FAIL: "red",
    Outcome.INCONCLUSIVE: "yellow",
}


def as_json(
    summary: "LoadSummary", samples: "Samples", verdict: "LoadVerdict"
) -> dict[str, object]:
    made = samples.of_the_service()
    return {
        "scheduled": summary.scheduled,
        "sent": summary.sent,
        "kept": len(samples),
        "waiting": summary.waiting,
        "outside": summary.outside,
        "outside_failed": summary.outside_failed,
        "errors": int((~made.error.are("none")).sum()),
        "redirects": _redirects(made),
        "reason": summary.reason,
        "outcome": verdict.outcome,
        "promises": [_promise(p) for p in verdict.promises],
        "endpoints": _by_endpoint(samples),
    }


def _promise(promise: "Promise") -> dict[str, object]:
    return {
        "objective": promise.objective.name,
        "target": promise.objective.target,
        "critical": promise.objective.critical,
        "value": promise.indicator.value,
        "outcome": promise.outcome,
        "reason": promise.reason,
    }


def _redirects(made: "Samples") -> int:
    return int(((made.status >= _REDIRECT) & (made.status < _CLIENT_ERROR)).sum())


def _by_endpoint(samples: "Samples") -> list[dict[str, object]]:
    """Response times from the intended start, of the requests whose latency counts."""
    rows: list[dict[str, object]] = []
    made = requests(samples)
    for position, endpoint in enumerate(made.names):
        found = made.of([position])
        counts = {k: int((found.kind == i).sum()) for i, k in enumerate(KINDS)}
        errors = {kind: count for kind, count in counts.items() if count and kind != "none"}
        row: dict[str, object] = {"endpoint": endpoint, "requests": len(found), "errors": errors}
        times = found.latencies()
        for name, q in QUANTILES.items():
            row[name] = quantile(times, q) if times.size else None
        rows.append(row)
    return rows


def show_load(
    screen: "Console", summary: "LoadSummary", samples: "Samples", verdict: "LoadVerdict"
) -> None:
    """The closing screen."""
    made = samples.of_the_service()
    screen.print(_table(samples))
    screen.print(f"{summary.sent} of {summary.scheduled} requests that were due were sent")
    if summary.waiting and not summary.reason:
        screen.print(f"{summary.waiting} arrivals found no user: all max_in_flight were busy")
    if redirects := _redirects(made):
        screen.print(
            f"{redirects} answers were redirects, which are not followed: a locustfile can ask for"
            " it with allow_redirects=True"
        )
    if summary.outside:
        screen.print(
            f"{summary.outside} requests of on_start and on_stop, which are not in the table;"
            f" {summary.outside_failed} of them failed"
        )
    for promise in verdict.promises:
        line = Text(f"{promise.outcome.value:<13}", _STYLES[promise.outcome])
        screen.print(line + Text(f"{promise.objective.title}: {promise.reason}", ""))
    doubt = summary.reason or ("" if verdict.complete else verdict.load.reason)
    if verdict.promises and verdict.load.outcome is Outcome.INCONCLUSIVE:
        doubt = verdict.load.reason
    if doubt:
        screen.print(Text(doubt, "yellow"))


def _table(samples: "Samples") -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("endpoint", "requests", "p50", "p95", "p99", "errors"):
        table.add_column(title, justify="left" if title in ("endpoint", "errors") else "right")
    for row in _by_endpoint(samples):
        times = [row[name] for name in QUANTILES]
        cells = ["–" if not isinstance(t, float) else f"{t * 1000:.1f} ms" for t in times]
        errors = row["errors"]
        said = ", ".join(f"{n} {k}" for k, n in errors.items()) if isinstance(errors, dict) else ""
        table.add_row(Text(str(row["endpoint"])), str(row["requests"]), *cells, said)
    return table
