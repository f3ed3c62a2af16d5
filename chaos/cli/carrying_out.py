"""A procedure's steps on the screen, and the person who is asked before each."""

import typer

from chaos.cli.app import tell
from chaos.run.progress import Progress
from slo.exit_codes import ExitCode
from slo.runbook.model import Step
from slo.verdict.proofs import StepProof, StepState


def ask(step: Step, text: str) -> bool:
    title = f"{step.title}\n" if step.title and step.title != text else ""
    tell(f"\nline {step.source.line}: {title}{text}")
    return typer.confirm("done?" if not step.commands else "run it?", default=False)


class Told:
    """Steps on the screen, as they begin and end."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def begins(self, step: Step, text: str) -> None:
        self._progress.say(f"line {step.source.line}: {text}")

    def ended(self, proof: StepProof) -> None:
        if proof.output.strip():
            self._progress.say(proof.output.rstrip())
        why = "; ".join(filter(None, (proof.reason, proof.note)))
        told = f"{proof.state.value}: {why}" if why else proof.state.value
        self._progress.say(f"line {proof.line}: {told}")


def code_of(proofs: tuple[StepProof, ...]) -> ExitCode:
    states = {p.state for p in proofs}
    if states & {StepState.FAILED, StepState.REFUSED}:
        return ExitCode.FAIL
    return ExitCode.PASS if states <= {StepState.DONE} else ExitCode.INCONCLUSIVE
