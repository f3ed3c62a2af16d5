"""A run directory read back: everything that scoring needs, and nothing that has effects."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from slo.documents import DocumentError, read_document
from slo.evidence.journal import Entry, JournalError, RunStarted, read_journal
from slo.evidence.metrics import Measurement, MetricsError, Series, read_metrics
from slo.evidence.samples import Samples, read_parquet, read_raw
from slo.policy import Policy, read_policy
from slo.runbook.reader import Runbook, RunbookError, parse_runbook
from slo.system.model import System


class RecordingError(DocumentError):
    """The directory is not a run that can be scored; the message is one sentence."""


class KubernetesEvent(BaseModel):
    """One line of events.jsonl."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    time: AwareDatetime
    type: str
    reason: str
    kind: str
    name: str
    message: str
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """`samples` is None when none were kept; `system` None where the run kept none; `gaps` says
    in words what is missing and why.
    """

    started: RunStarted
    journal: tuple[Entry, ...]
    runbook: Runbook
    policy: Policy
    system: System | None
    samples: Samples | None
    measurements: tuple[Measurement, ...]
    series: tuple[Series, ...]
    events: tuple[KubernetesEvent, ...]
    gaps: tuple[str, ...] = ()


def read_recording(
    run_dir: Path, policy: Policy | None = None, runbook: Path | None = None
) -> Recording:
    """Read a run directory. Missing evidence is noted; a directory that is no run is an error.

    `policy` and `runbook` stand in place of those that the run kept, and the verdict says so.
    Raises slo.documents.DocumentError.
    """
    journal = _journal(run_dir)
    started = journal[0]
    if not isinstance(started, RunStarted):
        raise RecordingError(f"{run_dir / 'journal.jsonl'}, line 1: not the start of a run")
    gaps: list[str] = []
    if policy is not None:
        gaps.append("Judged by another policy than the one that the run kept.")
    if runbook is not None:
        # By its name alone, so that the verdict is the same wherever the runbook lies.
        gaps.append(f"Judged by another runbook, {runbook.name}, than the one that the run kept.")
    measurements, series = _metrics(run_dir / "metrics.parquet", gaps)
    return Recording(
        started=started,
        journal=journal,
        runbook=_runbook(runbook or run_dir / "runbook.md"),
        policy=policy or _policy(run_dir),
        system=_system(run_dir),
        samples=_samples(run_dir, gaps) if started.scenario else None,
        measurements=measurements,
        series=series,
        events=_events(run_dir / "events.jsonl", gaps),
        gaps=tuple(gaps),
    )


def _journal(run_dir: Path) -> tuple[Entry, ...]:
    path = run_dir / "journal.jsonl"
    if not path.is_file():
        raise RecordingError(f"{run_dir}: not a run directory, it has no journal.jsonl")
    try:
        journal = read_journal(path)
    except JournalError as error:
        raise RecordingError(str(error)) from error
    if not journal:
        raise RecordingError(f"{path}: empty, the run ended before it began")
    return journal


def _runbook(path: Path) -> Runbook:
    try:
        # Named without its directory, so that the verdict is the same wherever the run lies.
        return parse_runbook(path.read_text(encoding="utf-8-sig"), path.name)
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RecordingError(f"{path}: not UTF-8 text") from error
    except RunbookError as error:
        raise RecordingError(f"{path.parent}: {error}") from error


def _policy(run_dir: Path) -> Policy:
    path = run_dir / "policy.yaml"
    return read_policy(path) if path.is_file() else Policy()


def _system(run_dir: Path) -> System | None:
    path = run_dir / "system.yaml"
    return read_document(path, System) if path.is_file() else None


def _samples(run_dir: Path, gaps: list[str]) -> Samples | None:
    """The columns, or from the generator's raw files if it never got to writing them."""
    path = run_dir / "samples.parquet"
    try:
        if path.is_file():
            return read_parquet(path)
        samples = read_raw(run_dir)
    except (OSError, ValueError) as error:
        gaps.append(f"The requests cannot be read: {error}.")
        return None
    if len(samples) == 0:
        gaps.append("No requests were kept: samples.parquet is missing.")
        return None
    return samples


def _metrics(path: Path, gaps: list[str]) -> tuple[tuple[Measurement, ...], tuple[Series, ...]]:
    if not path.is_file():
        gaps.append("Nothing was kept of Prometheus: metrics.parquet is missing.")
        return (), ()
    try:
        return read_metrics(path)
    except MetricsError as error:
        gaps.append(f"Nothing is known of Prometheus: {path.name} cannot be read ({error}).")
        return (), ()


def _events(path: Path, gaps: list[str]) -> tuple[KubernetesEvent, ...]:
    if not path.is_file():
        return ()
    events = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            events.append(KubernetesEvent.model_validate_json(line))
        except ValidationError:
            gaps.append(f"{path.name}, line {number}: not a Kubernetes event.")
    return tuple(events)
