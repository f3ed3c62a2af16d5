"""Something that is said to be backed up, with no procedure that does it."""

from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.recoverable import speaks_of, versioned


def check(context: Context) -> Iterator[Problem]:
    for backup in context.runbook.backups:
        if versioned(backup):
            continue
        found = [p for p in context.runbook.procedures if speaks_of(p, backup, ("backup",))]
        if not found:
            yield Problem(
                line=backup.source.line,
                message=f"{backup.component} is backed up ({backup.frequency.lower()}), and no"
                " procedure says how",
                suggestion=f"add a procedure that backs {backup.component} up and checks it",
            )


RULE = Rule(
    id="backup-without-procedure",
    level=Level.WARNING,
    title="A component has a backup schedule and no backup procedure",
    why="Nobody can tell whether the backup is made, nor make one before a risky change.",
    check=check,
)
