"""`gameday load`: a scenario alone, without faults and without a verdict."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chaos.cli import options
from chaos.cli.app import Json, app, console, print_json
from chaos.cli.errors import UsageError
from chaos.run.interrupt import InterruptedRunError, interruptible

if TYPE_CHECKING:
    from chaos.run.progress import Progress
    from loadtests.runner import LoadSummary
    from loadtests.scenario import Scenario
    from loadtests.tail import LoadProgress
    from slo.evidence.journal import LoadEnded
    from slo.evidence.samples import Samples
    from slo.system.folder import SystemFolder


@app.command()
def load(
    scenario: options.Scenario = None,
    *,
    rate: Annotated[
        float | None, typer.Option(help="Without a scenario: so many arrivals a second.", min=0.01)
    ] = None,
    locustfile: Annotated[
        Path | None, typer.Option(help="With --rate: its users, in place of the system's.")
    ] = None,
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
    runbook: Annotated[
        Path | None,
        typer.Option(help="Judge by this runbook's promises about errors and response times."),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Do not check the service's certificate.")
    ] = False,
    ca_file: Annotated[
        Path | None, typer.Option(help="Trust the certificate authorities in this PEM file.")
    ] = None,
    json: Json = False,
) -> None:
    """Run a load scenario alone, or load at a --rate, and say what came of it.

    With --rate and neither a locustfile nor a system's folder, the load is a GET of the --url.

    The exit code is 0 if it went well, and with --runbook if its promises were kept (warnings
    included); 1 if a promise was broken; 2 for bad input; 3 if nobody answers at the address, or if
    the load does not show what it should: requests that were due were not sent, the load generator
    was not well, or there were too few requests for a judgement.
    """
    from chaos.cli.at_a_rate import at_a_rate
    from chaos.cli.load_report import as_json, show_load
    from chaos.cli.system import scenario_of, system_folder
    from loadtests.runner import run_load
    from slo.evidence.samples import read_raw
    from slo.exit_codes import of_outcome
    from slo.policy import Policy, read_policy
    from slo.runbook.reader import read_runbook
    from slo.verdict.load_alone import judge_load

    folder = system_folder(system, embedded=embedded)
    if (scenario is None) is (rate is None):
        raise UsageError("say what the load is: either a scenario or --rate")
    if locustfile is not None and rate is None:
        raise UsageError("--locustfile goes with --rate: a scenario names its own")
    if rate is not None:
        read, url = at_a_rate(rate, url=url, locustfile=locustfile, folder=folder)
    else:
        read = scenario_of(scenario or "", folder)
    read = _trusting(read, insecure=insecure, ca_file=ca_file)
    objectives = read_runbook(runbook).objectives if runbook else ()
    policy = read_policy(folder.policy) if folder and folder.policy else Policy()
    if embedded is (url is not None):
        raise UsageError("say where the load goes: either --url URL or --embedded")
    if out is not None:
        _writable(out)
    if duration is None and read.length_s == float("inf"):
        what = f"scenario {read.name}" if rate is None else "a load at a rate"
        raise UsageError(f"{what} has no end of its own: give --duration")
    with interruptible(), tempfile.TemporaryDirectory(prefix="gameday-") as work:
        interrupted: InterruptedRunError | None = None
        summary: LoadSummary | None = None
        try:
            with _progress(quiet=json) as progress, _address(url, folder, progress) as target:
                _reach(target, read)
                told = _Told(progress, read.name)
                summary = run_load(
                    read, target, Path(work), seed=seed, duration=duration, on_progress=told
                )
        except InterruptedRunError as error:
            interrupted = error
        samples = read_raw(Path(work))
        if summary is None:
            summary = _cut_short(samples)
        if out is not None:
            samples.write_parquet(out / "samples.parquet")
    verdict = judge_load(read.name, _ended(summary), samples, objectives, policy)
    if json:
        print_json(as_json(summary, samples, verdict))
    else:
        show_load(console(), summary, samples, verdict)
    raise typer.Exit(interrupted.exit_code if interrupted else of_outcome(verdict.outcome))


@contextmanager
def _progress(*, quiet: bool) -> Iterator["Progress"]:
    from chaos.run.progress import Quiet, Terminal

    terminal = Terminal(console(quiet=quiet))
    try:
        yield Quiet() if quiet else terminal
    finally:
        terminal.close()


@contextmanager
def _address(url: str | None, folder: "SystemFolder | None", progress: "Progress") -> Iterator[str]:
    """Where the load goes; without an address, to the built-in service, as long as this lasts."""
    if url is not None:
        yield url
        return
    from chaos.cli.embedded import embedded_cluster
    from chaos.cli.target import chosen, system_under_test
    from chaos.kube import Cluster

    with embedded_cluster(progress) as kubeconfig:
        cluster = Cluster.connect(kubeconfig)
        yield system_under_test(cluster, chosen(folder, None, None), folder).url


def _trusting(scenario: "Scenario", *, insecure: bool, ca_file: Path | None) -> "Scenario":
    """With what the options say about certificates in place of what the scenario says."""
    from loadtests.scenario import unusable

    if insecure and ca_file is not None:
        raise UsageError("say either --insecure or --ca-file")
    if ca_file is not None:
        if why := unusable(ca_file):
            raise UsageError(f"--ca-file: {why}")
        return scenario.model_copy(update={"verify": True, "ca_file": ca_file.absolute()})
    if insecure:
        return scenario.model_copy(update={"verify": False, "ca_file": None})
    return scenario


def _writable(out: Path) -> None:
    """That there is such a folder. Raises UsageError before anything is sent."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be written: {error.strerror}") from error


def _reach(url: str, scenario: "Scenario") -> None:
    """Raises UsageError for a bad address, loadtests.reach.UnreachableError where nobody is."""
    from loadtests.reach import reach
    from slo.target_url import UrlError, checked_url

    try:
        reach(checked_url(url), verify=scenario.verify is not False, ca_file=scenario.ca_file)
    except UrlError as error:
        raise UsageError(str(error)) from error


def _cut_short(samples: "Samples") -> "LoadSummary":
    """Of a load that a signal ended: what was measured until then is kept and shown."""
    from loadtests.runner import LoadSummary

    return LoadSummary(
        scheduled=len(samples),
        sent=len(samples.of_the_service()),
        reason="the load was interrupted: this is what was measured until then",
    )


def _ended(summary: "LoadSummary") -> "LoadEnded":
    from datetime import UTC, datetime

    from slo.evidence.journal import LoadEnded

    return LoadEnded(
        time=datetime.now(UTC),
        scheduled=summary.scheduled,
        sent=summary.sent,
        reason=summary.reason,
        cpu_share=summary.cpu_share,
    )


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
