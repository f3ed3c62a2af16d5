"""The game day itself: load, faults and observation, written down as they happen.

Everything here is effect; what it means is decided later, by scoring the run directory.
"""

import contextlib
import hashlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, Protocol

from chaos.faults.injection import Tag
from chaos.kube import Cluster, ClusterError, Ref, Workload, kind_of
from chaos.kube.views import COUNTED, workload_of
from chaos.plan.model import Experiment, Plan, Slot
from chaos.run import steadiness
from chaos.run.dry_run import scene_of
from chaos.run.evidence_recorder import EvidenceRecorder
from chaos.run.fault_lifecycle import FaultLifecycle, Task
from chaos.run.interrupt import InterruptedRunError
from chaos.run.journal_writer import JournalWriter
from chaos.run.loads import NO_LOAD, Loaded, Loads, scenarios_of
from chaos.run.progress import Progress, Pulse
from chaos.run.stop_conditions import StopConditions
from chaos.undo.lease import Held
from loadtests.runner import LoadError
from loadtests.tail import KEPT_S, LoadProgress
from slo.evidence import journal as entries
from slo.model import SCHEMA_VERSION, Phase, PhaseKind
from slo.observe.phases import Scope
from slo.observe.prometheus import Prometheus
from slo.target_url import masked_url

TICK_S = 0.1
PULSE_EVERY_S = 0.5
POLL_EVERY_S = 0.25
TOLD_AFTER_S = 3.0  # at the start nobody has answered yet
LAST_LOOK_S = 10.0
STEPS_TAKE = timedelta(minutes=10)  # a procedure, beside the phase that watches it
UNDO_WITHIN = timedelta(seconds=60)
"""After a fault's time it expires, so that whoever sees it then undoes it."""

EndedBy = Literal["completed", "aborted", "interrupted"]


class UnsteadyError(Exception):
    """The service is not healthy enough to be broken on purpose."""


class StoppedError(Exception):
    """A guardrail, or somebody, ends the run."""


class RecoveryProcedure(Protocol):
    """Carries out the procedure of an experiment until `over`, and writes down each step."""

    def __call__(
        self, experiment: Experiment, journal: JournalWriter, over: threading.Event
    ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """All that a run needs, resolved.

    `services` are those that are loaded, the target first; none without load, and `url` is "" then.
    """

    run_dir: Path
    plan: Plan
    services: tuple[Loaded, ...]
    cluster: Cluster
    prometheus: Prometheus
    scope: Scope
    url: str
    gameday_version: str
    held: Held  # the namespace's Lease
    watchdog_image: str = ""  # as chaos.run.preflight.Guarded has it
    cure: RecoveryProcedure | None = None  # carries a plan's procedures out
    time_scale: float = 1.0
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


def run(setting: Setting, progress: Progress) -> EndedBy:
    """Run the plan; what happened stands in the run directory, however it ended.

    Raises, after writing everything down: InterruptedRunError when a signal ended it, LoadError
    when the load cannot start.
    """
    with JournalWriter(setting.run_dir / "journal.jsonl") as journal:
        return _GameDay(setting, journal, progress).run()


class _GameDay:
    def __init__(self, setting: Setting, journal: JournalWriter, progress: Progress) -> None:
        self._set = setting
        self._now = setting.now
        self._plan = setting.plan
        self._journal = journal
        self._progress = progress
        self._evidence = EvidenceRecorder(
            setting.run_dir,
            setting.cluster,
            setting.prometheus,
            setting.scope,
        )
        self._begun = time.monotonic()
        self._last_pulse = 0.0
        self._last_seen: LoadProgress | None = None
        self._pods = "?"
        self._loads = Loads(setting.services, setting.run_dir, journal, setting.now)
        self._drills: list[FaultLifecycle] = []
        self._guard = StopConditions(setting.plan.guardrails.stop, self._seen, setting.prometheus)

    def run(self) -> EndedBy:
        self._journal.append(self._started())
        ended: EndedBy = "completed"
        reason = ""
        try:
            if not self._set.services:
                self._progress.say("no load: recovery is told by the workload's pods")
            self._loads.start(seed=self._plan.seed, say=self._progress.say)
            with self._guard, self._pods_watched():
                for experiment in self._plan.experiments:
                    self._experiment(experiment)
                self._until_steady("waiting for steady state after the last fault")
        except UnsteadyError as error:
            ended, reason = "aborted", f"not steady after the last fault: {error}"
            self._progress.say(reason)
        except LoadError as error:  # before any fault: the scenario or its locustfile is wrong
            ended, reason = "aborted", str(error)
            raise
        except (ClusterError, StoppedError) as error:
            ended, reason = "aborted", str(error)
            self._progress.say(f"aborted: {error}")
        except InterruptedRunError as error:
            ended, reason = "interrupted", str(error)
            raise
        finally:
            self._loads.stop()
            self._evidence.write()
            self._journal.append(entries.RunEnded(time=self._now(), ended_by=ended, reason=reason))
        return ended

    def _started(self) -> entries.RunStarted:
        plan = self._plan
        return entries.RunStarted(
            time=self._now(),
            schema_version=SCHEMA_VERSION,
            gameday_version=self._set.gameday_version,
            watchdog_image=self._set.watchdog_image,
            run=self._set.run_dir.name,
            plan=plan.name,
            namespace=plan.target.namespace,
            workload=plan.target.workload,
            url=masked_url(self._set.url),
            scenario=scenarios_of(self._set.services),
            seed=plan.seed,
            time_scale=self._set.time_scale,
            scrape_interval_s=self._set.scope.scrape_interval.total_seconds(),
            thresholds={
                name: entries.Threshold(target=o.target, critical=o.critical)
                for name, o in plan.objectives.items()
            },
        )

    # One experiment

    def _experiment(self, experiment: Experiment) -> None:
        name = experiment.name
        self._journal.append(
            entries.ExperimentStarted(
                time=self._now(),
                experiment=name,
                title=experiment.title,
                fault=experiment.describe(),
                faults=tuple(slot.label for slot in experiment.timetable()),
                expectation=experiment.expect.recorded(),
                procedure=experiment.procedure.name if experiment.procedure else "",
            )
        )
        self._progress.say(f"{experiment.title} ({name})")
        try:
            self._until_steady(f"{name}: waiting for steady state")
            baseline = self._phase(experiment, PhaseKind.BASELINE, experiment.baseline)
            self._require_well(experiment.baseline)
        except UnsteadyError as error:
            self._progress.say(f"not steady, nothing is broken: {error}")
            self._journal.append(
                entries.SteadyStateFailed(time=self._now(), experiment=name, reason=str(error))
            )
        else:
            phases = [baseline, *self._break(experiment)]
            self._hold(self._set.scope.scrape_interval * 1.5, f"{name}: last scrape")
            self._evidence.measure(phases)
        self._journal.append(entries.ExperimentEnded(time=self._now(), experiment=name))

    def _until_steady(self, step: str) -> None:
        """Wait until the workload is whole and users are served. Raises UnsteadyError."""
        limit = self._plan.guardrails.steady_within
        deadline = time.monotonic() + limit.total_seconds()
        why = told = ""
        while time.monotonic() < deadline:
            why, stuck = self._unsteady()
            if not why:
                return
            if stuck:
                raise UnsteadyError(why)
            waited = time.monotonic() - (deadline - limit.total_seconds())
            if not told and waited >= TOLD_AFTER_S:  # as waiting may not help
                told = why
                self._progress.say(f"not steady yet: {why}")
            self._hold(timedelta(seconds=POLL_EVERY_S), step)
        raise UnsteadyError(f"{why}, after waiting {limit.total_seconds():g} s")

    def _unsteady(self) -> tuple[str, bool]:
        """Why the service is not in its steady state, "" when it is; does waiting not help?"""
        why, stuck = self._workload_unsteady()
        return why or self._loads.unsteady(), stuck

    def _workload_unsteady(self) -> tuple[str, bool]:
        target, cluster = self._plan.target, self._set.cluster
        if target.full_kind not in COUNTED:  # of other kinds nothing but their scale is known
            workload = self._workload()
            if workload.whole:
                return "", False
            return f"{workload.name} has {workload.ready} of {workload.desired} pods ready", False
        found = cluster.get(Ref.of(target.full_kind, target.namespace, target.workload))
        why = steadiness.of_workload(found, ())
        if not why:
            return "", False
        pods = cluster.objects(kind_of("Pod"), target.namespace, workload_of(found).selector)
        return steadiness.of_workload(found, pods), steadiness.is_stuck(found)

    def _require_well(self, length: timedelta) -> None:
        """Now, and for as long as nothing was broken. Raises UnsteadyError."""
        why, _ = self._unsteady()
        why = why or self._loads.past_critical(min(KEPT_S, length.total_seconds()))
        if why:
            raise UnsteadyError(why)

    def _break(self, experiment: Experiment) -> list[Phase]:
        """The fault phase and the recovery phase; both are there even if nothing bites."""
        drills = [self._drill(experiment, slot) for slot in experiment.timetable()]
        self._drills = drills
        try:
            fault = self._phase(
                experiment,
                PhaseKind.FAULT,
                experiment.duration,
                first=lambda: _start(drills),
            )
            if experiment.procedure is None:
                _end(drills)
            recovery = self._phase(
                experiment,
                PhaseKind.RECOVERY,
                experiment.recovery,
                first=lambda: self._carry_out(experiment),
            )
            if experiment.procedure is not None:
                _end(drills, "the procedure has had its time")
                self._until_gone(drills)
        finally:
            self._end_drills(cut_short=sys.exc_info()[0] is not None)
        return [fault, recovery]

    def _carry_out(self, experiment: Experiment) -> None:
        """The fault stays while its procedure is tried: else nobody knew which of them helped.

        In a thread of its own, so that the run can be ended in the middle of a step.
        """
        if experiment.procedure is None:
            return
        assert self._set.cure is not None  # or the run had been refused
        self._progress.say(f"procedure {experiment.procedure.name}")
        over = threading.Event()
        with ThreadPoolExecutor(1, "procedure") as pool:
            try:
                steps = pool.submit(self._set.cure, experiment, self._journal, over)
                while not steps.done():
                    self._hold(timedelta(seconds=TICK_S), f"{experiment.name}: procedure")
            finally:
                over.set()
        steps.result()
        self._check()

    def _until_gone(self, drills: Sequence[FaultLifecycle]) -> None:
        deadline = time.monotonic() + self._plan.guardrails.steady_within.total_seconds()
        while not all(drill.gone for drill in drills) and time.monotonic() < deadline:
            self._hold(timedelta(seconds=POLL_EVERY_S), "putting the rest back")

    def _drill(self, experiment: Experiment, slot: Slot) -> FaultLifecycle:
        plan, name, fault, lasts = self._plan, experiment.name, slot.fault, slot.lasts
        if experiment.procedure is not None:
            lasts += experiment.recovery + STEPS_TAKE
        tag = Tag(
            id=hashlib.blake2s(
                f"{self._set.held.identity}/{name}/{slot.label}".encode(), digest_size=4
            ).hexdigest(),
            run=self._set.held.identity,
            experiment=name,
            kind=fault.kind,
            namespace=plan.target.namespace,
            expires=self._now() + slot.after + lasts + UNDO_WITHIN,
        )
        scene = scene_of(plan, experiment, self._set.cluster, self._set.url, slot.label)
        task = Task(
            experiment=name,
            fault=fault,
            tag=tag,
            after=slot.after,
            lasts=lasts,
            label=slot.label,
        )
        return FaultLifecycle(task, scene, self._journal, self._progress.say, self._now)

    def _end_drills(self, *, cut_short: bool) -> None:
        """Nothing stays broken: whatever ended the phase, and whether it was undone before."""
        reason = "the run is being ended" if cut_short else ""
        try:
            for drill in self._drills:
                drill.end(reason)
        except InterruptedRunError:  # the one signal that can come in between: from the start
            for drill in self._drills:
                drill.end(reason)
            raise
        for drill in self._drills:
            drill.close(cut_short=cut_short)
        failures = [drill.failure for drill in self._drills if drill.failure]
        stuck = [stuck for drill in self._drills for stuck in drill.stuck]
        self._drills = []
        if failures:
            raise failures[0]
        if stuck:
            raise StoppedError(f"a fault could not be undone: {stuck[0]}")

    # Time

    def _phase(
        self,
        experiment: Experiment,
        kind: PhaseKind,
        length: timedelta,
        *,
        first: Callable[[], None] | None = None,
    ) -> Phase:
        start = self._now()
        self._journal.append(
            entries.PhaseStarted(time=start, experiment=experiment.name, phase=kind)
        )
        if first is not None:
            first()
        left = length - (self._now() - start)
        self._hold(left, f"{experiment.name}: {kind.value}")
        end = self._now()
        self._journal.append(entries.PhaseEnded(time=end, experiment=experiment.name, phase=kind))
        return Phase(experiment=experiment.name, kind=kind, start=start, end=end)

    def _hold(self, length: timedelta, step: str) -> None:
        """Let time pass under load, telling how it goes."""
        deadline = time.monotonic() + length.total_seconds()
        while (now := time.monotonic()) < deadline:
            self._check()
            self._pulse(step, deadline - now)
            time.sleep(max(0.0, min(TICK_S, deadline - time.monotonic())))

    @contextlib.contextmanager
    def _pods_watched(self) -> Iterator[None]:
        """Count pods, in a thread, as the answer may be long in coming.

        For the screen, and in a run without load for the journal.
        """
        over = threading.Event()

        def watch() -> None:
            every = POLL_EVERY_S if not self._set.services else PULSE_EVERY_S
            known = None
            while not over.wait(every):
                with contextlib.suppress(ClusterError):  # a number on the screen ends no run
                    now = self._workload()
                    if not self._set.services and (now.ready, now.desired) != known:
                        known = now.ready, now.desired
                        self._journal.append(
                            entries.PodsSeen(time=self._now(), ready=now.ready, wanted=now.desired)
                        )

        watching = threading.Thread(target=watch, name="pods", daemon=True)
        watching.start()
        try:
            yield
        finally:
            over.set()
            if not self._set.services:  # its last entry stands before the end of the run
                watching.join(LAST_LOOK_S)

    def _check(self) -> None:
        """Raises StoppedError when the run has to end now."""
        why = self._set.held.ended or self._guard.breach
        if why:
            self._journal.append(entries.GuardrailBreached(time=self._now(), reason=why))
            raise StoppedError(why)

    def _seen(self) -> LoadProgress | None:
        """The load's last seconds, for the guard's threads."""
        return self._last_seen

    def _pulse(self, step: str, left_s: float) -> None:
        now = time.monotonic()
        if now - self._last_pulse < PULSE_EVERY_S:
            return
        self._last_pulse = now
        seen = NO_LOAD
        if self._set.services:
            self._last_seen = seen = self._loads.progress()
        self._progress.pulse(
            Pulse(
                step=step,
                elapsed_s=now - self._begun,
                step_left_s=left_s,
                requests=seen.requests,
                errors=seen.errors,
                rate=seen.rate,
                error_rate=seen.error_rate,
                p95_s=seen.p95_s,
                pods=self._pods,
                loaded=bool(self._set.services),
            )
        )

    def _workload(self) -> Workload:
        workload = self._set.cluster.workload(
            self._plan.target.namespace, self._plan.target.workload, self._plan.target.full_kind
        )
        self._pods = f"{workload.ready}/{workload.desired}"
        return workload


def _start(drills: Sequence[FaultLifecycle]) -> None:
    for drill in drills:
        drill.start()


def _end(drills: Sequence[FaultLifecycle], reason: str = "") -> None:
    """The last first: where two are on one object, it goes back the way it came."""
    for drill in reversed(drills):
        drill.end(reason)
