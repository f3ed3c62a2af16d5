"""Alerts on a real Prometheus: silent while all is well, and loud when something is not.

The runbook's own rules are put into the ConfigMap that Prometheus reads them from, with windows and
waits divided by the time scale; afterwards it is as it was. What an alert was at each moment is
Prometheus' own account (the series ALERTS), not ours.
"""

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from chaos.kube import ClusterError, Json
from chaos.kube.system_under_test import SystemUnderTest, wait
from chaos.kube.views import with_tag
from chaos.prove.alerts.synthetic import reason_of
from chaos.undo.footprint import Footprint
from chaos.undo.snapshot import Snapshot
from slo.model import Objective
from slo.observe.answers import PrometheusError
from slo.observe.prometheus import Points, Prometheus
from slo.runbook.model import Alert
from slo.runbook.synthetic_series import Subject, scaled, selectors, subject_of
from slo.verdict.proofs import AlertProof, ProofOutcome, Trial, together

GROUP, MARK, TOUCHED = "gameday", "gameday", "gameday.dev/rules"
LOADED_WITHIN_S, STEADY_WITHIN_S = 150.0, 120.0
SLACK_S = 60.0  # for rollouts, scrapes and evaluations, beside the rule's own time
LEAST_QUIET_S = 30.0
ANSWER_WITHIN_S = 30.0
STEP = timedelta(seconds=1)
BAD_IMAGE = "no-such-version"
BREAKABLE = (Subject.ERRORS, Subject.LATENCY, Subject.READINESS)  # by a release; others: no fault
SHARE = 4  # times the critical error rate: pods change one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Where Prometheus has its rules from, and its Service."""

    config_map: str
    key: str
    service: str
    port: int


class LiveError(Exception):
    """The rules cannot be tried there; one sentence."""


@dataclass(slots=True, kw_only=True)
class Live:
    system: SystemUnderTest
    prometheus: Prometheus
    rules: Rules
    scale: float
    objectives: Sequence[Objective]
    say: Callable[[str], None]
    token: str = ""

    def prove(self, proofs: Sequence[AlertProof], alerts: Sequence[Alert]) -> list[AlertProof]:
        """The proofs with what a live Prometheus adds. Raises LiveError, ClusterError."""
        snapshot = Snapshot.take(self.system)
        footprint = Footprint(cluster=self.system.cluster, namespace=self.system.namespace)
        witnessed = self.system.cluster.witnessed(footprint.witness)
        self.system = replace(self.system, cluster=witnessed)
        found: dict[str, list[Trial]] = {alert.name: [] for alert in alerts}
        begun = time.monotonic()
        try:
            self._load_rules(alerts)
            if not wait(lambda: not self.system.settled(), STEADY_WITHIN_S):
                raise LiveError(f"not steady: {self.system.settled()}")
            for alert, trial in self._quiet(alerts):
                found[alert.name].append(trial)
            for subject in self._breakable():
                told = [a for a in alerts if subject_of(a) is subject]
                silent = [a for a in told if found[a.name][0].finding is ProofOutcome.PROVEN]
                if silent:
                    for alert, trial in self._loud(subject, silent, footprint):
                        found[alert.name].append(trial)
        finally:
            for done in snapshot.restore(footprint):
                self.say(f"alerts: {done}")
            self._take(set())
        seconds = (time.monotonic() - begun) / max(1, len(alerts))
        return [_joined(p, found.get(p.alert, []), seconds) for p in proofs]

    def _breakable(self) -> list[Subject]:
        """What this service can be made to suffer: some of it needs a switch in system.yaml."""
        switches = self.system.switches
        needed = {Subject.ERRORS: switches.error_rate, Subject.LATENCY: switches.delay_ms}
        return [s for s in BREAKABLE if needed.get(s, "none")]

    # Rules

    def _scaled(self, alert: Alert) -> Json:
        return {
            "alert": alert.name,
            "expr": scaled(alert.expr, self.scale),
            "for": f"{round((alert.for_s or 0.0) / self.scale * 1000)}ms",
            "labels": {**dict(alert.labels), MARK: self.token},
        }

    def _load_rules(self, alerts: Sequence[Alert]) -> None:
        self.token = secrets.token_hex(4)  # so that these rules are told from those before
        rules = [self._scaled(a) for a in alerts]
        text = json.dumps({"groups": [{"name": GROUP, "rules": rules}]})
        path = "/data/" + self.rules.key.replace("~", "~0").replace("/", "~1")
        change = [{"op": "add", "path": path, "value": text}]
        self.system.patch("ConfigMap", self.rules.config_map, lambda _: change)
        if not self._take({rule["alert"] for rule in rules}):
            raise LiveError(
                f"Prometheus did not take rules from ConfigMap {self.rules.config_map} within"
                f" {LOADED_WITHIN_S:g} s"
            )

    def _take(self, wanted: set[str]) -> bool:
        """Wait until Prometheus has these rules of ours, and no others of ours."""
        self._touch()

        def taken() -> bool:
            self._reload()
            try:
                rules = self.prometheus.alert_rules()
            except PrometheusError:
                return False
            return {r.name for r in rules if r.labels.get(MARK) == self.token} == wanted

        return wait(taken, LOADED_WITHIN_S)

    def _touch(self) -> None:
        """Volumes follow their ConfigMap within a minute, and at once where the pod changes."""
        service = self.system.cluster.get(self.system.ref("Service", self.rules.service))
        labels = ",".join(f"{k}={v}" for k, v in sorted(service["spec"]["selector"].items()))
        mark = {TOUCHED: secrets.token_hex(4)}

        def change(pod: Json) -> list[Json]:
            written = {**(pod["metadata"].get("annotations") or {}), **mark}
            return [{"op": "add", "path": "/metadata/annotations", "value": written}]

        for pod in self.system.pods(labels):
            self.system.patch("Pod", pod.name, change)

    def _reload(self) -> None:
        with contextlib.suppress(ClusterError):  # whether it helped is seen from the rules
            self.system.cluster.post_through_service(
                self.system.namespace, self.rules.service, self.rules.port, "/-/reload"
            )

    def _lasts_s(self, alert: Alert) -> float:
        """How long until it must have fired: its window filled, its wait over."""
        window = max((s.window_s for s in selectors(alert.expr)), default=0.0)
        return (window + (alert.for_s or 0.0)) / self.scale

    # Trials

    def _quiet(self, alerts: Sequence[Alert]) -> list[tuple[Alert, Trial]]:
        length = max([LEAST_QUIET_S, *(2 * self._lasts_s(a) for a in alerts)])
        self.say(f"alerts: all is well, for {length:.0f} s under load")
        start = datetime.now(UTC)
        time.sleep(length)
        end = datetime.now(UTC)
        found = []
        for alert in alerts:
            firing = self._moments(alert, "firing", start, end)
            after = firing[0] - start.timestamp() if firing else None
            seen = f"fires after {after:.0f} s" if firing else f"silent for {length:.0f} s"
            trial = Trial(
                where="live",
                world="healthy, under load",
                should_fire=False,
                finding=ProofOutcome.REFUTED if firing else ProofOutcome.PROVEN,
                seen=seen,
                firing_s=after,
                watched_s=length,
            )
            self.say(f"  {alert.name}: {seen}")
            found.append((alert, trial))
        return found

    def _loud(
        self, subject: Subject, alerts: Sequence[Alert], footprint: Footprint
    ) -> list[tuple[Alert, Trial]]:
        """Break it, until all have fired or should have; mend it, until all are silent again."""
        world = self._break(subject)
        self.say(f"alerts: {world}")
        start = datetime.now(UTC)
        limit = max(self._lasts_s(a) for a in alerts) * 2 + SLACK_S
        wait(lambda: all(self._fires(a) for a in alerts), limit)
        mended = datetime.now(UTC)
        footprint.undo(only=(self.system.kind, self.system.workload))
        wait(lambda: not self.system.settled(), STEADY_WITHIN_S)
        wait(lambda: all(self._fires(a) is False for a in alerts), limit)
        silent = {a.name for a in alerts if self._fires(a) is False}
        end = datetime.now(UTC)
        return [
            (a, self._trial(a, world, (start, mended, end), still=a.name not in silent))
            for a in alerts
        ]

    def _trial(
        self, alert: Alert, world: str, times: tuple[datetime, datetime, datetime], *, still: bool
    ) -> Trial:
        """`times` are those of the fault, of its mending, and of the last look."""
        start, mended, end = times
        pending = self._moments(alert, "pending", start, end)
        firing = self._moments(alert, "firing", start, end)
        first = min([*pending[:1], *firing[:1]], default=None)
        began = start.timestamp()
        still = still and bool(firing)
        resolved = max(0.0, firing[-1] - mended.timestamp()) if firing and not still else None
        watched = (end - start).total_seconds()
        if not firing:
            seen = f"silent for {watched:.0f} s"
        else:
            seen = f"pending, then firing after {firing[0] - began:.0f} s"
            seen += ", and does not stop" if still else ""
        self.say(f"  {alert.name}: {seen}")
        return Trial(
            where="live",
            world=world,
            should_fire=True,
            finding=ProofOutcome.PROVEN if firing and not still else ProofOutcome.REFUTED,
            seen=seen,
            pending_s=None if first is None else first - began,
            firing_s=firing[0] - began if firing else None,
            resolved_s=resolved,
            watched_s=watched,
        )

    def _break(self, subject: Subject) -> str:
        """A release that hurts in the way that the alert is for; what it is, in words."""
        critical = {o.name: o.critical for o in self.objectives}
        switches = self.system.switches
        if subject is Subject.ERRORS and switches.error_rate is not None:
            share = min(1.0, SHARE * critical.get("error_rate", 0.01))
            self.system.set_env(switches.error_rate, f"{share:g}")
            return f"a release that fails {share:.0%} of the requests"
        if subject is Subject.LATENCY and switches.delay_ms is not None:
            slow = 2 * critical.get("response_time_p95", 0.5)
            self.system.set_env(switches.delay_ms, f"{slow * 1000:.0f}")
            return f"a release that takes {slow * 1000:.0f} ms longer"

        self.system.change_container(lambda c: {"image": with_tag(c["image"], BAD_IMAGE)})
        return "a rollout whose new pod never becomes ready"

    # What Prometheus says

    def _fires(self, alert: Alert) -> bool | None:
        """Now; None where Prometheus does not say."""
        try:
            return bool(self.prometheus.instant(_alerts(alert, "firing"), datetime.now(UTC)))
        except PrometheusError:
            return None

    def _moments(self, alert: Alert, state: str, start: datetime, end: datetime) -> list[float]:
        rows: list[Points] = []

        def told() -> bool:
            try:
                rows[:] = self.prometheus.range(_alerts(alert, state), start, end, STEP)
            except PrometheusError:
                return False
            return True

        if not wait(told, ANSWER_WITHIN_S):
            raise LiveError("Prometheus does not say what its alerts were")
        return sorted({t for row in rows for t in row.times})


def _alerts(alert: Alert, state: str) -> str:
    return f'ALERTS{{alertname="{alert.name}",alertstate="{state}"}}'


def _joined(proof: AlertProof, trials: list[Trial], seconds: float) -> AlertProof:
    """A live trial outweighs nothing: each answer counts."""
    if not trials:
        return proof
    every = (*proof.trials, *trials)
    return replace(
        proof,
        trials=every,
        finding=together(tuple(t.finding for t in every)),
        reason=reason_of(every),
        seconds=proof.seconds + seconds,
    )
