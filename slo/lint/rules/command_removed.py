"""A command that the version in use does not have any more."""

import re
from collections.abc import Iterator

from slo.lint.base import Context, Level, Problem, Rule
from slo.lint.commands import called
from slo.lint.removed import REMOVED, Removed


def check(context: Context) -> Iterator[Problem]:
    for command, words in called(context):
        text = " ".join(words)
        for removed in REMOVED:
            if removed.pattern.search(text) and _in_force(removed, context):
                yield Problem(
                    line=command.line,
                    message=f"{removed.what} is not in {removed.since}",
                    suggestion=removed.instead,
                )


def _in_force(removed: Removed, context: Context) -> bool:
    """Not where the manifests run a version from before."""
    if context.objects is None or not removed.image:
        return True
    versions = [
        int(found[1])
        for image in context.objects.images()
        if (found := re.search(rf"(?:^|/){removed.image}:v?(\d+)", image))
    ]
    return not versions or max(versions) >= removed.major


RULE = Rule(
    id="command-removed",
    level=Level.ERROR,
    title="A command does not exist in the version in use",
    why="The step fails when it is needed most; backups made by it were never made.",
    check=check,
)
