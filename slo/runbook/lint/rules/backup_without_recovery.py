"""Something that is backed up, with no procedure that brings it back."""

from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.recoverable import speaks_of


def check(context: Context) -> Iterator[Problem]:
    for backup in context.runbook.backups:
        found = [p for p in context.runbook.procedures if speaks_of(p, backup, ("recovery",))]
        if not found:
            yield Problem(
                line=backup.source.line,
                message=f"{backup.component} is backed up, and no procedure restores it",
                suggestion=f"add a recovery procedure for {backup.component}, and rehearse it",
            )


RULE = Rule(
    id="backup-without-recovery",
    level=Level.WARNING,
    title="A component has backups and no recovery procedure",
    why="A backup that nobody has restored is a hope.",
    check=check,
)
