"""The runbook, line by line: its text as it is, and beside each promise what became of it.

One self-contained HTML page, a pure function of the runbook and of its proofs. What was not tried
is said to be so, and counts against the one figure: the share of promises that are proven.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from reports import format as fmt
from slo.runbook.model import Runbook
from slo.verdict.proofs import ProcedureProof, ProofOutcome, Proofs, StepState

NOT_TRIED = "not tried"
_COLOURS = {
    ProofOutcome.PROVEN.value: "#1a7f37",
    ProofOutcome.REFUTED.value: "#cf222e",
    ProofOutcome.NOT_VERIFIABLE.value: "#9a6700",
    ProofOutcome.INCONCLUSIVE.value: "#8250df",
    NOT_TRIED: "#8c959f",
}
_STEP_STATES = {
    StepState.FAILED: ProofOutcome.REFUTED.value,
    StepState.REFUSED: ProofOutcome.REFUTED.value,
}
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:78rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem} .figure{font-size:2rem;font-weight:700}
table{border-collapse:collapse;width:100%;table-layout:fixed}
td{vertical-align:top;padding:0 .5rem} .n{width:3.5rem;text-align:right;color:#8c959f}
.t{width:55%;white-space:pre-wrap;overflow-wrap:anywhere;font:13px/1.5 ui-monospace,monospace}
.w{font-size:13px;border-left:4px solid transparent;overflow-wrap:anywhere}
section{border-top:1px solid #d1d9e0;margin-top:1.5rem} pre{white-space:pre-wrap;font-size:12px}
"""


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


def render(runbook: Runbook, proofs: Proofs) -> str:
    """The page."""
    marks = promises(runbook, proofs)
    share = share_proven(marks)
    figure = "no promises" if share is None else f"{fmt.percent(share)} proven"
    counts = {state: sum(m.state == state for m in marks) for state in _COLOURS}
    tally = ", ".join(f"{n} {state}" for state, n in counts.items() if n)
    rows = "\n".join(_rows(runbook, (*marks, *_steps(proofs))))
    evidence = "\n".join(_evidence(proofs))
    title = escape(fmt.clean(runbook.title or proofs.runbook))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}: line by line</title>'
        f"<style>{_STYLE}</style><h1>{title}: the runbook, line by line</h1>"
        f'<p class="figure">{escape(figure)}</p><p>{escape(tally)}; on'
        f" {escape(fmt.clean(proofs.target))}, {escape(fmt.utc(proofs.started))}</p>"
        f"<table>{rows}</table>{evidence}</html>\n"
    )


def _steps(proofs: Proofs) -> Iterator[PromiseMark]:
    for proof in proofs.procedures:
        for step in proof.steps:
            state = _STEP_STATES.get(step.state, step.state.value)
            reason = "; ".join(filter(None, (step.reason, step.note)))
            if step.line == proof.line and proof.finding is ProofOutcome.REFUTED:
                state, reason = proof.finding.value, reason or proof.reason
            yield PromiseMark(step.line, state, "", reason, f"procedure-{proof.procedure}")


def _rows(runbook: Runbook, marks: tuple[PromiseMark, ...]) -> Iterator[str]:
    by_line: dict[int, list[PromiseMark]] = {}
    for mark in marks:
        by_line.setdefault(mark.line, []).append(mark)
    for number, text in enumerate(runbook.lines, start=1):
        told = by_line.get(number, [])
        colour = _colour(told[0].state) if told else "transparent"
        words = "<br>".join(map(_words, told))
        yield (
            f'<tr id="L{number}"><td class="n">{number}</td>'
            f'<td class="t">{escape(fmt.clean(text))}</td>'
            f'<td class="w" style="border-color:{colour}">{words}</td></tr>'
        )


def _words(mark: PromiseMark) -> str:
    state = escape(mark.state)
    if mark.anchor:
        state = f'<a href="#{escape(mark.anchor, quote=True)}">{state}</a>'
    title = f"{escape(fmt.clean(mark.title))}: " if mark.title else ""
    reason = f" – {escape(fmt.clean(mark.reason))}" if mark.reason else ""
    return f'{title}<b style="color:{_colour(mark.state)}">{state}</b>{reason}'


def _colour(state: str) -> str:
    return _COLOURS.get(state, "#57606a")


def _evidence(proofs: Proofs) -> Iterator[str]:
    for alert in proofs.alerts:
        trials = "".join(
            f"<li>{escape(t.where)}: {escape(t.world)}: <b>{escape(t.finding.value)}</b>,"
            f" {escape(t.seen)}</li>"
            for t in alert.trials
        )
        anchor = escape(f"alert-{alert.alert}", quote=True)
        yield f'<section id="{anchor}"><h2>{escape(alert.alert)}</h2><ul>{trials}</ul></section>'
    for proof in proofs.procedures:
        anchor = escape(f"procedure-{proof.procedure}", quote=True)
        inside = "".join(_drill(p) for p in (proof, proof.corrected) if p is not None)
        yield f'<section id="{anchor}">{inside}</section>'


def _drill(proof: ProcedureProof) -> str:
    variant = f", corrected: {proof.variant}" if proof.variant else ""
    sights = "".join(
        f"<li>{escape(s.name)}: <b>{escape(s.finding.value)}</b>, {escape(fmt.clean(s.seen))}"
        f" (wanted: {escape(s.wanted)})</li>"
        for s in proof.sights
    )
    steps = "".join(
        f"<pre>line {s.line} [{escape(s.state.value)}] {escape(fmt.clean(s.command))}\n"
        f"{escape(fmt.clean(s.output[-1500:]))}</pre>"
        for s in proof.steps
    )
    on = ", ".join(map(str, proof.databases))
    databases = f"<p>On {escape(fmt.clean(on))}</p>" if on else ""
    return (
        f"<h2>{escape(fmt.clean(proof.title + variant))}</h2>"
        f"<p><b>{escape(proof.finding.value)}</b>: {escape(fmt.clean(proof.reason))}</p>"
        f"<p>Condition: {escape(fmt.clean(proof.condition))}</p>{databases}<ul>{sights}</ul>{steps}"
    )
