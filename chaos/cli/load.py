"""`gameday load`: a scenario alone, without faults and without a verdict."""

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from chaos.cli.app import Json, app, console, print_json
from chaos.cli.cluster import embedded_cluster
from chaos.cli.errors import UsageError
from chaos.cli.reference import reference_scenario
from chaos.kube import Cluster
from chaos.run.interrupt import interruptible
from chaos.run.progress import Progress, Pulse, Quiet, Terminal
from loadtests.runner import LoadProgress, LoadSummary, run_load
from slo.documents import parse_duration
from slo.evidence.samples import Samples, read_raw
from slo.exit_codes import ExitCode
from slo.indicators.client import KINDS, requests

QUANTILES = {"p50_s": 0.5, "p95_s": 0.95, "p99_s": 0.99}


def duration_option(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


@app.command()
def load(
    scenario: Annotated[str, typer.Argument(help="The name of a scenario, or a YAML file.")],
    *,
    url: Annotated[str | None, typer.Option(help="Where the load goes.")] = None,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="To the reference service on this machine.")
    ] = False,
    duration: Annotated[
        timedelta | None, typer.Option(parser=duration_option, help='Stop after, e.g. "30s".')
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Keep samples.parquet in here.")] = None,
    seed: Annotated[int, typer.Option(help="For arrivals and bodies.")] = 0,
    json: Json = False,
) -> None:
    """Run a load scenario alone, and say what came of it."""
    read = reference_scenario(scenario)
    if embedded is (url is not None):
        raise UsageError("say where the load goes: either --url URL or --embedded")
    if duration is None and read.length_s == float("inf"):
        raise UsageError(f"scenario {read.name} has no end of its own: give --duration")
    terminal = Terminal(console(quiet=json))
    progress: Progress = Quiet() if json else terminal
    with interruptible(), tempfile.TemporaryDirectory(prefix="gameday-") as work:

        def go(target: str) -> LoadSummary:
            told = _Told(progress, read.name)
            directory = Path(work)
            try:
                return run_load(
                    read, target, directory, seed=seed, duration=duration, on_progress=told
                )
            finally:
                terminal.close()

        if url is not None:
            summary = go(url)
        else:
            with embedded_cluster(progress) as kubeconfig:
                cluster = Cluster.connect(kubeconfig)
                summary = go(cluster.service_url("bizra-system", "bizra-api-internal", 8000))
        samples = read_raw(Path(work))
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            samples.write_parquet(out / "samples.parquet")
    if json:
        print_json({**_totals(summary, samples), "endpoints": _by_endpoint(samples)})
    else:
        _show(summary, samples)
    if summary.reason or len(samples) == 0:
        raise typer.Exit(ExitCode.INCONCLUSIVE)


class _Told:
    """Turns the generator's progress into pulses."""

    def __init__(self, progress: Progress, scenario: str) -> None:
        self._progress, self._scenario, self._elapsed = progress, scenario, 0.0

    def __call__(self, seen: LoadProgress) -> None:
        self._elapsed += 0.5
        self._progress.pulse(
            Pulse(
                step=self._scenario,
                elapsed_s=self._elapsed,
                step_left_s=0,
                requests=seen.requests,
                errors=seen.errors,
                rate=seen.rate,
                error_rate=seen.error_rate,
                p95_s=seen.p95_s,
                pods="",
            )
        )


def _totals(summary: LoadSummary, samples: Samples) -> dict[str, object]:
    return {
        "scheduled": summary.scheduled,
        "sent": summary.sent,
        "kept": len(samples),
        "waiting": summary.waiting,
        "outside": summary.outside,
        "outside_failed": summary.outside_failed,
        "errors": int((~samples.error.are("none")).sum()),
        "reason": summary.reason,
    }


def _by_endpoint(samples: Samples) -> list[dict[str, object]]:
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
            row[name] = float(np.quantile(times, q)) if times.size else None
        rows.append(row)
    return rows


def _show(summary: LoadSummary, samples: Samples) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("endpoint", "requests", "p50", "p95", "p99", "errors"):
        table.add_column(title, justify="left" if title in ("endpoint", "errors") else "right")
    for row in _by_endpoint(samples):
        times = [row[name] for name in QUANTILES]
        cells = ["–" if not isinstance(t, float) else f"{t * 1000:.1f} ms" for t in times]
        errors = row["errors"]
        said = ", ".join(f"{n} {k}" for k, n in errors.items()) if isinstance(errors, dict) else ""
        table.add_row(str(row["endpoint"]), str(row["requests"]), *cells, said)
    screen = console()
    screen.print(table)
    screen.print(f"{summary.sent} of {summary.scheduled} scheduled requests sent")
    if summary.waiting and not summary.reason:
        screen.print(f"{summary.waiting} arrivals found no user: all max_in_flight were busy")
    if summary.outside:
        screen.print(
            f"{summary.outside} requests of on_start and on_stop, which are not in the table;"
            f" {summary.outside_failed} of them failed"
        )
    if summary.reason:
        screen.print(f"[yellow]{summary.reason}[/]")
