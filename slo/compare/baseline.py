"""What of a run is compared with another run: its baseline phases, cut into windows, as columns.

Of an experiment that was never steady enough to begin it is the time that it waited, of a run
without experiments the whole load: nothing was broken.
"""

import math
from dataclasses import dataclass

import numpy as np

from slo.evidence.experiment_log import experiment_logs
from slo.evidence.recording import Recording
from slo.evidence.samples import Samples
from slo.indicators.client import Flags, Requests, requests
from slo.model import PhaseKind
from slo.stats.clustering import Windows
from slo.stats.intervals import Floats
from slo.stats.shift import Estimate, quantile_estimate, rate_estimate

EVERYTHING = ""  # as an endpoint's name: all of them together
_WAITED = (502, 503, 504)
_GAP = 100  # windows between phases, so that the last of one is no neighbour of the next's first


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselinePhases:
    """The compared requests of a run, and the window of each.

    `refused` marks failures that the service answered itself: neither time-outs and cut connections
    nor 502 to 504, which a machine without time to spare brings about as well.
    """

    window: Windows
    found: Requests
    refused: Flags

    @property
    def names(self) -> tuple[str, ...]:
        """The endpoints that there are, sorted."""
        return tuple(self.found.names[i] for i in np.unique(self.found.endpoint))

    def late(self) -> Floats:
        """Seconds that each request started after it was due."""
        return np.maximum(self.found.response_time - self.found.service_time, 0.0)

    def latencies(self, endpoint: str) -> tuple[Floats, Windows]:
        """Response times that count for latency, and their windows."""
        chosen = self._chosen(endpoint) & self.found.timed
        return self.found.response_time[chosen], self.window[chosen]

    def latency(self, endpoint: str, q: float) -> Estimate | None:
        values, of = self.latencies(endpoint)
        return quantile_estimate(values, of, q) if values.size else None

    def error_rate(self, endpoint: str, *, answered: bool = False) -> Estimate | None:
        """Of all failures, or of those that the service answered itself."""
        chosen = self._chosen(endpoint)
        failed = (self.refused if answered else self.found.failed)[chosen]
        return rate_estimate(failed, self.window[chosen]) if failed.size else None

    def _chosen(self, endpoint: str) -> Flags:
        if endpoint == EVERYTHING:
            return np.ones(len(self.found), dtype=np.bool_)
        place = self.found.names.index(endpoint) if endpoint in self.found.names else -1
        chosen: Flags = self.found.endpoint == place
        return chosen


def baseline_phases(recording: Recording, window_s: float) -> BaselinePhases:
    """The run's side; empty if it has no samples, or none in a baseline phase."""
    samples = recording.samples if recording.samples is not None else Samples.from_rows(())
    samples = samples.of_the_service().ordered()
    found = requests(samples)
    window = np.full(len(found), -1, dtype=np.int64)
    first = 0
    for start, end in _spans(recording, found):
        a, b = np.searchsorted(found.due, (start, end), side="left")
        window[a:b] = first + (found.due[a:b] - start) // window_s
        first = int(window[a:b].max(initial=first)) + _GAP
    chosen = window >= 0
    return BaselinePhases(
        window=window[chosen],
        found=found.where(chosen),
        refused=(found.failed & (samples.status > 0) & ~np.isin(samples.status, _WAITED))[chosen],
    )


def _spans(recording: Recording, found: Requests) -> list[tuple[float, float]]:
    stories = experiment_logs(recording.journal)
    if not stories:
        return [(float(found.due[0]), math.inf)] if len(found) else []
    spans = []
    for story in stories:
        if phase := story.phase(PhaseKind.BASELINE):
            spans.append((phase.start.timestamp(), phase.end.timestamp()))
        elif story.unsteady is not None:
            spans.append((story.started.time.timestamp(), story.unsteady.time.timestamp()))
    return spans
