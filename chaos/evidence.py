"""What a run leaves behind beside its journal: samples, metrics, Kubernetes events."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from chaos.cluster import Cluster, ClusterError
from chaos.plan import Plan
from slo.metrics import write_metrics
from slo.model import Phase
from slo.observe import Measurement, SeriesPoint, measure, series
from slo.prometheus import Prometheus
from slo.samples import Samples


class Evidence:
    """Collects while the run goes on, and writes at its end. Never stops a run: what cannot be
    had is missing evidence, which scoring reports as such."""

    def __init__(self, run_dir: Path, cluster: Cluster, prometheus: Prometheus, plan: Plan) -> None:
        self._dir = run_dir
        self._cluster = cluster
        self._prometheus = prometheus
        self._plan = plan
        self._begun = datetime.now(UTC)
        self._measurements: list[Measurement] = []
        self._series: list[SeriesPoint] = []

    def measure(self, phases: list[Phase]) -> None:
        """Ask Prometheus about these phases, which have ended."""
