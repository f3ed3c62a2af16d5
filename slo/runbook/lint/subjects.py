"""What a title or an expression is about, so that an alert is held against the right promise."""

import re

from slo.model import Objective, Severity, Unit
from slo.runbook.lint.expressions import Expression, words
from slo.runbook.promql import Kind, selectors

_SUBJECTS = (
    ("errors", r"\berrors?\b|\bfail(?:ed|ing|ures?|s)?\b|\b5xx\b|\bsuccess\b"),
    (
        "latency",
        (
            r"\blatency\b|\b(?:response|query|request|search|read|write) times?\b|\bslow\b"
            r"|\bduration\b|\bp\d\d\b"
        ),
    ),
    ("cpu", r"\bcpu\b|\bprocessor\b"),
    ("memory", r"\bmemory\b|\bheap\b|\boom\b"),
    ("disk", r"\bdisk\b|\bstorage\b|\bfilesystem\b|\bvolume\b"),
    ("availability", r"\bavailab\w+|\buptime\b|\bready\b|\breadiness\b|\bdown\b|\bnot ready\b"),
    ("queue", r"\bqueue\b|\bbacklog\b|\blag\b"),
    ("traffic", r"\btraffic\b|\bthroughput\b|\brequest rate\b|\brequests per second\b|\borders\b"),
)
_COMMON = frozenset(
    [
        "the",
        "a",
        "of",
        "in",
        "on",
        "and",
        "for",
        "per",
        "is",
        "are",
        "high",
        "low",
        "rate",
        "ratio",
        "percent",
        "percentage",
        "usage",
        "use",
        "time",
        "times",
        "average",
        "utilization",
        "utilisation",
        "total",
        "error",
        "errors",
        "failure",
        "failures",
        "failed",
        "latency",
        "response",
        "request",
        "requests",
        "query",
        "search",
        "memory",
        "heap",
        "cpu",
        "pod",
        "pods",
        "service",
        "api",
        "availability",
        "available",
        "uptime",
        "target",
        "limit",
        "over",
        "p50",
        "p90",
        "p95",
        "p99",
        "p999",
        "95th",
        "99th",
        "percentile",
        "slow",
        "duration",
        "disk",
        "not",
        "ready",
        "down",
        "too",
        "many",
        "current",
        "seconds",
        "second",
        "throughput",
        "traffic",
    ]
)


def subject(text: str) -> str:
    """ "errors", "latency", ...; "" if the words tell nothing."""
    said = words(text)
    return next((name for name, pattern in _SUBJECTS if re.search(pattern, said)), "")


def particular(text: str) -> set[str]:
    """The words that say which one: {"faiss"} of "FAISS Query Time"."""
    return {w for w in re.findall(r"[^\W\d_]\w+", words(text)) if w not in _COMMON}


def about(expression: Expression) -> str:
    """By the title, else by the metrics that it asks for."""
    found = subject(expression.title) or subject(expression.words)
    if found or expression.tree is None:
        return found
    return next((s for x in selectors(expression.tree) if (s := subject(x.name))), "")


def concerns(expression: Expression, objective: Objective) -> bool:
    """Is the expression about what the objective promises?"""
    promised = subject(objective.title)
    if expression.tree is None or not promised or about(expression) != promised:
        return False
    metrics = " ".join(words(s.name) for s in selectors(expression.tree))
    told = set(re.findall(r"\w+", f"{expression.words} {metrics}"))
    wanted = particular(objective.title)
    return wanted <= told or not wanted


def best(expression: Expression, objectives: tuple[Objective, ...]) -> Objective | None:
    """The objective that the expression speaks of; the most particular where several would do."""
    found = [o for o in objectives if concerns(expression, o)]
    return max(found, key=lambda o: len(particular(o.title)), default=None)


def fits(value: Kind, unit: Unit) -> bool:
    return value == "unknown" or value in _FITTING[unit]


_FITTING: dict[Unit, frozenset[str]] = {
    Unit.RATIO: frozenset(("ratio", "percent")),
    Unit.SECONDS: frozenset(("seconds",)),
    Unit.PER_SECOND: frozenset(("per_second",)),
    Unit.BYTES: frozenset(("bytes",)),
    Unit.COUNT: frozenset(("count",)),
}
SAID: dict[str, str] = {
    "per_second": "per second",
    "seconds": "seconds",
    "ratio": "a share",
    "percent": "percent",
    "bytes": "bytes",
    "count": "a number of things",
    "unknown": "something unknown",
}
_LABELS = {
    Severity.SEV1: "critical page emergency fatal disaster urgent",
    Severity.SEV2: "high major error",
    Severity.SEV3: "warning warn minor medium ticket",
    Severity.SEV4: "info low none notice informational",
}


def level_of(label: str) -> Severity | None:
    """The severity that an alert's label means, by its number or as such words are mostly used."""
    if found := re.fullmatch(r"(?:sev|severity|s|p|priority)[\W_]?([1-4])", label.casefold()):
        return Severity(f"SEV{found[1]}")
    return next((s for s, known in _LABELS.items() if label.casefold() in known.split()), None)
