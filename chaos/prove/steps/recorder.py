"""A procedure written down while it is carried out: each step on the disk before it runs."""

from collections.abc import Callable
from datetime import UTC, datetime

from chaos.prove.steps.execution import Hand, Teller, carry_out
from chaos.run.journal_writer import JournalWriter
from slo.evidence import journal as entries
from slo.runbook.model import Procedure, Step
from slo.verdict.proofs import StepProof, StepState


def _now() -> datetime:
    return datetime.now(UTC)


def record(
    procedure: Procedure,
    hand: Hand,
    journal: JournalWriter,
    experiment: str = "",
    now: Callable[[], datetime] = _now,
) -> tuple[StepProof, ...]:
    """As carry_out, journalled under the name of `experiment`.

    Without an end where the session was ended: steps are missing, and no pass may come of that.
    """
    name = procedure.name
    journal.append(entries.ProcedureStarted(time=now(), experiment=experiment, procedure=name))
    proofs = carry_out(procedure, hand.telling(_Scribe(journal, experiment, name, now, hand.tell)))
    if hand.session.over.is_set():
        return proofs
    bad = {StepState.FAILED, StepState.REFUSED}
    journal.append(
        entries.ProcedureEnded(
            time=now(),
            experiment=experiment,
            procedure=name,
            failed=tuple(p.line for p in proofs if p.state in bad),
        )
    )
    return proofs


class _Scribe:
    def __init__(
        self,
        journal: JournalWriter,
        experiment: str,
        procedure: str,
        now: Callable[[], datetime],
        then: Teller,
    ) -> None:
        self._journal, self._now, self._then = journal, now, then
        self._experiment, self._procedure = experiment, procedure

    def begins(self, step: Step, text: str) -> None:
        self._journal.append(
            entries.StepStarted(
                time=self._now(),
                experiment=self._experiment,
                procedure=self._procedure,
                line=step.source.line,
                command=text,
            )
        )
        self._then.begins(step, text)

    def ended(self, proof: StepProof) -> None:
        self._journal.append(
            entries.StepEnded(
                time=self._now(),
                experiment=self._experiment,
                procedure=self._procedure,
                line=proof.line,
                state=proof.state.value,
                exit_code=proof.exit_code,
                seconds=proof.seconds,
                reason=proof.reason,
                output=proof.output,
            )
        )
        self._then.ended(proof)
