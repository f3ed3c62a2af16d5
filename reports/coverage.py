"""runbook.html: the runbook as its readers know it, and at each promise what became of it.

One self-contained HTML page, a pure function of the runbook and of its proofs. What was not tried
is said to be so, and counts against the one figure: the share of promises that are proven.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from markupsafe import Markup

from reports import format as fmt
from reports import page
from reports.runbook_text import TextBlock, blocks
from slo.runbook.model import Runbook
from slo.verdict.proofs import AlertProof, ProcedureProof, ProofOutcome, Proofs, StepState

NOT_TRIED = "not tried"
# In the order of the filter; what has to be mended comes first.
_TONES = {
    ProofOutcome.REFUTED.value: "fail",
    ProofOutcome.INCONCLUSIVE.value: "inconclusive",
    ProofOutcome.NOT_VERIFIABLE.value: "warn",
    NOT_TRIED: "untried",
    ProofOutcome.PROVEN.value: "pass",
}
_NAMES = {state: state.replace(" ", "-") for state in _TONES}
_STEP_STATES = {
    StepState.FAILED: ProofOutcome.REFUTED.value,
    StepState.REFUSED: ProofOutcome.REFUTED.value,
}


@dataclass(frozen=True, slots=True)
class PromiseMark:
    """What is known of the promise on a line. `anchor` names its evidence, "" for none."""

    line: int
    state: str
    title: str
    reason: str
    anchor: str = ""


def promises(runbook: Runbook, proofs: Proofs) -> tuple[PromiseMark, ...]:
    """One for each promise of the runbook, in the order of its lines."""
    alerts = {a.alert: a for a in proofs.alerts}
    procedures = {p.procedure: p for p in proofs.procedures}
    found = []
    for alert in runbook.alerts:
        tried = alerts.get(alert.name)
        state, reason = (tried.finding.value, tried.reason) if tried else (NOT_TRIED, "")
        anchor = f"alert-{alert.name}" if tried else ""
        found.append(PromiseMark(alert.source.line, state, f"alert {alert.name}", reason, anchor))
    for procedure in runbook.procedures:
        proof = procedures.get(procedure.name)
        state, reason = (proof.finding.value, proof.reason) if proof else (NOT_TRIED, "")
        anchor = f"procedure-{procedure.name}" if proof else ""
        line = procedure.source.line
        found.append(PromiseMark(line, state, f"procedure {procedure.title}", reason, anchor))
    others = (
        *((o.source.line, f"objective {o.title}") for o in runbook.objectives),
        *((q.source.line, f"query {q.title}") for q in runbook.queries),
        *((s.source.line, f"scaling by {s.metric}") for s in runbook.scaling),
        *((b.source.line, f"backup of {b.component}") for b in runbook.backups),
    )
    found += [
        PromiseMark(line, NOT_TRIED, title, "a game day or a lint judges it")
        for line, title in others
    ]
    return tuple(sorted(found, key=lambda m: (m.line, m.title)))


def share_proven(marks: tuple[PromiseMark, ...]) -> float | None:
    """A ratio of all promises; None where the runbook has none."""
    proven = sum(m.state == ProofOutcome.PROVEN.value for m in marks)
    return proven / len(marks) if marks else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A block of the text with what is known of its lines. `states` are those of the filter.

    A heading has the states of all that stands below it.
    """

    block: TextBlock
    states: tuple[str, ...]
    evidence: tuple[AlertProof | ProcedureProof, ...]
    remarks: tuple[PromiseMark, ...]
    unplaced: tuple[PromiseMark, ...]  # on a line that is not shown as one, such as a comment


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A promise's state on the page: its words, class, how many there are, and their share."""

    words: str
    name: str
    tone: str
    count: int
    left: float
    width: float


def render(runbook: Runbook, proofs: Proofs) -> str:
    """The page. The same runbook and proofs give the same text."""
    marks = promises(runbook, proofs)
    share = share_proven(marks)
    title = fmt.clean(runbook.title or proofs.runbook)
    refuted = any(m.state == ProofOutcome.REFUTED.value for m in marks)
    parts = tuple(_parts(runbook, proofs, marks, tuple(_steps(proofs))))
    return page.render(
        "runbook.html",
        title=f"{title}: promise by promise",
        version=proofs.gameday_version,
        styles=("runbook.css",),
        name=title,
        proofs=proofs,
        tone="fail" if refuted else "pass" if share == 1 else "inconclusive",
        figure="no promises" if share is None else f"{fmt.percent(share)} proven",
        marks=marks,
        tried=_in_order(m for m in marks if m.state != NOT_TRIED),
        untried=_in_order(m for m in marks if m.state == NOT_TRIED),
        elsewhere=_elsewhere(proofs, parts),
        states=_states(marks),
        parts=parts,
        lines={n for p in parts for n in range(p.block.first, p.block.last + 1)},
        tones=_TONES,
        names=_NAMES,
        evidence_of=_evidence_ids(proofs),
        length=fmt.seconds((proofs.ended - proofs.started).total_seconds()),
    )


def _in_order(marks: Iterable[PromiseMark]) -> tuple[PromiseMark, ...]:
    """What has to be mended first, as in the filter; otherwise by their lines."""
    order = list(_TONES)
    return tuple(sorted(marks, key=lambda m: order.index(m.state)))


def _elsewhere(proofs: Proofs, parts: Iterable[Part]) -> tuple[AlertProof | ProcedureProof, ...]:
    """Proofs of promises that this text does not have, as after a change of it."""
    shown = {id(e) for p in parts for e in p.evidence}
    every: list[AlertProof | ProcedureProof] = [*proofs.alerts, *proofs.procedures]
    return tuple(p for p in every if id(p) not in shown)


def _states(marks: tuple[PromiseMark, ...]) -> tuple[State, ...]:
    """Those that occur, in the order of the filter and of the bar."""
    found: list[State] = []
    for words, tone in _TONES.items():
        count = sum(m.state == words for m in marks)
        if count:
            left = found[-1].left + found[-1].width if found else 0.0
            width = round(100 * count / len(marks), 3)
            found.append(
                State(
                    words=words, name=_NAMES[words], tone=tone, count=count, left=left, width=width
                )
            )
    return tuple(found)


def _steps(proofs: Proofs) -> Iterator[PromiseMark]:
    for proof in proofs.procedures:
        for step in proof.steps:
            state = _STEP_STATES.get(step.state, step.state.value)
            reason = "; ".join(filter(None, (step.reason, step.note)))
            if step.line == proof.line and proof.finding is ProofOutcome.REFUTED:
                state, reason = proof.finding.value, reason or proof.reason
            yield PromiseMark(step.line, state, "", reason, f"procedure-{proof.procedure}")


def _evidence_ids(proofs: Proofs) -> dict[str, str]:
    """The place of each proof on the page, by the anchor that marks have."""
    anchors = [f"alert-{a.alert}" for a in proofs.alerts]
    anchors += [f"procedure-{p.procedure}" for p in proofs.procedures]
    return {anchor: f"evidence-{n}" for n, anchor in enumerate(dict.fromkeys(anchors), start=1)}


def _badges(marks: Iterable[PromiseMark], ids: dict[str, str]) -> dict[int, Markup]:
    """What stands at each line: its states, each told once, and the way to their evidence."""
    found: dict[int, dict[str, PromiseMark]] = {}
    for mark in marks:
        found.setdefault(mark.line, {}).setdefault(mark.state, mark)
    badge = page.ENVIRONMENT.get_template("_macros.html").module.mark  # type: ignore[attr-defined]
    return {
        line: Markup(" ").join(
            badge(state, _TONES.get(state, "step"), ids.get(mark.anchor, ""))
            for state, mark in told.items()
        )
        for line, told in found.items()
    }


def _parts(
    runbook: Runbook,
    proofs: Proofs,
    marks: tuple[PromiseMark, ...],
    steps: tuple[PromiseMark, ...],
) -> Iterator[Part]:
    ids = _evidence_ids(proofs)
    text = tuple(blocks(runbook.lines, _badges((*marks, *steps), ids)))
    proved: dict[str, AlertProof | ProcedureProof] = {
        **{f"procedure-{p.procedure}": p for p in proofs.procedures},
        **{f"alert-{a.alert}": a for a in proofs.alerts},
    }
    for i, block in enumerate(text):
        last = _end_of_section(text, i)
        own = [m for m in marks if block.first <= m.line <= block.last]
        below = [m for m in marks if block.first <= m.line <= last]
        yield Part(
            block=block,
            states=tuple(dict.fromkeys(_NAMES[m.state] for m in below)),
            evidence=tuple(proved[m.anchor] for m in own if m.anchor in proved),
            unplaced=tuple(m for m in own if f'id="L{m.line}"' not in block.html),
            remarks=tuple(s for s in steps if s.reason and block.first <= s.line <= block.last),
        )


def _end_of_section(text: tuple[TextBlock, ...], i: int) -> int:
    """The last line of the block or, for a heading, of all that stands below it."""
    level = text[i].level
    if not level:
        return text[i].last
    after = (b.first - 1 for b in text[i + 1 :] if 0 < b.level <= level)
    return next(after, text[-1].last)
