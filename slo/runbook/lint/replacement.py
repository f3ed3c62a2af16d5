"""What a table says of one command: that it is gone, or of one edition alone, and what to use."""

import re
from dataclasses import dataclass

from slo.runbook.lint.editions import Edition
from slo.runbook.lint.versions import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Instead:
    """`command` runs in every edition, `enterprise` in Enterprise alone, where it is better.

    `note` stands before the command: a condition, or all that there is to say. Words in capitals
    (DIR, DATABASE) are for the reader to fill in.
    """

    command: str = ""
    note: str = ""
    enterprise: str = ""

    def suggestion(self, edition: Edition | None = None) -> str:
        """For a reader who runs this edition; both ways where it is not known."""
        anywhere = self.note + self.command
        if not self.enterprise or edition is Edition.COMMUNITY:
            return anywhere
        if edition is Edition.ENTERPRISE:
            return self.enterprise
        return f"{self.enterprise} (Enterprise), or {anywhere}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """`what` may speak of the pattern's groups. `example` is a call of the removed kind.

    `cypher`: a statement for the database, and not a command of the shell.
    `image` and `major`: not where the manifests run that image in an older version; `kubernetes`:
    not where the runbook is for an older one. `put`: words, and those that do the same now.
    """

    pattern: re.Pattern[str]
    what: str
    since: str
    instead: Instead
    example: str
    cypher: bool = False
    image: str = ""
    major: int = 0
    kubernetes: Version | None = None
    put: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterpriseOnly:
    """The group `command` of the pattern is what the edition lacks; `example` is such a call."""

    pattern: re.Pattern[str]
    instead: Instead
    example: str
    cypher: bool = False
