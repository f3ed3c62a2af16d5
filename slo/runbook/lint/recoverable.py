"""Which procedures back up or restore which component."""

import re

from slo.runbook.model import Backup, Procedure
from slo.runbook.reading.topics import topic_of

_COMMON = frozenset(
    [
        "index",
        "indexes",
        "indices",
        "database",
        "databases",
        "data",
        "db",
        "the",
        "of",
        "and",
        "config",
        "configs",
        "configuration",
        "files",
        "file",
        "service",
        "cluster",
        "volumes",
        "volume",
        "store",
    ]
)


def versioned(backup: Backup) -> bool:
    """Kept in version control: the commit is the backup."""
    return bool(re.search(r"\bgit\b|github|gitlab|svn", backup.location, re.IGNORECASE))


def names(backup: Backup) -> set[str]:
    """The words that tell the component: {"faiss"} of "FAISS Indexes"."""
    words = {w.casefold() for w in re.findall(r"\w+", backup.component)}
    return words - _COMMON or words


def speaks_of(procedure: Procedure, backup: Backup, topics: tuple[str, ...]) -> bool:
    """Is the procedure one of those topics, and about that component?

    By its own title first; a title that names nothing ("Restore") is told by its commands.
    """
    title = procedure.title.casefold()
    section = procedure.source.section.casefold()
    if procedure.topic not in topics and topic_of(title) not in topics:
        return False
    wanted = names(backup)
    said = set(re.findall(r"\w+", f"{title} {section}"))
    if wanted & said:
        return True
    commands = " ".join(word for c in procedure.commands for word in c.words).casefold()
    return any(re.search(rf"(?<![a-z]){re.escape(name)}", commands) for name in wanted)
