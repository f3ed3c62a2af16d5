"""Mutation score of the check: of small changes that make a right runbook wrong, how many it sees.

    python -m benchmarks.runbook_mutants [RUNBOOK ...] [--manifests DIR] [--each 12] [--seed 1]

Each mutant is the runbook with one change: a threshold, a label, a `for`, a range, a metric's name,
a namespace, an object's name, a verb or an option of a command, a step that is gone, two steps that
have changed places. It is noticed when `gameday runbook check` says something that it did not say
of the runbook as it stands. Prints a line for each class, then each survivor with the rule or drill
that would catch it. Without arguments: our own runbook, with its manifests, and those of the
examples and tests.
"""

import argparse
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from chaos.cli.lint_context import lint_context
from slo.runbook.lint import Context, check
from slo.runbook.lint.expressions import expressions
from slo.runbook.model import Runbook
from slo.runbook.reader import survey

ROOT = Path(__file__).parents[1]
OURS = (ROOT / "service/gameday/runbook.md", ROOT / "service/deploy")
OTHERS = (
    *sorted((ROOT / "examples").glob("*/gameday/runbook.md")),
    *(ROOT / "tests/slo/runbooks" / name for name in ("sound.md", "shop.md", "ledger.md")),
)


@dataclass(frozen=True)
class Mutant:
    """`change` says what is other in `line`, which counts from 1."""

    kind: str
    line: int
    change: str
    text: str


Lines = list[str]
Mutate = Callable[[Runbook, Lines], Iterator[tuple[int, int, Lines]]]
"""First row, number of rows, and the rows that stand there instead."""


def _in_alerts(book: Runbook, lines: Lines) -> Iterator[tuple[int, str]]:
    for alert in book.alerts:
        for row in range(alert.source.line - 1, min(alert.end_line, len(lines))):
            yield row, lines[row]


def _substituted(
    rows: Iterator[tuple[int, str]], pattern: str, put: str | Callable[[re.Match[str]], str]
) -> Iterator[tuple[int, int, Lines]]:
    for row, line in rows:
        for found in re.finditer(pattern, line):
            new = found.expand(put) if isinstance(put, str) else put(found)
            if new != found[0]:
                yield row, 1, [line[: found.start()] + new + line[found.end() :]]


def thresholds(book: Runbook, lines: Lines) -> Iterator[tuple[int, int, Lines]]:
    number = r"(?<=[<>] )\d+(?:\.\d+)?\b|(?<=[<>]= )\d+(?:\.\d+)?\b"
    yield from _substituted(_in_alerts(book, lines), number, lambda m: f"{float(m[0]) * 10 or 7:g}")


def operators(book: Runbook, lines: Lines) -> Iterator[tuple[int, int, Lines]]:
    turned = {"<": ">", ">": "<"}
    expr = (r for r in _in_alerts(book, lines) if "{{" not in r[1])
    yield from _substituted(
        expr, r"(?<= )[<>](?==? ?[\d(])|(?<= )[<>](?= \d)", lambda m: turned[m[0]]
    )


def promises(book: Runbook, lines: Lines) -> Iterator[tuple[int, int, Lines]]:
    rows = ((o.source.line - 1, lines[o.source.line - 1]) for o in book.objectives)
    yield from _substituted(rows, r"(?<=[<>≤≥] )\d+(?:\.\d+)?", lambda m: f"{float(m[0]) / 3:.3g}")


def pauses(book: Runbook, lines: Lines) -> Iterator[tuple[int, int, Lines]]:
    yield from _substituted(_in_alerts(book, lines), r"(?<=for: )\w+", "30d")


def severities(book: Runbook, lines: Lines) -> Iterator[tuple[int, int, Lines]]:
    yield from _substituted(_in_alerts(book, lines), r"(?<=severity: )[\w-]+", "fatal")


def _in_queries(book: Runbook, lines: Lines) -> Iterator[tuple[int, str]]:
    yield from _in_alerts(book, lines)
    for query in book.queries:
        for row in range(query.source.line - 1, min(query.end_line, len(lines))):
            yield row, lines[row]


def ranges(book: Runbook, lines: Lines) -> Iterator[tuple[int, int, Lines]]:
    yield from _substituted(_in_queries(book, lines), r"\[\d+[smhd]\]", "[5s]")


def labels(book: Runbook, lines: Lines) -> Iterator[tuple[int, int, Lines]]:
    yield from _substituted(_in_queries(book, lines), r"(?<=[{,])(\w+)(?==~?\")", r"\1x")


def metrics(book: Runbook, lines: Lines) -> Iterator[tuple[int, int, Lines]]:
    name = r"\b[a-z]\w+_(total|bucket|seconds|bytes|count)(?=[\[{])"
    yield from _substituted(_in_queries(book, lines), name, lambda m: m[0].replace("_", "_x", 1))


def _in_commands(book: Runbook, lines: Lines) -> Iterator[tuple[int, str]]:
    steps = [s for p in book.procedures for s in p.steps] + list(book.tabled)
    for row in sorted({c.line - 1 for s in steps for c in s.commands}):
        if "kubectl" in lines[row]:
            yield row, lines[row]


def namespaces(book: Runbook, lines: Lines) -> Iterator[tuple[int, int, Lines]]:
    yield from _substituted(_in_commands(book, lines), r"(?<= -n )([a-z][\w-]+)", r"\1-old")


def names(book: Runbook, lines: Lines) -> Iterator[tuple[int, int, Lines]]:
    named = r"(?<=deployment[ /]|deployment )([a-z][\w-]+)|(?<= svc/)([a-z][\w-]+)"
    yield from _substituted(_in_commands(book, lines), named, lambda m: f"{m[0]}-1")


def verbs(book: Runbook, lines: Lines) -> Iterator[tuple[int, int, Lines]]:
    yield from _substituted(
        _in_commands(book, lines), r"(?<=kubectl )([a-z]{4,})\b", lambda m: m[0][:-1]
    )


def options(book: Runbook, lines: Lines) -> Iterator[tuple[int, int, Lines]]:
    yield from _substituted(_in_commands(book, lines), r"(?<= )--[a-z]{4,}", lambda m: m[0] + "s")


def dashes(book: Runbook, lines: Lines) -> Iterator[tuple[int, int, Lines]]:
    rows = (r for r in _in_commands(book, lines) if " exec " in r[1])
    yield from _substituted(rows, r" -- ", " ")


def anchors(book: Runbook, lines: Lines) -> Iterator[tuple[int, int, Lines]]:
    rows = ((x.source.line - 1, lines[x.source.line - 1]) for x in book.links)
    yield from _substituted(rows, r"(?<=\]\(#)([\w-]+)", r"\1-x")


def steps_gone(book: Runbook, _: Lines) -> Iterator[tuple[int, int, Lines]]:
    for procedure in book.procedures:
        for step in procedure.steps if len(procedure.steps) > 1 else ():
            first = step.source.line - 1
            yield first, step.end_line - first, []


def steps_swapped(book: Runbook, lines: Lines) -> Iterator[tuple[int, int, Lines]]:
    for procedure in book.procedures:
        commands = [s for s in procedure.steps if s.commands]
        for a, b in pairwise(commands):
            first, last = a.source.line - 1, b.end_line
            between = lines[a.end_line : b.source.line - 1]
            if any("```" in x or x.lstrip()[:2] in {"- ", "1."} for x in between):
                continue
            moved = lines[b.source.line - 1 : last] + between + lines[first : a.end_line]
            yield first, last - first, moved


# The class, what makes its mutants, and what would catch those that survive.
CLASSES: tuple[tuple[str, Mutate, str], ...] = (
    ("threshold of an alert", thresholds, "threshold-differs; --prove: a fault past the promise"),
    ("operator of an alert", operators, "fires-when-healthy; --prove: a synthetic series"),
    ("threshold in the table", promises, "threshold-differs; a game day's verdict"),
    ("for of an alert", pauses, "a rule that holds `for` against the level's response time"),
    ("severity of an alert", severities, "alert-severity-unknown"),
    ("range of a query", ranges, "range-too-short, which needs scrape_interval in the manifests"),
    ("label of a query", labels, "metric-not-exported with labels; --prove: the alert is silent"),
    ("metric of a query", metrics, "metric-not-exported with --prometheus URL"),
    ("namespace of a command", namespaces, "unknown-object with --manifests; --prove"),
    ("name of an object", names, "unknown-object with --manifests; --prove"),
    ("verb of a command", verbs, "kubectl-unknown"),
    ("option of a command", options, "kubectl-unknown"),
    ("-- of an exec", dashes, "broken-command"),
    ("anchor of a link", anchors, "broken-link"),
    ("step that is gone", steps_gone, "--prove: the procedure does not recover"),
    ("order of two steps", steps_swapped, "acts-on-removed-pod; --prove: the procedure fails"),
)


def mutants(book: Runbook, text: str, each: int, seed: int) -> Iterator[Mutant]:
    """At most `each` of every class, drawn with the seed."""
    lines = text.split("\n")
    for kind, mutate, _ in CLASSES:
        found: dict[tuple[int, str], Mutant] = {}
        for first, count, put in mutate(book, lines):
            changed = "\n".join([*lines[:first], *put, *lines[first + count :]])
            if changed != text:
                before = " / ".join(x.strip() for x in lines[first : first + count])
                after = " / ".join(x.strip() for x in put) or "nothing"
                words = f"{before[:80]}  ->  {after[:80]}"
                found[(first, after)] = Mutant(kind, first + 1, words, changed)
        drawn = list(found.values())
        random.Random(f"{seed} {kind}").shuffle(drawn)
        yield from sorted(drawn[:each], key=lambda m: m.line)


def said(given: Context) -> Counter[tuple[str, str]]:
    """Rules and messages, without line numbers, which a change moves."""
    return Counter((f.rule, re.sub(r"\bline \d+", "", f.message)) for f in check(given).findings)


def noticed(given: Context, before: Counter[tuple[str, str]], text: str) -> bool:
    book = survey(text, given.runbook.file)
    return bool(said(replace(given, runbook=book, expressions=expressions(book))) - before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("runbooks", nargs="*", type=Path)
    parser.add_argument("--manifests", type=Path)
    parser.add_argument("--each", type=int, default=12, help="mutants of a class and runbook")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    books = [(path, asked.manifests) for path in asked.runbooks] or [
        OURS,
        *((path, None) for path in OTHERS),
    ]
    seen: Counter[str] = Counter()
    made: Counter[str] = Counter()
    survivors: list[tuple[Path, Mutant]] = []
    for path, manifests in books:
        given = lint_context(
            path, manifests=manifests, prometheus=None, context=None, kubeconfig=None
        )
        before, text = said(given), path.read_text(encoding="utf-8")
        for mutant in mutants(given.runbook, text, asked.each, asked.seed):
            made[mutant.kind] += 1
            if noticed(given, before, mutant.text):
                seen[mutant.kind] += 1
            else:
                survivors.append((path, mutant))
    print(f"{len(books)} runbooks, seed {asked.seed}, at most {asked.each} mutants of a class")
    for kind, _, _ in CLASSES:
        if made[kind]:
            print(f"{kind:26} {seen[kind]:4} of {made[kind]:4}  {seen[kind] / made[kind]:6.1%}")
    total, all_seen = sum(made.values()), sum(seen.values())
    if total:
        print(f"{'all':26} {all_seen:4} of {total:4}  {all_seen / total:6.1%}")
    caught_by = {kind: by for kind, _, by in CLASSES}
    for path, mutant in survivors:
        print(f"{path}:{mutant.line}: {mutant.kind}: {mutant.change}")
        print(f"    would be caught by: {caught_by[mutant.kind]}")


if __name__ == "__main__":
    main()
