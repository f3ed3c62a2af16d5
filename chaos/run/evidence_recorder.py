"""What a run leaves behind beside its journal: samples, metrics, Kubernetes events."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chaos.kube import Cluster, ClusterError
from slo.evidence.metrics import Measurement, Series, write_metrics
from slo.evidence.samples import BESIDE, RAW, read_raw
from slo.model import Phase
from slo.observe.phases import Scope, measure, series
from slo.observe.prometheus import Prometheus


class EvidenceRecorder:
    """Collects while the run goes on, writes at its end.

    Never stops a run: what cannot be had is missing evidence, and scoring says so.
    """

    def __init__(
        self, run_dir: Path, cluster: Cluster, prometheus: Prometheus, scope: Scope
    ) -> None:
        self._dir = run_dir
        self._cluster, self._prometheus, self._scope = cluster, prometheus, scope
        self._begun = datetime.now(UTC)
        self._measurements: list[Measurement] = []
        self._series: list[Series] = []

    def measure(self, phases: list[Phase]) -> None:
        """Ask Prometheus about phases of one experiment, which have ended."""
        for phase in phases:
            self._measurements += measure(self._prometheus, phase, self._scope)
        start, end = phases[0].start, phases[-1].end
        self._series += series(self._prometheus, start, end, self._scope)

    def write(self) -> None:
        write_metrics(self._dir / "metrics.parquet", self._measurements, self._series)
        samples = read_raw(self._dir)
        if len(samples):
            samples.write_parquet(self._dir / "samples.parquet")
        for path in (*self._dir.glob(RAW), *(self._dir / BESIDE).glob(f"*/{RAW}")):
            path.unlink()
        self._write_events()

    def _write_events(self) -> None:
        """Kubernetes events of the target's namespace since the run began."""
        try:
            events = self._cluster.events(self._scope.place.namespace)
        except ClusterError:
            return
        since = self._begun - timedelta(seconds=1)  # events have whole seconds
        rows = [asdict(e) | {"time": e.time.isoformat()} for e in events if e.time >= since]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (self._dir / "events.jsonl").write_text(text, encoding="utf-8")
