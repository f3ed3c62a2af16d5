"""What came of a runbook's promises, for people and machines: terminal, Markdown, JUnit.

Pure functions of the proofs. As for verdicts: refuted is a failure, what is not known is an error,
and nothing is ever skipped.
"""

import io
import re
from collections.abc import Iterable, Iterator

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reports import format as fmt
from slo.verdict.proofs import AlertProof, ProcedureProof, ProofOutcome, Proofs

STYLES = {
    ProofOutcome.PROVEN: "green",
    ProofOutcome.REFUTED: "red",
    ProofOutcome.INCONCLUSIVE: "magenta",
    ProofOutcome.NOT_VERIFIABLE: "yellow",
}
SIGNS = {
    ProofOutcome.PROVEN: "✓",
    ProofOutcome.REFUTED: "✗",
    ProofOutcome.INCONCLUSIVE: "?",
    ProofOutcome.NOT_VERIFIABLE: "–",
}
_ICONS = {
    ProofOutcome.PROVEN: "✅",
    ProofOutcome.REFUTED: "❌",
    ProofOutcome.INCONCLUSIVE: "❔",
    ProofOutcome.NOT_VERIFIABLE: "➖",
}
_MARKUP = re.compile(r"[\\`*\[\]<|~$]|(?<!\w)_|_(?!\w)")
_WIDTH = 300  # of a reason in a table


def tally(proofs: Proofs) -> str:
    """ "7 proven, 9 refuted, 3 inconclusive, 2 not verifiable here" """
    counts = {f: proofs.findings.count(f) for f in ProofOutcome}
    return ", ".join(f"{n} {f.value}" for f, n in counts.items() if n) or "nothing was tried"


# Terminal


def show(proofs: Proofs, console: Console, *, where: str = "") -> None:
    """The table of every alert and every procedure, and the tally."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    table.add_column("")
    table.add_column("Line", justify="right")
    table.add_column("Promise")
    table.add_column("Took", justify="right")
    table.add_column("On", overflow="fold")
    table.add_column("Why", overflow="fold")
    for alert in proofs.alerts:
        table.add_row(
            *_row(
                alert.finding,
                alert.source.line,
                alert.alert,
                alert.seconds,
                "",
                reason=alert.reason,
            )
        )
    for procedure in proofs.procedures:
        for one in _with_correction(procedure):
            line = one.line or one.source.line
            on = ", ".join(map(str, one.databases))
            table.add_row(*_row(one.finding, line, _title(one), one.seconds, on, reason=one.reason))
    console.print(table)
    console.print(f"{tally(proofs)}{_scale(proofs)}", style="bold")
    for told in _times(proofs):
        console.print(told)
    if where:
        console.print(f"  {where}", style="dim")


def _row(
    finding: ProofOutcome, line: int, title: str, seconds: float, on: str, *, reason: str
) -> tuple[Text, ...]:
    sign = Text(f"{SIGNS[finding]} {finding.value}", style=STYLES[finding])
    words = fmt.clean(_short(reason))
    took = Text(fmt.seconds(seconds))
    return sign, Text(str(line)), Text(title), took, Text(fmt.clean(on)), Text(words)


def _scale(proofs: Proofs) -> str:
    if proofs.time_scale == 1:
        return ""
    return (
        f"; on the cluster, windows and waits of alerts were divided by {proofs.time_scale:g}:"
        " their real durations were not tried there"
    )


def _times(proofs: Proofs) -> Iterator[str]:
    """The means over all drills, against what the runbook allows its severities."""
    detect, recover = proofs.mean_times_s
    if detect is None:
        return
    cured = f"MTTR {fmt.seconds(recover)}" if recover is not None else "none of them was cured"
    tried = [q for p in proofs.procedures for q in (p, p.corrected) if q is not None]
    due = {p.severity: p.response_time_s for p in tried if p.response_time_s is not None}
    told = ", ".join(f"{s} in {fmt.seconds(t)}" for s, t in sorted(due.items()))
    answer = f"; to be answered: {told}" if told else ""
    yield f"MTTD {fmt.seconds(detect)}, {cured}{answer}"


def _title(proof: ProcedureProof) -> str:
    return f"{proof.title}, corrected: {proof.variant}" if proof.variant else proof.title


def _with_correction(proof: ProcedureProof) -> Iterator[ProcedureProof]:
    yield proof
    if proof.corrected is not None:
        yield proof.corrected


def _short(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


# Markdown


def markdown(proofs: Proofs) -> str:
    """The tables, and below them each drill with its steps and what was seen."""
    length = fmt.seconds((proofs.ended - proofs.started).total_seconds())
    lines = [
        f"# {_text(proofs.runbook)}: tried, promise by promise",
        "",
        f"**{tally(proofs)}**{_scale(proofs)}",
        "",
        f"On {_text(proofs.target)}, {fmt.utc(proofs.started)}, for {length}.",
        "",
        *(line for told in _times(proofs) for line in (f"{_text(told)}.", "")),
        *(line for note in proofs.notes for line in (f"> {_text(note)}", "")),
    ]
    if proofs.alerts:
        lines += ["## Alerts", "", *_alert_table(proofs.alerts), ""]
    if proofs.procedures:
        lines += ["## Procedures", "", *_procedure_table(proofs.procedures), ""]
    for proof in proofs.procedures:
        for one in _with_correction(proof):
            lines += _drill(one)
    return "\n".join(lines).rstrip() + "\n"


def _alert_table(alerts: Iterable[AlertProof]) -> Iterator[str]:
    yield "| | Line | Alert | World | Should fire | Seen | Firing after | Resolved after |"
    yield "|---|---:|---|---|---|---|---:|---:|"
    for alert in alerts:
        yield (
            f"| {_mark(alert.finding)} | {alert.source.line} | **{_text(alert.alert)}** |"
            f" {_text(alert.reason) if not alert.trials else ''} | | |"
            " | |"
        )
        for trial in alert.trials:
            yield (
                f"| {_ICONS[trial.finding]} | | | {trial.where}: {_text(trial.world)} |"
                f" {'yes' if trial.should_fire else 'no'} | {_text(trial.seen)} |"
                f" {_time(trial.firing_s)} | {_time(trial.resolved_s)} |"
            )


def _procedure_table(procedures: Iterable[ProcedureProof]) -> Iterator[str]:
    yield (
        "| | Line | Procedure | Database | Condition | Severity | Answer due | Detected | Recovered"
        " | Took | Why |"
    )
    yield "|---|---:|---|---|---|---|---:|---:|---:|---:|---|"
    for procedure in procedures:
        for proof in _with_correction(procedure):
            yield (
                f"| {_mark(proof.finding)} | {proof.line or proof.source.line} |"
                f" {_text(_title(proof))} | {_text(', '.join(map(str, proof.databases)))} |"
                f" {_text(proof.condition)} |"
                f" {proof.severity} | {_time(proof.response_time_s)} |"
                f" {_time(proof.time_to_detect_s)} | {_time(proof.time_to_recover_s)} |"
                f" {_time(proof.seconds or None)} | {_text(_short(proof.reason))} |"
            )


def _drill(proof: ProcedureProof) -> Iterator[str]:
    if not proof.steps and not proof.sights:
        return
    yield f"## {_text(_title(proof))} (line {proof.source.line})"
    yield ""
    yield f"{_mark(proof.finding)}: {_text(proof.reason)}"
    yield ""
    if proof.steps:
        yield "| Line | Step | | Exit code | Took | Remark |"
        yield "|---:|---|---|---:|---:|---|"
    for step in proof.steps:
        code = "" if step.exit_code is None else str(step.exit_code)
        remark = "; ".join(filter(None, (step.reason, step.note)))
        yield (
            f"| {step.line} | `{_code(step.command)}` | {step.state.value} | {code} |"
            f" {_time(step.seconds or None)} | {_text(_short(remark))} |"
        )
    if proof.steps:
        yield ""
    for seen in proof.sights:
        yield (
            f"- {_ICONS[seen.finding]} {_text(seen.name)}: {_text(seen.seen)}"
            f" (wanted: {_text(seen.wanted)})"
        )
    if proof.databases:
        yield f"- databases: {_text(', '.join(map(str, proof.databases)))}"
    if proof.requests:
        yield f"- {proof.failed_requests} of {proof.requests} requests failed in the meantime"
    if proof.put_back:
        yield f"- afterwards: {_text(proof.put_back)}"
    yield ""


def _mark(finding: ProofOutcome) -> str:
    return f"{_ICONS[finding]} {finding.value}"


def _time(value: float | None) -> str:
    return "" if value is None else fmt.seconds(value)


def _text(text: str) -> str:
    return _MARKUP.sub(lambda m: f"\\{m[0]}", " ".join(fmt.clean(text).split()))


def _code(text: str) -> str:
    return _short(" ".join(fmt.clean(text).split())).replace("`", "'").replace("|", "\\|")


# JUnit


def junit(proofs: Proofs) -> str:
    """One test case for each alert and each procedure, and one for each correction."""
    root = JUnitXml(name=fmt.clean(f"gameday runbook {proofs.runbook}"))
    alerts = [
        _case("alerts", a.alert, a.finding, _at(a.source.line, a.reason), a.seconds)
        for a in proofs.alerts
    ]
    procedures = [
        _case("procedures", _title(p), p.finding, _at(p.line or p.source.line, p.reason), p.seconds)
        for whole in proofs.procedures
        for p in _with_correction(whole)
    ]
    for name, cases in (("alerts", alerts), ("procedures", procedures)):
        suite = TestSuite(name=name)
        suite.timestamp = f"{proofs.started:%Y-%m-%dT%H:%M:%S}"
        suite.add_testcases(cases)
        root.append(suite)  # type: ignore[no-untyped-call]  # junitparser leaves some untyped
    root.update_statistics()  # type: ignore[no-untyped-call]
    out = io.BytesIO()
    root.write(out, pretty=True)
    return out.getvalue().decode()


def _at(line: int, reason: str) -> str:
    return fmt.clean(f"line {line}: {reason}")


def _case(group: str, name: str, finding: ProofOutcome, sentence: str, seconds: float) -> TestCase:
    case = TestCase(
        name=fmt.clean(name), classname=f"gameday.runbook.{group}", time=round(seconds, 3)
    )
    if finding is ProofOutcome.REFUTED:
        case.result = Failure(sentence, finding.value)
    elif finding is not ProofOutcome.PROVEN:
        case.result = Error(sentence, finding.value)
    if case.result:
        case.result[0].text = sentence
    else:
        case.system_out = sentence
    return case
