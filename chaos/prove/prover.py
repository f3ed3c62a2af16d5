"""A drill from beginning to end: steady state, condition, procedure, cure or not, all put back."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from chaos.databases.identity import COMMUNITY, described, touched
from chaos.kube import ClusterError
from chaos.kube.system_under_test import POLL_S, SystemUnderTest, wait
from chaos.parts.find import PartError
from chaos.prove.cases import NOT_PUT_BACK, combined
from chaos.prove.corrections import Correction
from chaos.prove.drills import ASKED_FOR, Drill, Stage, drill_for
from chaos.prove.drills.base import SERVED, SERVED_S
from chaos.prove.drills.own import blame, is_own
from chaos.prove.judge import UNTRIED, judge, line_of, severity_felt
from chaos.prove.shell.shell_session import ShellSession
from chaos.prove.steps.execution import Hand
from chaos.prove.steps.recorder import record
from chaos.prove.steps.secret_mask import SecretMask
from chaos.run.journal_writer import JournalWriter
from chaos.undo.footprint import Footprint
from chaos.undo.snapshot import Snapshot
from chaos.undo.snapshot_store import forget, keep, keep_writes
from loadtests.runner import LoadError, LoadHandle, LoadRunner
from loadtests.scenario import Scenario
from slo.evidence.samples import read_raw
from slo.runbook.model import Procedure, Runbook, Step, StepKind
from slo.verdict.proofs import Database, ProcedureProof, ProofOutcome, Sight, StepProof, StepState

STEADY_WITHIN_S, BACK_WITHIN_S, HELD_S = 90.0, 120.0, 5.0
PACE_S = 20.0  # a database takes longer to end than a web server
USERS_WITHIN_S = 45.0  # more, where nothing but enough good requests is missing


@dataclass(slots=True, kw_only=True)
class Prover:
    """`session` opens a fresh shell in a folder; `load` are the users, `crowd` is who comes on top.

    `identity` is the run's.
    """

    system: SystemUnderTest
    identity: str
    folder: Path
    run_dir: Path
    files: Path | None
    session: Callable[[Path, Callable[[str], str]], ShellSession]
    load: LoadHandle
    crowd: Scenario
    book: Runbook
    corrections: Mapping[str, Correction]
    error_rate: float
    p95_s: float
    values: Mapping[str, str]
    step_limit_s: float
    cure_within_s: float | None = None  # else as long as the drill says
    own: Sequence[type[Drill]] = ()  # drills of the system's own
    say: Callable[[str], None]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _count: int = field(default=0)
    _stuck: bool = field(default=False)
    _known: dict[str, Database] = field(default_factory=dict)

    def prove(self, procedure: Procedure) -> ProcedureProof:
        """As written; and where that does not hold, once more with what the overlay says."""
        drill = self._drill_for(procedure)
        if drill is None:
            return self._untried(procedure, "there is no drill for its condition")
        if self._stuck:
            return self._untried(procedure, "an earlier drill could not be put back")
        proof = self._drill(procedure, drill, None)
        correction = self.corrections.get(procedure.name)
        if correction is not None and proof.finding is not ProofOutcome.PROVEN and not self._stuck:
            again = self._drill_for(procedure)
            assert again is not None
            proof = replace(proof, corrected=self._drill(procedure, again, correction))
        return proof

    def _drill_for(self, procedure: Procedure) -> Drill | None:
        return drill_for(procedure, self.own, self.system.parts)

    def _untried(self, procedure: Procedure, why: str) -> ProcedureProof:
        finding = ProofOutcome.INCONCLUSIVE
        if all(step.kind is StepKind.MANUAL for step in procedure.steps):
            finding, why = ProofOutcome.NOT_VERIFIABLE, "every step of it is for a person"
        return ProcedureProof(
            procedure=procedure.name,
            title=procedure.title,
            source=procedure.source,
            condition=procedure.condition,
            finding=finding,
            reason=f"not tried: {why}",
            started=self.now(),
            seconds=0.0,
        )

    def _drill(
        self, procedure: Procedure, drill: Drill, correction: Correction | None
    ) -> ProcedureProof:
        """In all of its cases, up to one that cannot be put back."""
        if not drill.cases:
            return self._one(procedure, drill, correction)
        tried = []
        for kind in drill.cases:
            tried.append((kind.case, self._one(procedure, kind(drill.parts), correction)))
            if self._stuck:
                break
        return combined(tried, condition=drill.condition, claim=drill.claim)

    def _one(
        self, procedure: Procedure, drill: Drill, correction: Correction | None
    ) -> ProcedureProof:
        self._count += 1
        folder = self.folder / f"{self._count:02}-{procedure.name}"
        course = _Course(self, procedure, drill, correction, folder)
        variant = f" ({correction.why})" if correction else ""
        self.say(f"{procedure.title}{variant}: {drill.condition}")
        proof = course.run()
        self._stuck = proof.put_back.startswith(NOT_PUT_BACK)
        self.say(f"{procedure.title}: {proof.finding.value}: {proof.reason}")
        return proof

    def databases(self, procedure: Procedure, drill: Drill) -> tuple[Database, ...]:
        """Those that it is about. Each is asked until it has answered once in this run."""
        kinds = dict.fromkeys((*touched(procedure), *drill.touches))
        for kind in kinds:
            if kind not in self._known or not self._known[kind].version:
                self._known[kind] = described(self.system, kind)
        return tuple(self._known[kind] for kind in kinds)


class _Course:
    """One drill as it goes."""

    def __init__(
        self,
        prover: Prover,
        procedure: Procedure,
        drill: Drill,
        correction: Correction | None,
        folder: Path,
    ) -> None:
        self._set, self._procedure, self._drill = prover, procedure, drill
        self._correction, self._folder = correction, folder
        self._secrets = SecretMask()
        self._session = prover.session(folder, self._secrets.mask)
        if prover.files is not None:
            self._session.place(prover.files)
        system = prover.system
        self._footprint = Footprint(
            cluster=system.cluster,
            namespace=system.namespace,
            save=partial(keep_writes, system),
        )
        witness = self._footprint.witness
        if self._session.api is not None:
            self._session.api.witness = witness
        self._stage = Stage(
            procedure=procedure,
            system=replace(system, cluster=system.cluster.witnessed(witness)),
            scratch=self._session.scratch,
            load=prover.load,
            own=lambda text: self._session.run(text, limit_s=prover.step_limit_s),
            error_rate=prover.error_rate,
            p95_s=prover.p95_s,
            values={**prover.system.guesses(), **prover.values},
            secrets=self._secrets,
            counterpart=self._counterpart,
            crowd=self._crowd,
        )
        self._begun = prover.now()
        self._clock = time.monotonic()
        self._to_detect: float | None = None
        self._to_recover: float | None = None
        self._severity = ""
        self._response_s: float | None = None
        self._load_before = prover.load.progress()
        self._fault = time.time()
        self._more: LoadHandle | None = None
        self._wrong_before: list[str] = []

    def run(self) -> ProcedureProof:
        """Never leaves without having put back what was changed."""
        try:
            self._drill.needs(self._stage)
        except PartError as error:
            return self._proof(ProofOutcome.NOT_VERIFIABLE, f"not tried: {error}", (), "")
        except ClusterError as error:
            why = f"the system cannot be looked at: {error}"
            return self._proof(ProofOutcome.INCONCLUSIVE, why, (), "")
        except Exception as error:  # noqa: BLE001 - as below
            return self._proof(ProofOutcome.INCONCLUSIVE, self._mistake(error), (), "")
        why = self._unsteady()
        if why:
            return self._proof(
                ProofOutcome.INCONCLUSIVE, f"not steady before the drill: {why}", (), ""
            )
        self._stage.databases = self._set.databases(self._procedure, self._drill)
        try:
            snapshot = Snapshot.take(self._set.system)
            self._secrets.learn(self._set.system)
            keep(snapshot, f"{self._set.identity}/{self._folder.name}")
        except ClusterError as error:
            why = f"nothing was broken, as what is there could not be kept: {error}"
            return self._proof(ProofOutcome.INCONCLUSIVE, why, (), "")
        steps: tuple[StepProof, ...] = ()
        sights: tuple[Sight, ...] = ()
        trouble = ""
        try:
            trouble = self._condition()
            if not trouble:
                steps = self._steps()
                sights = self._cure()
                self._rate()
        except (ClusterError, LoadError) as error:
            trouble = f"the drill itself went wrong: {error}"
        except Exception as error:  # noqa: BLE001 - of own drills; any other is raised again
            trouble = self._mistake(error)
        finally:
            back = self._put_back(snapshot)
        self._stage.steps = list(steps)
        finding, reason = ProofOutcome.INCONCLUSIVE, trouble
        if not trouble:
            finding, reason = judge(steps, sights, self._drill.claim)
        return self._proof(finding, reason, sights, back)

    # What happens

    def _unsteady(self) -> str:
        why = ["nobody looked"]

        def steady() -> bool:
            seen = self._set.load.progress()
            why[0] = self._set.system.settled()
            if not why[0] and (seen.p95_s is None or seen.error_rate > self._set.error_rate):
                why[0] = f"{seen.error_rate:.1%} of the requests fail"
            return not why[0]

        return "" if wait(steady, STEADY_WITHIN_S) else why[0]

    def _condition(self) -> str:
        """Bring it about; why it did not come about, or ""."""
        self._drill.prepare(self._stage)
        self._load_before = self._set.load.progress()
        begun, self._fault = time.monotonic(), time.time()
        self._drill.fault(self._stage)
        seen: list[str] = []

        def there() -> bool:
            told = self._drill.sign(self._stage)
            if told:
                seen.append(told)
            return bool(told)

        if not wait(there, self._drill.sign_within_s):
            within = f"within {self._drill.sign_within_s:g} s"
            told = "".join(f"; {why}" for why in self._wrong_before)
            return f"the condition did not come about {within}: {self._drill.condition}{told}"
        if seen[-1] != ASKED_FOR:
            self._to_detect = time.monotonic() - begun
            self._set.say(f"  seen after {self._to_detect:.1f} s: {seen[-1]}")
        self._secrets.learn(self._set.system)
        return ""

    def _hand(self, correction: Correction | None) -> Hand:
        return Hand(
            session=self._session,
            values=self._stage.values,
            limit_s=self._set.step_limit_s,
            stand_ins=correction.stand_ins if correction else None,
            community=any(d.edition == COMMUNITY for d in self._stage.databases),
        )

    def _counterpart(self) -> bool:
        """What this procedure switches off is switched on, as the runbook says."""
        title = self._procedure.title.casefold()
        wanted = f"{title.removesuffix('off')}on"
        books = (p for p in self._set.book.procedures if p.title.casefold() == wanted)
        found = next(books, None) if title.endswith("off") else None
        if found is None:
            return False
        corrected = self._set.corrections.get(found.name) if self._correction else None
        self._set.say(f"  first, {found.title}")
        self._wrong_before = [
            f"{found.title}, line {p.line}: {p.reason}"
            for p in self._record(found, self._hand(corrected))
            if p.state is StepState.FAILED or p.state in UNTRIED
        ]
        return True

    def _crowd(self) -> LoadHandle:
        folder = self._folder / "crowd"
        folder.mkdir(parents=True)
        url = self._set.system.url
        self._more = LoadRunner.start(self._set.crowd, url, folder, seed=0)
        return self._more

    def _steps(self) -> tuple[StepProof, ...]:
        self._started = time.monotonic()
        return self._record(self._procedure, self._hand(self._correction).telling(self))

    def _record(self, procedure: Procedure, hand: Hand) -> tuple[StepProof, ...]:
        with JournalWriter(self._set.run_dir / "journal.jsonl") as journal:
            return record(procedure, hand, journal, self._folder.name)

    def begins(self, step: Step, text: str) -> None:
        """A step is about to run, at a person's pace: pods that were told to go are gone."""
        del step, text
        wait(lambda: not self._set.system.ending(), PACE_S)
        self._drill.before_step(self._stage)

    def ended(self, proof: StepProof) -> None:
        """A step is over."""
        self._stage.steps.append(proof)
        self._drill.after_step(self._stage)
        why = f": {proof.reason}" if proof.reason else ""
        self._set.say(f"  line {proof.line}: {proof.state.value}{why}")

    def _cure(self) -> tuple[Sight, ...]:
        """Look until all holds, and goes on holding for a while; or until the time is over."""
        within = self._drill.cure_within_s
        if self._set.cure_within_s is not None:
            within = min(within, self._set.cure_within_s)
        begun = time.monotonic()
        since: float | None = None  # when all began to hold that waiting can mend, users apart
        while True:
            sights = tuple(self._drill.sights(self._stage))
            now = time.monotonic()
            wrong = {s.name for s in sights if s.finding is not ProofOutcome.PROVEN}
            mendable = wrong - set(self._drill.once)
            since = None if mendable - {SERVED} else (now if since is None else since)
            if not mendable and since is not None and (now - since >= HELD_S or not within):
                # Users have been well for all of the time that they were looked at.
                self._to_recover = max(since, now - SERVED_S, self._started) - self._started
                return sights
            if now - begun >= within + (0.0 if since is None else USERS_WITHIN_S):
                return sights
            time.sleep(POLL_S)

    def _rate(self) -> None:
        """How severe it was for users, and how soon the runbook wants that answered."""
        try:
            samples = read_raw(self._set.run_dir)
        except ValueError:
            return  # what users felt is not known
        felt = severity_felt(samples, self._set.book, self._fault, time.time())
        self._severity, self._response_s = felt

    def _mistake(self, error: Exception) -> str:
        """Of whoever wrote a drill of the system's own; raises the error where it is ours."""
        if not is_own(self._drill):
            raise error
        return f"the drill itself went wrong: {self._secrets.mask(blame(error))}"

    def _put_back(self, snapshot: Snapshot) -> str:
        """What was done to put it back; what could not be stands in it, too."""
        if self._more is not None:
            self._more.stop()
        try:
            self._drill.undo(self._stage)
            done = snapshot.restore(self._footprint)
            system = self._set.system
            wait(lambda: not system.unblock() and not system.settled(), BACK_WITHIN_S)
            self._drill.tidy(self._stage)
            why = self._unsteady()
            if why and self._set.system.restart_members():
                done.append("restarted what keeps data")
                why = self._unsteady()
            if not why:
                forget(self._set.system)
        except ClusterError as error:
            return f"{NOT_PUT_BACK}: {error}"
        except Exception as error:  # noqa: BLE001 - as above
            return f"{NOT_PUT_BACK}: {self._mistake(error)}"
        return f"{NOT_PUT_BACK}: {why}" if why else ", ".join(done) or "nothing had to be"

    # What is told

    def _proof(
        self, finding: ProofOutcome, reason: str, sights: tuple[Sight, ...], back: str
    ) -> ProcedureProof:
        load = self._set.load.progress()
        procedure, steps = self._procedure, tuple(self._stage.steps)
        return ProcedureProof(
            procedure=procedure.name,
            title=procedure.title,
            source=procedure.source,
            condition=self._drill.condition,
            finding=finding,
            reason=reason,
            started=self._begun,
            seconds=time.monotonic() - self._clock,
            line=line_of(finding, steps),
            steps=steps,
            sights=sights,
            time_to_detect_s=self._to_detect,
            time_to_recover_s=self._to_recover if finding is ProofOutcome.PROVEN else None,
            severity=self._severity,
            response_time_s=self._response_s,
            requests=load.requests - self._load_before.requests,
            failed_requests=load.errors - self._load_before.errors,
            put_back=back,
            databases=self._stage.databases,
            variant=self._correction.why if self._correction else "",
        )
