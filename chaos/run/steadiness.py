"""Is the service well enough to be broken on purpose? Pure.

What was wrong before a fault is not its doing: a rollout that is stuck, requests that fail, a
service past its critical threshold. Each is named before anything is broken.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from chaos.kube import Json
from chaos.kube.views import unsettled, workload_of
from loadtests.tail import LoadProgress, Recent
from slo.verdict.proofs import ProofOutcome
from slo.verdict.users_served import users_served

STUCK = "ProgressDeadlineExceeded"
NAMED = 3  # endpoints


def is_stuck(workload: Json) -> bool:
    """Has its controller given its rollout up? Then no waiting helps."""
    conditions = (workload.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Progressing" and c.get("reason") == STUCK for c in conditions)


def of_workload(workload: Json, pods: Sequence[Json]) -> str:
    """Why it is not as its author wants it, with what its pods wait for; "" when it is."""
    why = unsettled(workload)
    if not why:
        return "" if workload_of(workload).desired else "it is to have no pods"
    waits = _waits(pods)
    stuck = "its rollout is stuck: " if is_stuck(workload) else ""
    return f"{stuck}{why}{f'; {waits}' if waits else ''}"


def of_requests(seen: LoadProgress, failures: Mapping[str, int], error_rate: float) -> str:
    """Why its users are not served; `error_rate` is a ratio. "" when they are."""
    if seen.p95_s is None and not seen.requests:
        return "no answer to any request yet"
    if seen.error_rate > error_rate:
        return f"{seen.error_rate:.1%} of the requests fail{_named(failures)}"
    return "" if seen.p95_s is not None else f"no request is answered{_named(failures)}"


def of_baseline(
    recent: Recent, failures: Mapping[str, int], *, error_rate: float, p95_s: float | None
) -> str:
    """Was it surely past a critical threshold while nothing was broken? Without a `p95_s`, none."""
    most = np.inf if p95_s is None else p95_s
    found, seen = users_served(
        recent.requests, recent.failed, np.array(recent.times), error_rate=error_rate, p95_s=most
    )
    if found is not ProofOutcome.REFUTED:
        return ""
    promised = f"at most {error_rate:.3g} errors"
    promised += "" if p95_s is None else f" and p95 {p95_s * 1000:.0f} ms"
    return f"it is past critical without any fault: {seen} ({promised} promised){_named(failures)}"


def _named(failures: Mapping[str, int]) -> str:
    """Those that fail most, by name."""
    most = sorted(((n, name) for name, n in failures.items() if n), reverse=True)[:NAMED]
    return ": " + ", ".join(f"{name} ({n} failed)" for n, name in most) if most else ""


def _waits(pods: Sequence[Json]) -> str:
    for pod in pods:
        for state in (pod.get("status") or {}).get("containerStatuses") or ():
            waiting = (state.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
                return f"pod {pod['metadata']['name']} waits: {waiting['reason']}"
    return ""
