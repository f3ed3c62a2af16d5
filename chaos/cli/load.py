"""`gameday load`: a scenario alone, without faults and without a verdict."""

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chaos.cli import options
from chaos.cli.app import Json, app, console, print_json
from chaos.cli.errors import UsageError
from chaos.run.interrupt import interruptible

if TYPE_CHECKING:
    from chaos.run.progress import Progress
    from loadtests.runner import LoadSummary
    from loadtests.tail import LoadProgress
    from slo.evidence.samples import Samples

QUANTILES = {"p50_s": 0.5, "p95_s": 0.95, "p99_s": 0.99}


@app.command()
def load(
    scenario: options.Scenario,
    *,
    system: options.System = None,
    url: Annotated[str | None, typer.Option(help="Where the load goes.")] = None,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="Send the load to the built-in reference service.")
    ] = False,
    duration: Annotated[
        timedelta | None,
        typer.Option(parser=options.duration_option, help='Stop after, e.g. "30s".'),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Keep samples.parquet in here.")] = None,
    seed: Annotated[int, typer.Option(help="For arrivals and bodies.")] = 0,
    json: Json = False,
) -> None:
    """Run a load scenario alone, and say what came of it."""
    from chaos.cli.embedded import embedded_cluster
    from chaos.cli.system import scenario_of, system_folder
    from chaos.cli.target import chosen, system_under_test
    from chaos.kube import Cluster
    from chaos.run.progress import Quiet, Terminal
    from loadtests.runner import run_load
    from slo.evidence.samples import read_raw
    from slo.exit_codes import ExitCode

    folder = system_folder(system, embedded=embedded)
    read = scenario_of(scenario, folder)
    if embedded is (url is not None):
        raise UsageError("say where the load goes: either --url URL or --embedded")
    if duration is None and read.length_s == float("inf"):
        raise UsageError(f"scenario {read.name} has no end of its own: give --duration")
    terminal = Terminal(console(quiet=json))
    progress: Progress = Quiet() if json else terminal
    with interruptible(), tempfile.TemporaryDirectory(prefix="gameday-") as work:

        def go(target: str) -> "LoadSummary":
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
                where = system_under_test(cluster, chosen(folder, None, None))
                summary = go(where.url)
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

    def __init__(self, progress: "Progress", scenario: str) -> None:
        self._progress, self._scenario, self._elapsed = progress, scenario, 0.0

    def __call__(self, seen: "LoadProgress") -> None:
        from chaos.run.progress import Pulse

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


def _totals(summary: "LoadSummary", samples: "Samples") -> dict[str, object]:
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


def _by_endpoint(samples: "Samples") -> list[dict[str, object]]:
    """Response times from the intended start, of the requests whose latency counts."""
    import numpy as np

    from slo.indicators.client import KINDS, requests

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


def _show(summary: "LoadSummary", samples: "Samples") -> None:
    from rich.table import Table

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
