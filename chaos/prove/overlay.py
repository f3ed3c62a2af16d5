"""An overlay: what would have to be different in a runbook's procedures for them to hold.

A small YAML file beside the runbook, which itself stays as it is: for the steps on some lines, what
to run instead. So that a correction is proven before somebody writes it into the runbook.
"""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from chaos.prove.corrections import Correction
from slo.documents import DocumentError, Part, line_of, read_document
from slo.runbook.model import Runbook


class StandIn(Part):
    """Instead of the step on `line`: another text, or nothing at all."""

    line: int = Field(ge=1)
    run: str = ""
    skip: bool = False

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if bool(self.run.strip()) is self.skip:
            raise ValueError("either 'run' something instead, or 'skip' the step")
        return self


class ProcedureOverlay(Part):
    procedure: str
    why: str
    steps: tuple[StandIn, ...] = Field(min_length=1)


class Overlay(Part):
    corrections: tuple[ProcedureOverlay, ...] = Field(min_length=1)


def read_overlay(path: Path, runbook: Runbook) -> dict[str, Correction]:
    """By the name of the procedure. Raises DocumentError, also for a line that has no step."""
    found = {}
    for i, entry in enumerate(read_document(path, Overlay).corrections):
        procedure = runbook.procedure(entry.procedure)
        if procedure is None:
            line = line_of(path, "corrections", i, "procedure")
            raise DocumentError(
                f"{path}, line {line}: field 'corrections[{i}].procedure': there is no procedure"
                f" {entry.procedure!r} in {runbook.file}"
            )
        lines = {s.source.line for s in procedure.steps}
        for j, step in enumerate(entry.steps):
            if step.line not in lines:
                at = line_of(path, "corrections", i, "steps", j, "line")
                known = ", ".join(map(str, sorted(lines)))
                raise DocumentError(
                    f"{path}, line {at}: field 'corrections[{i}].steps[{j}].line': no step of"
                    f" {entry.procedure} starts on line {step.line}; they start on {known}"
                )
        stand_ins = {s.line: s.run.rstrip("\n") for s in entry.steps}
        found[entry.procedure] = Correction(why=entry.why, stand_ins=stand_ins)
    return found
