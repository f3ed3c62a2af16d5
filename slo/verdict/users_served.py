"""Are users served? By their own requests of a few seconds, against the critical thresholds.

The interval decides, not the value, as in a verdict: *refuted* where a threshold is surely past,
*proven* where neither can well be, *inconclusive* where so few requests cannot tell, so that one
request that happens to fail decides nothing.
"""

import numpy as np

from slo.stats.estimates import Evidence, Quantiles, Share
from slo.stats.intervals import CONFIDENCE, Floats
from slo.verdict.proofs import ProofOutcome, together

ERROR = 0.01  # the chance that what is refuted was within its threshold

Judged = tuple[ProofOutcome, str]


def users_served(
    requests: int, failed: int, times_s: Floats, *, error_rate: float, p95_s: float
) -> Judged:
    """Of `requests`, `failed` ones, and the latencies that count (ascending); and what was seen.

    `error_rate` is a ratio, `p95_s` in seconds: what is past them is critical.
    """
    if not requests:
        return ProofOutcome.INCONCLUSIVE, "no request was made"
    if not times_s.size:
        return ProofOutcome.REFUTED, f"no answer to any of {requests} requests"
    share, late = Share(failed, requests), Quantiles(times_s, 0.95)
    found = together((decided(share, error_rate), decided(late, p95_s)))
    seen = f"errors {share.value:.2%} of {requests} requests, p95 {late.value * 1000:.0f} ms"
    if found is ProofOutcome.INCONCLUSIVE:
        seen += ", too few to tell chance from harm"
    return found, seen


def decided(evidence: Evidence, critical: float) -> ProofOutcome:
    """Is the threshold surely past, surely not, or neither?"""
    if evidence.surely_above(critical, ERROR):
        return ProofOutcome.REFUTED
    within = evidence.surely_below(np.nextafter(critical, np.inf), 1 - CONFIDENCE)
    return ProofOutcome.PROVEN if within else ProofOutcome.INCONCLUSIVE
