"""Alerts without a cluster: Prometheus' own unit tests over worlds that are made.

Time is synthetic, so the durations are those of the rule, and a minute costs nothing.
"""

import json
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from slo.model import Objective
from slo.observe.promtool import PromtoolError, run
from slo.runbook.model import Alert
from slo.runbook.synthetic_series import (
    BEFORE_S,
    STEP_S,
    NoSeriesError,
    Subject,
    SyntheticIncident,
    subject_of,
    synthetic_incidents,
)
from slo.verdict.proofs import AlertProof, ProofOutcome, Trial, together

_NAME = "Tried"
_FAILED = re.compile(
    r'expr: "count\(ALERTS\{alertname=\\"Tried\\",alertstate=\\"(?P<state>\w+)\\"\}\)",'
    r" time: (?P<time>[0-9hms.]+)"
)
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def prove(alert: Alert, objectives: Sequence[Objective], promtool: Path) -> AlertProof:
    """The alert in all its worlds. Raises PromtoolError."""
    begun = time.monotonic()
    subject = subject_of(alert)
    try:
        shown = synthetic_incidents(alert, objectives)
    except NoSeriesError as error:
        return _proof(alert, subject, (), begun, reason=f"not tried: {error}")
    refusal = _check(alert, promtool)
    if refusal:
        reason = f"Prometheus refuses the rule, so it never fires: {refusal}"
        return _proof(alert, subject, (), begun, reason=reason, finding=ProofOutcome.REFUTED)
    trials = tuple(_trial(alert, world, promtool) for world in shown)
    return _proof(alert, subject, trials, begun, reason=reason_of(trials))


def _proof(
    alert: Alert,
    subject: Subject | None,
    trials: tuple[Trial, ...],
    begun: float,
    *,
    reason: str,
    finding: ProofOutcome | None = None,
) -> AlertProof:
    return AlertProof(
        alert=alert.name,
        source=alert.source,
        stands_for=subject.value if subject else "",
        finding=finding or together(tuple(t.finding for t in trials)),
        reason=reason,
        trials=trials,
        seconds=time.monotonic() - begun,
    )


def reason_of(trials: Sequence[Trial]) -> str:
    """In a sentence: what it got wrong, else what it got right."""
    wrong = [t for t in trials if t.finding is ProofOutcome.REFUTED]
    if wrong:
        return "; ".join(f"{t.seen} ({t.where}: {t.world})" for t in wrong)
    open_ = [t for t in trials if t.finding is not ProofOutcome.PROVEN]
    if open_:
        return "; ".join(f"{t.world}: {t.seen}" for t in open_)
    return f"as it should on {len(trials)} sets of made-up series"


def _rules(alert: Alert) -> str:
    rule = {"alert": _NAME, "expr": alert.expr, "for": alert.for_text or "0s"}
    return json.dumps({"groups": [{"name": "tried", "rules": [rule]}]})


def _check(alert: Alert, promtool: Path) -> str:
    """Why Prometheus does not take the rule, "" if it does."""
    with tempfile.TemporaryDirectory(prefix="gameday-") as name:
        (Path(name) / "rules.yml").write_text(_rules(alert), encoding="utf-8")
        done = run(promtool, ["check", "rules", "--lint=none", "rules.yml"], Path(name))
    if done.returncode == 0:
        return ""
    lines = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    return lines[-1] if lines else f"exit code {done.returncode}"


def _trial(alert: Alert, world: SyntheticIncident, promtool: Path) -> Trial:
    moments = [STEP_S * i for i in range(int(world.length_s / STEP_S))]
    states = _states(alert, world, moments, promtool)
    firing = [t for t in moments if "firing" in states[t]]
    pending = [t for t in moments if "pending" in states[t] or "firing" in states[t]]
    end = BEFORE_S + world.matter_s
    too_early = [t for t in firing if t < BEFORE_S]
    right = bool(firing) == world.should_fire and not too_early
    after = [t for t in firing if t >= end]
    resolved = (after[-1] + STEP_S - end) if after else 0.0
    stuck = bool(after) and after[-1] >= moments[-1]
    return Trial(
        where="synthetic",
        world=world.name,
        should_fire=world.should_fire,
        finding=ProofOutcome.PROVEN if right and not stuck else ProofOutcome.REFUTED,
        seen=_told(firing, world, too_early=bool(too_early), stuck=stuck),
        pending_s=pending[0] - BEFORE_S if pending else None,
        firing_s=firing[0] - BEFORE_S if firing else None,
        resolved_s=None if not firing or stuck else resolved,
        watched_s=world.length_s,
    )


def _told(firing: list[float], world: SyntheticIncident, *, too_early: bool, stuck: bool) -> str:
    if not firing:
        return f"silent for {world.length_s / 60:.0f} minutes"
    if too_early:
        return "fires before anything is wrong"
    text = f"fires after {(firing[0] - BEFORE_S) / 60:.2g} minutes"
    return text + (", and does not stop" if stuck else "")


def _states(
    alert: Alert, world: SyntheticIncident, moments: Sequence[float], promtool: Path
) -> dict[float, set[str]]:
    """What the alert is at each moment: nothing was expected, so promtool tells what there was."""
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": f"{STEP_S:g}s",
        "tests": [
            {
                "interval": f"{STEP_S:g}s",
                "input_series": [{"series": s, "values": v} for s, v in world.series],
                "promql_expr_test": [
                    {
                        "expr": f'count(ALERTS{{alertname="{_NAME}",alertstate="{state}"}})',
                        "eval_time": f"{moment:g}s",
                        "exp_samples": [],
                    }
                    for moment in moments
                    for state in ("pending", "firing")
                ],
            }
        ],
    }
    with tempfile.TemporaryDirectory(prefix="gameday-") as name:
        folder = Path(name)
        (folder / "rules.yml").write_text(_rules(alert), encoding="utf-8")
        (folder / "test.yml").write_text(json.dumps(test), encoding="utf-8")
        done = run(promtool, ["test", "rules", "test.yml"], folder)
    told = done.stdout + done.stderr
    states: dict[float, set[str]] = {moment: set() for moment in moments}
    for found in _FAILED.finditer(told):
        states[_seconds(found["time"])].add(found["state"])
    if (done.returncode == 0) is any(states.values()):
        raise PromtoolError(f"promtool says what is not understood: {told.strip()[-300:]}")
    return states


def _seconds(text: str) -> float:
    """ "1h2m15s", as Go prints it."""
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
