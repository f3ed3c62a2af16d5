"""Many runs at once: their index page, and a look at it in the browser."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chaos.cli.app import Json, app, print_json, tell, version
from chaos.cli.errors import UsageError
from chaos.run.interrupt import InterruptedRunError, interruptible

if TYPE_CHECKING:
    from reports.history import LeftOut, Proven, Run

RunsDir = Annotated[Path, typer.Argument(help="The folder that has the run directories.")]


@app.command()
def history(runs: RunsDir = Path("runs"), *, json: Json = False) -> None:
    """Write index.html over all runs of a folder: how each plan fared from run to run."""
    from reports.history import as_json

    found = read_runs(runs)
    path = write_index(runs, found)
    if json:
        print_json(as_json(*found) | {"files": [str(path)]})
    else:
        for left in found[2]:
            tell(f"left out: {left.folder}: {left.reason}")
        tell(str(path))


@app.command("open")
def open_(
    runs: RunsDir = Path("runs"),
    *,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")
    ] = True,
) -> None:
    """Serve the reports of a folder of runs to this machine alone, until it is interrupted."""
    import webbrowser

    from chaos.cli.reports_server import ReportsServer

    write_index(runs, read_runs(runs))
    with ReportsServer(runs) as server:
        tell(f"{server.address}\nEnd it with Ctrl-C.")
        sys.stdout.flush()  # whoever reads it through a pipe needs the address now
        if browser:
            webbrowser.open(server.address)
        with suppress(InterruptedRunError), interruptible():
            server.serve_forever()


def read_runs(runs: Path) -> "tuple[list[Run], list[Proven], list[LeftOut]]":
    """Every run and every trial of a runbook in the folder, the latest first.

    What cannot be read is left out, with the reason. Raises UsageError where there is no folder.
    """
    from reports import coverage
    from reports.format import utc
    from reports.history import LeftOut, Proven, run_of
    from slo.documents import DocumentError
    from slo.evidence.recording import RecordingError
    from slo.runbook.reader import survey_runbook
    from slo.verdict import verdict_json
    from slo.verdict.proofs import ProofOutcome, load

    if not runs.is_dir():
        raise UsageError(f"{runs}: there is no such folder of runs")
    found: list[tuple[str, Run]] = []
    proofs: list[tuple[str, Proven]] = []
    left_out = []
    for folder in sorted(p for p in runs.iterdir() if p.is_dir() and not p.is_symlink()):
        try:
            if (folder / "verdict.json").exists():
                verdict = verdict_json.read(folder)
                found.append((verdict.started.isoformat(), run_of(folder.name, verdict)))
            elif (file := folder / "proofs.json").exists():
                told = load(file.read_text(encoding="utf-8"), str(file))
                marks = coverage.promises(survey_runbook(folder / "runbook.md"), told)
                proven = Proven(
                    folder=folder.name,
                    runbook=told.runbook,
                    started=utc(told.started),
                    proven=sum(m.state == ProofOutcome.PROVEN.value for m in marks),
                    promises=len(marks),
                )
                proofs.append((told.started.isoformat(), proven))
            elif (folder / "journal.jsonl").exists():
                left_out.append(LeftOut(folder=folder.name, reason="it was never scored"))
        except (DocumentError, RecordingError, OSError, UnicodeDecodeError) as error:
            left_out.append(LeftOut(folder=folder.name, reason=str(error)))
    found.sort(key=lambda pair: pair[0], reverse=True)
    proofs.sort(key=lambda pair: pair[0], reverse=True)
    return [run for _, run in found], [proof for _, proof in proofs], left_out


def write_index(runs: Path, found: "tuple[list[Run], list[Proven], list[LeftOut]]") -> Path:
    """Raises UsageError where the folder cannot be written."""
    from reports.history import render
    from reports.write import replace_text

    path = runs / "index.html"
    try:
        replace_text(path, render(*found, version()))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    return path
