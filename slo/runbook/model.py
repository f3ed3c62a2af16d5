"""What a runbook says, as values; every one knows the line that it stands on.

`Objective` and `Source` are in slo.model, because verdicts speak of them too. Lines count from 1
in the runbook's file; `end_line` is the last line, included. Durations are seconds, thresholds are
in the unit that stands beside them, and a figure that the runbook does not give is None.
"""

from dataclasses import dataclass
from enum import StrEnum

from slo.model import Comparison, Objective, Severity, Source, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityLevel:
    """`response_time_s` is None when the runbook gives no number, e.g. "Next business day".

    `label` is what the runbook calls the level, e.g. "P1"; `severity` is what we call it.
    """

    severity: Severity
    description: str
    response_time: str
    response_time_s: float | None
    source: Source
    label: str = ""
    escalation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A PromQL expression. `record` is the name that a recording rule gives to it, or "".

    `certain` is false where neither a fence nor a rule says that it is PromQL.
    """

    title: str
    expr: str
    source: Source
    end_line: int
    record: str = ""
    certain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alerting rule. `expr_source` is where its expression starts, `severity` its label.

    `for_text` is the duration as written, "" if there is none.
    """

    name: str
    expr: str
    for_text: str
    for_s: float | None
    labels: tuple[tuple[str, str], ...]
    annotations: tuple[tuple[str, str], ...]
    group: str
    source: Source
    expr_source: Source
    end_line: int

    @property
    def severity(self) -> str:
        return dict(self.labels).get("severity", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One side of a threshold as a table states it: "> 70%" is ABOVE, 0.7, RATIO."""

    comparison: Comparison
    value: float
    unit: Unit
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingRule:
    metric: str
    up: Bound
    down: Bound | None
    cooldown_s: float | None
    source: Source


class StepKind(StrEnum):
    COMMAND = "command"
    MANUAL = "manual"  # words for a person: a list item, or a comment that stands for an action


class Effect(StrEnum):
    """What a command does to the system: the worst of its parts. Unknown is not harmless."""

    READS = "reads"
    CHANGES = "changes"
    UNKNOWN = "unknown"


# Of kubectl: they take a value, and may stand before the verb.
GLOBAL_OPTIONS = frozenset(
    """
    -n --namespace --context --cluster --user --kubeconfig -s --server --as --as-group --token
    --request-timeout --certificate-authority -v
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One program call inside a step, also within loops, pipes and substitutions.

    `words` starts with the program; quotes are removed, expansions stay as written. `inner` is the
    command that an `exec` or `run` hands to a container, with its own words.
    """

    words: tuple[str, ...]
    line: int
    inner: tuple[str, ...] = ()

    @property
    def program(self) -> str:
        return self.words[0].rpartition("/")[2] if self.words else ""

    @property
    def plain(self) -> tuple[str, ...]:
        """Its program and words without options, and without the values of kubectl's global ones.

        `kubectl -n shop rollout restart deploy/web` is ("kubectl", "rollout", "restart",
        "deploy/web").
        """
        found, value = [self.program], False
        for word in self.words[1:]:
            if not value and not word.startswith("-"):
                found.append(word)
            value = word in GLOBAL_OPTIONS
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One statement of a code block, or one item of a list.

    `text` is what runs, exactly as written, over all its lines and without a prompt; for a manual
    step the words. `title` is the comment or the words that introduce it. `output` is what the
    runbook shows as the answer. `language` is that of the code block ("bash", "console"), "" in a
    list. `part` is "diagnosis" or "resolution" where the runbook separates them.
    """

    kind: StepKind
    text: str
    title: str
    language: str
    effect: Effect
    placeholders: tuple[str, ...]
    commands: tuple[Command, ...]
    source: Source
    end_line: int
    number: int | None = None
    part: str = ""
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forbidden:
    """A command that the runbook tells people not to run: no procedure has it.

    `text` is the command as written, `words` the sentence or title that forbids it.
    """

    text: str
    words: str
    commands: tuple[Command, ...]
    source: Source
    end_line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """A named sequence of steps, with the condition that calls for it, "" if none is stated.

    `topic` is what it is about where the words are known (see slo.runbook.reading.topics), else "".
    A mode that is switched on and off in one block is two procedures.
    """

    name: str
    title: str
    topic: str
    condition: str
    steps: tuple[Step, ...]
    source: Source
    end_line: int

    @property
    def commands(self) -> tuple[Command, ...]:
        return tuple(command for step in self.steps for command in step.commands)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checklist:
    """`severity` is the level that it is for, None if it names none."""

    title: str
    severity: Severity | None
    items: tuple[Step, ...]
    source: Source
    end_line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """`interval_s` and `retention_s` are None where the words give no figure ("On change")."""

    component: str
    frequency: str
    interval_s: float | None
    retention: str
    retention_s: float | None
    location: str
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryTarget:
    """How much may be lost (RPO) and how long it may take (RTO); None where there is no figure."""

    name: str
    rpo: str
    rpo_s: float | None
    rto: str
    rto_s: float | None
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertInWords:
    """An alert that a table describes: its condition is no PromQL, and nothing can evaluate it."""

    name: str
    condition: str
    severity: str
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceWindow:
    day: str
    time: str
    duration: str
    duration_s: float | None
    purpose: str
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    name: str
    url: str
    purpose: str
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    role: str
    contact: str
    availability: str
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    name: str
    description: str
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link in the text; `target` as written: "#anchor", a path, or an address."""

    text: str
    target: str
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """A code block that is data rather than steps: manifests, diagrams, settings.

    `kind` is "manifest" (Kubernetes objects), or "diagram" (drawn with characters).
    """

    kind: str
    language: str
    text: str
    source: Source
    end_line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """`anchor` is the one that the text gives it ("{#anchor}"), "" if it gives none."""

    level: int
    text: str
    source: Source
    anchor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Lines that are not in the model. `kind` is what they look like, `reason` why they are not.

    Kinds: prose, list, table, column (of a table that was read), row, objective (a row of a key
    metrics table), code, output (what a command prints), html, front matter, other.
    """

    kind: str
    text: str
    reason: str
    source: Source
    end_line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """`notes` has what a reader of results must know: repairs, and severities not understood.

    `lines` is the repaired text, so that any line number can be shown. `mentioned` are commands
    that a sentence speaks of, `tabled` those in cells of tables; both belong to no procedure.
    """

    file: str
    objectives: tuple[Objective, ...]
    severities: tuple[SeverityLevel, ...]
    notes: tuple[str, ...] = ()
    title: str = ""
    lines: tuple[str, ...] = ()
    queries: tuple[Query, ...] = ()
    alerts: tuple[Alert, ...] = ()
    scaling: tuple[ScalingRule, ...] = ()
    checklists: tuple[Checklist, ...] = ()
    procedures: tuple[Procedure, ...] = ()
    mentioned: tuple[Step, ...] = ()
    tabled: tuple[Step, ...] = ()
    forbidden: tuple[Forbidden, ...] = ()
    backups: tuple[Backup, ...] = ()
    recovery: tuple[RecoveryTarget, ...] = ()
    alerts_in_words: tuple[AlertInWords, ...] = ()
    windows: tuple[MaintenanceWindow, ...] = ()
    dashboards: tuple[Dashboard, ...] = ()
    contacts: tuple[Contact, ...] = ()
    components: tuple[Component, ...] = ()
    snippets: tuple[Snippet, ...] = ()
    links: tuple[Link, ...] = ()
    headings: tuple[Heading, ...] = ()
    unread: tuple[Unread, ...] = ()
    tables: int = 0  # how many there are, read or not

    def procedure(self, name: str) -> Procedure | None:
        """The procedure of that name; procedures' names are unique in a runbook."""
        return next((p for p in self.procedures if p.name == name), None)
