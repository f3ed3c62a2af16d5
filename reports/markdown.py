"""summary.md: the verdict on a CI job's page (GitHub, GitLab), short, the worst first."""

import re
from collections.abc import Iterable, Sequence

from reports import answers, budget, compared, facts
from reports import format as fmt
from reports.causes import Cause, causes
from slo.model import Outcome, Verdict

ICONS = {
    Outcome.PASS: "✅",
    Outcome.WARN: "⚠️",
    Outcome.FAIL: "❌",
    Outcome.INCONCLUSIVE: "❔",
}
SHOWN = 20  # findings; the report has them all

# What Markdown or HTML would take for markup inside a line. An underscore within a word is none.
_MARKUP = re.compile(r"[\\`*\[\]<|~$]|(?<!\w)_|_(?!\w)")


def render(verdict: Verdict) -> str:
    """Headline, what did not pass, the experiments, and what it all rests on."""
    about = f"{fmt.utc(verdict.started)}, for {facts.length(verdict)}"
    lines = [
        f"## {_outcome(verdict.outcome)}: {facts.ANSWERS[verdict.outcome]}",
        "",
        f"**{_text(verdict.headline)}**",
        "",
        f"Plan {_text(verdict.plan)} on {_text(verdict.target)}, {about}.",
        "",
        *(line for pair in facts.notices(verdict) for line in (f"> {_text(' '.join(pair))}", "")),
        *_findings(verdict),
        *_promises(verdict),
        *_experiments(verdict),
        *_comparison(verdict),
        *_facts(verdict),
        *((f"Error budget: {budget.sentence(verdict.budget)}", "") if verdict.budget else ()),
        *_score(verdict),
        f"Run {_text(verdict.run)}; the evidence is in `report.html` beside this file.",
        "",
    ]
    return "\n".join(lines)


def _findings(verdict: Verdict) -> Iterable[str]:
    found = causes(verdict)
    if found:
        yield from _table(
            ("", "What did not pass", "Observed", "Expected", "Why"),
            (_finding(cause) for cause in found[:SHOWN]),
        )
    if len(found) > SHOWN:
        yield from (f"and {len(found) - SHOWN} more in the report", "")
    yield from ("**What to do next**", "")
    steps = answers.steps(verdict, found)
    yield from (f"{number}. {_text(step)}" for number, step in enumerate(steps, start=1))
    yield ""


def _finding(cause: Cause) -> Sequence[str]:
    """The worst finding of the cause; how many more there are."""
    lead, more = cause.lead, len(cause.found) - 1
    rest = f"<br>and {more} more with the same cause" if more else ""
    told = "" if lead.subject == cause.title else f"<br>{_text(lead.subject)}"
    return (
        _outcome(cause.outcome),
        f"**{_text(cause.title)}**{told}{rest}",
        *(_text(lead.observed), _text(lead.expected), _text(lead.reason)),
    )


def _promises(verdict: Verdict) -> Iterable[str]:
    promises = facts.promises(verdict)
    if not promises:
        return
    yield from _table(
        ("", "Promise", "Target", "Worst judged value", "Met", "Promised in"),
        (
            (
                _outcome(p.outcome),
                _text(p.objective.title),
                _text(fmt.target(p.objective)),
                f"{_text(p.observed)} ({_text(p.where)})",
                p.met,
                f"{_text(p.objective.source.file)}:{p.objective.source.line}",
            )
            for p in promises
        ),
    )


def _experiments(verdict: Verdict) -> Iterable[str]:
    if not verdict.experiments:
        return
    yield from _table(
        ("", "Experiment", "Fault", "Severity (expected)", "Detected after", "Recovered after"),
        (
            (
                _outcome(e.outcome),
                _text(e.title),
                _text(e.fault),
                f"{e.observed_severity.value} ({e.expected_severity.value})",
                fmt.detected(e),
                _text(facts.recovery(e)),
            )
            for e in verdict.experiments
        ),
    )


def _comparison(verdict: Verdict) -> Iterable[str]:
    if verdict.comparison is None:
        return
    yield from (f"**Against {_text(verdict.comparison.baseline)}**", "")
    yield from _table(
        ("", "Compared", "Baseline", "This run", "Change", "Matters from"),
        (
            (
                _outcome(r.outcome),
                _text(r.subject),
                *(r.baseline, r.new, f"{r.change}<br>{r.interval}", r.matters),
            )
            for r in compared.rows(verdict)
            if r.judged
        ),
    )


def _facts(verdict: Verdict) -> Iterable[str]:
    shown = facts.facts(verdict)
    cells = [f"**{_text(f.value)}**<br>{_text(f.detail)}" for f in shown]
    yield from _table([f.label for f in shown], [cells])


def _score(verdict: Verdict) -> Iterable[str]:
    if not verdict.addends:
        return
    rows = [(_text(a.name), f"{a.points:.1f}", f"{a.of:.1f}", a.because) for a in verdict.addends]
    most = sum(a.of for a in verdict.addends)
    total = ("**Total**", f"**{verdict.score:.1f}**", f"{most:.1f}", "")
    yield from _table(("Score", "Points", "Of", "Because"), [*rows, total])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield from (_row(head), _row(["---"] * len(head)), *map(_row, rows), "")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _outcome(outcome: Outcome) -> str:
    return f"{ICONS[outcome]} {fmt.WORDS[outcome]}"


def _text(text: str) -> str:
    """Text from outside, on one line, with nothing in it that Markdown or HTML would act on."""
    plain = fmt.clean(text).replace("&", "&amp;")
    return _MARKUP.sub(lambda m: f"\\{m[0]}", plain).strip()
