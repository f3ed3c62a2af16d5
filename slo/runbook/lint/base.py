"""What a rule is, what it is given, and what it gives back.

A rule is a function from a Context to Problems. It never prints, reads no file and asks nobody:
what the outside world says (manifests, metrics, evaluations) is in the context, or None where it
was not asked, and a rule that needs it then finds nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from slo.model import Source
from slo.runbook.lint.evaluation import Evaluator
from slo.runbook.lint.expressions import Expression
from slo.runbook.lint.kubectl import Kubectl
from slo.runbook.lint.objects import Objects
from slo.runbook.lint.versions import NEWEST, Versions
from slo.runbook.model import Procedure, Runbook, Step


class Level(StrEnum):
    """An error breaks a promise or a procedure; a warning misleads; a note is worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        return list(Level).index(self)


class Need(StrEnum):
    """Evidence that a rule cannot do without."""

    OBJECTS = "--manifests or --context"
    METRICS = "--prometheus"
    EVALUATION = "promtool"
    FILES = "the runbook's directory"
    PROMETHEUS_VERSION = "--prometheus VERSION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """`metrics` are the names that Prometheus has; `exists` tells whether a relative path is there.

    `scrape_interval_s` is the shortest that the manifests state. `versions` are those that the
    runbook is for.
    """

    runbook: Runbook
    expressions: tuple[Expression, ...]
    kubectl: Kubectl
    objects: Objects | None = None
    metrics: frozenset[str] | None = None
    evaluator: Evaluator | None = None
    exists: Callable[[str], bool] | None = None
    scrape_interval_s: float | None = None
    versions: Versions = NEWEST

    def steps(self) -> Iterable[tuple[Procedure | None, Step]]:
        """Every step, with its procedure, and the commands of tables; none that is forbidden.

        What a sentence only speaks of is no step: "X is gone, and its successor is Y".
        """
        for procedure in self.runbook.procedures:
            for step in procedure.steps:
                yield procedure, step
        for checklist in self.runbook.checklists:
            for step in checklist.items:
                yield None, step
        for step in self.runbook.tabled:
            yield None, step

    def has(self, need: Need) -> bool:
        return {
            Need.OBJECTS: self.objects is not None,
            Need.METRICS: self.metrics is not None,
            Need.EVALUATION: self.evaluator is not None,
            Need.FILES: self.exists is not None,
            Need.PROMETHEUS_VERSION: self.versions.prometheus is not None,
        }[need]


@dataclass(frozen=True, slots=True)
class Fix:
    """In this line, `new` in the place of `old`, which is there exactly once."""

    line: int
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One place that breaks a rule. `level` is the rule's own unless it is given here.

    `fix` is a change that nobody needs to think about; None where there is none.
    """

    line: int
    message: str
    suggestion: str
    level: Level | None = None
    fix: Fix | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`id` is the name of its module and of its page in docs/rules; `why` says what it costs."""

    id: str
    level: Level
    title: str
    why: str
    check: Callable[[Context], Iterable[Problem]]
    needs: frozenset[Need] = field(default=frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    rule: str
    level: Level
    source: Source
    message: str
    why: str
    suggestion: str
    fix: Fix | None = None
