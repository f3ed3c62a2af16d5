"""Findings that were there before: a team begins to check with those, and sees only new ones.

A finding is known again by its rule and the words of its line, so that it may move in the file.
The same line twice is known as often as it was there.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from slo.runbook.lint.base import Finding
from slo.runbook.lint.registry import Result

Known = Mapping[str, Mapping[str, int]]
"""By file, as the baseline names it, how often each fingerprint is known."""

_FORMAT = 1


class BaselineError(ValueError):
    """Not a baseline; the message says what is wrong."""


def fingerprint(finding: Finding, lines: Sequence[str]) -> str:
    at = finding.source.line - 1
    words = " ".join(lines[at].split()) if 0 <= at < len(lines) else ""
    digest = hashlib.sha256(f"{finding.rule}\n{words}".encode()).hexdigest()
    return f"{finding.rule}:{digest[:16]}"


def known_of(result: Result, lines: Sequence[str]) -> Counter[str]:
    return Counter(fingerprint(f, lines) for f in result.findings)


def without_known(
    result: Result, lines: Sequence[str], known: Mapping[str, int]
) -> tuple[Result, int]:
    """The result without what is known, and how many findings that leaves out."""
    left = Counter(known)
    new: list[Finding] = []
    for finding in result.findings:
        mark = fingerprint(finding, lines)
        if left[mark] > 0:
            left[mark] -= 1
        else:
            new.append(finding)
    return replace(result, findings=tuple(new)), len(result.findings) - len(new)


def written(known: Known) -> str:
    files = {file: dict(sorted(marks.items())) for file, marks in sorted(known.items()) if marks}
    return json.dumps({"baseline": _FORMAT, "files": files}, indent=1, ensure_ascii=False) + "\n"


def read(text: str) -> Known:
    """Raises BaselineError."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise BaselineError(f"not JSON: {error}") from error
    if not isinstance(found, dict) or found.get("baseline") != _FORMAT:
        raise BaselineError("no baseline: --write-baseline makes one")
    files = found.get("files")
    if not isinstance(files, dict) or not all(
        isinstance(marks, dict) and all(isinstance(n, int) for n in marks.values())
        for marks in files.values()
    ):
        raise BaselineError("'files' must give, for each file, how often each finding is known")
    return {str(file): dict(marks) for file, marks in files.items()}
