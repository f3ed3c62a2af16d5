"""A procedure carried out step by step, as it stands in the runbook.

A failed step does not end it: people who paste a block into a terminal go on as well, and what
comes of that is what the drill is to find out.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from chaos.kube.operator_account import NAME as ACCOUNT
from chaos.prove.shell.allowlist import PROGRAMS, Ruling, objections
from chaos.prove.shell.shell_session import Ran, ShellSession
from chaos.prove.steps.editions import enterprise_command
from chaos.prove.steps.placeholders import PlaceholderError, fill
from slo.runbook.model import Procedure, Step, StepKind
from slo.runbook.reading.shell import placeholders
from slo.verdict.proofs import StepProof, StepState

STEP_LIMIT_S = 120.0
_SHELLS = frozenset(("bash", "sh", "/bin/bash", "/bin/sh"))
_MISSING = re.compile(
    r"exec: \\?\"(?P<program>[\w.-]+)\\?\": executable file not found"
    r"|(?:^|: )(?P<other>[\w.-]+): (?:command )?not found"
    r"|['‘\"](?P<third>[\w.-]+)['’\"]: No such file or directory",
    re.MULTILINE,
)


class Teller(Protocol):
    """Who is told of each step: before anything runs, and of what came of it."""

    def begins(self, step: Step, text: str) -> None: ...

    def ended(self, proof: StepProof) -> None: ...


class Silent:
    def begins(self, step: Step, text: str) -> None: ...

    def ended(self, proof: StepProof) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """How a procedure is carried out. `values` fill placeholders, by their key.

    `ask` puts a manual step, or the question whether to run a step, to a person: true for "done" or
    "yes". `stand_ins` are texts to run instead of a step, by its line (an overlay's corrections).
    `community`: Neo4j is known to be Community here, which does not have Enterprise's commands.
    """

    session: ShellSession
    values: Mapping[str, str]
    limit_s: float = STEP_LIMIT_S
    stand_ins: Mapping[int, str] | None = None
    community: bool = False
    ask: Callable[[Step, str], bool] | None = None
    tell: Teller = field(default_factory=Silent)

    def telling(self, teller: Teller) -> "Hand":
        return replace(self, tell=teller)


def carry_out(procedure: Procedure, hand: Hand) -> tuple[StepProof, ...]:
    """Every step in order until the session is over, and what came of each."""
    proofs: list[StepProof] = []
    for step, typed in _with_what_is_typed(procedure.steps):
        if hand.session.over.is_set():
            break
        proof = _step(step, typed, hand)
        for one in (proof, *(_typed(inside, proof) for inside in typed)):
            proofs.append(one)
            hand.tell.ended(one)
    return tuple(proofs)


def rehearse(procedure: Procedure, values: Mapping[str, str]) -> Iterator[str]:
    """What would run, for --dry-run: nothing does, and no cluster is asked."""
    for step, typed in _with_what_is_typed(procedure.steps):
        text, why = _ready(step, values, PROGRAMS)
        mark = f"line {step.source.line}"
        if step.kind is StepKind.MANUAL:
            yield f"# {mark}: by hand: {step.text}"
            continue
        yield f"# {mark}{f': {step.title}' if step.title else ''}"
        yield f"# would not run: {why.reason}" if why else text
        for inside in typed:
            yield f"# line {inside.source.line}: typed into the shell of the step before"
            yield inside.text


def _with_what_is_typed(steps: tuple[Step, ...]) -> Iterator[tuple[Step, tuple[Step, ...]]]:
    """Steps, each with those that follow it inside the shell that it opens in a container."""
    i = 0
    while i < len(steps):
        j = i + 1
        if opens_shell(steps[i]):
            while j < len(steps) and _belongs_inside(steps[j]):
                j += 1
        yield steps[i], steps[i + 1 : j]
        i = j


def opens_shell(step: Step) -> bool:
    return any(len(c.inner) == 1 and c.inner[0] in _SHELLS for c in step.commands)


def _belongs_inside(step: Step) -> bool:
    return step.kind is StepKind.COMMAND and all(c.program != "kubectl" for c in step.commands)


def _ready(
    step: Step, values: Mapping[str, str], programs: frozenset[str], stand_in: str | None = None
) -> tuple[str, StepProof | None]:
    """The text that runs; or why none does."""
    text = step.text if stand_in is None else stand_in
    try:
        filled = fill(text, placeholders(text), values)
    except PlaceholderError as error:
        return text, _not_run(step, text, StepState.FAILED, str(error))
    found = objections(filled.text, programs)
    if found:
        worst = min(found, key=lambda o: o.ruling is not Ruling.REFUSED)
        refused = worst.ruling is Ruling.REFUSED
        state = StepState.REFUSED if refused else StepState.NOT_VERIFIABLE
        return filled.text, _not_run(step, filled.text, state, worst.reason)
    return filled.text, None


def _step(step: Step, typed: tuple[Step, ...], hand: Hand) -> StepProof:
    stand_in = (hand.stand_ins or {}).get(step.source.line)
    if step.kind is StepKind.MANUAL and stand_in is None:
        if hand.ask is not None and hand.ask(step, step.text):
            return _not_run(step, step.text, StepState.DONE, "a person says that it is done")
        return _not_run(step, step.text, StepState.MANUAL, "for a person, and nobody did it")
    if stand_in == "":
        return _not_run(step, step.text, StepState.SKIPPED, "left out by the overlay")
    text, why = _ready(step, hand.values, frozenset(hand.session.programs), stand_in)
    if why is not None:
        return replace(why, command=hand.session.mask(why.command))
    if hand.ask is not None and not hand.ask(step, text):
        return _not_run(step, hand.session.mask(text), StepState.SKIPPED, "not confirmed")
    hand.tell.begins(step, hand.session.mask(text))
    stdin = "".join(f"{inside.text}\n" for inside in typed)
    ran = hand.session.run(text, limit_s=hand.limit_s, stdin=stdin)
    proof = _proof(step, hand.session.mask(text), ran, hand.limit_s)
    if proof.state is StepState.FAILED and hand.community:
        command = enterprise_command(ran.calls, text)
        if command:
            told = f"Enterprise: Neo4j Community, which runs here, does not have {command}"
            return replace(proof, state=StepState.NOT_VERIFIABLE, reason=told)
    if ran.timed_out and hand.session.over.is_set():
        return replace(proof, reason="ended half-way, as the run was ended")
    return proof


def _proof(step: Step, text: str, ran: Ran, limit_s: float) -> StepProof:
    state, reason = _judge(step, ran, limit_s)
    followed = [c for c in ran.calls if c.followed]
    note = f"ended after {followed[0].seconds:.0f} s: it would go on for ever" if followed else ""
    return StepProof(
        line=step.source.line,
        title=step.title,
        command=text,
        state=state,
        reason=reason,
        exit_code=ran.exit_code,
        seconds=ran.seconds,
        output=ran.output,
        note=note,
    )


def _judge(step: Step, ran: Ran, limit_s: float) -> tuple[StepState, str]:
    refused = [c for c in ran.calls if c.refused]
    if refused:
        return StepState.REFUSED, f"{shlex.join(refused[0].words[:3])} …: {refused[0].refused}"
    if ran.timed_out:
        return StepState.FAILED, f"not done after {limit_s:g} s, and ended"
    if ran.ok:
        return StepState.DONE, ""
    if ACCOUNT in ran.output and "forbidden" in ran.output.casefold():
        return StepState.REFUSED, "beyond what an operator of the namespace may do"
    lacking = _lacking(step, ran)
    if lacking:
        return StepState.NOT_VERIFIABLE, f"{lacking} is not in the container's image here"
    lines = (line.strip() for line in ran.output.splitlines())
    last = [line for line in lines if line and not line.startswith("command terminated")]
    said = f": {last[-1]}" if last else ""
    code = ran.failures[0].exit_code if ran.failures else ran.exit_code
    return StepState.FAILED, f"exit code {code}{said}"[:400]


def _lacking(step: Step, ran: Ran) -> str:
    """The program that a container does not have, where that is why the step failed."""
    wanted = {c.inner[0].rpartition("/")[2] for c in step.commands if c.inner}
    if opens_shell(step) and (found := re.search(r"No module named '([\w.-]+)'", ran.output)):
        return found[1]
    for found in _MISSING.finditer(ran.output):
        program = found["program"] or found["other"] or found["third"]
        if program in wanted:
            return program
    return ""


def _typed(step: Step, shell: StepProof) -> StepProof:
    """A step inside the shell that another opened: what became of the shell became of it."""
    return StepProof(
        line=step.source.line,
        title=step.title,
        command=step.text,
        state=shell.state,
        reason=shell.reason,
        exit_code=shell.exit_code,
        note="typed into the shell that the step before opened",
    )


def _not_run(step: Step, text: str, state: StepState, reason: str) -> StepProof:
    return StepProof(
        line=step.source.line, title=step.title, command=text, state=state, reason=reason
    )
