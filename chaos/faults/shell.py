"""What faults run inside containers: POSIX sh and the tools that every image with a shell has.

Whatever goes on for a while carries the fault's id in its environment, by which it is found again
and ended, and ends by itself when the fault expires.
"""

import math

from chaos.faults.injection import Tag

NAME = "GAMEDAY_FAULT"


def mark(tag: Tag) -> str:
    return f"{NAME}={tag.id}"


def until_expiry(tag: Tag) -> str:
    """A loop that ends when the fault has expired, to the second."""
    epoch = math.ceil(tag.expires.timestamp())
    return f"while [ $(date +%s) -lt {epoch} ]; do sleep 1; done"


def in_background(tag: Tag, script: str) -> str:
    """Start `script`, which has no single quotes, so that it outlives the exec that starts it."""
    if "'" in script:
        raise ValueError("a script with single quotes cannot be put between them")
    return f"{mark(tag)} sh -c '{script}' >/dev/null 2>&1 </dev/null &"


def end_marked(tag: Tag) -> str:
    """End everything that the fault left running. Safe to run twice."""
    return (
        f"for e in $(grep -ls {mark(tag)} /proc/[0-9]*/environ); do"
        " p=${e#/proc/}; kill -KILL ${p%/environ} 2>/dev/null; done; true"
    )


def signal_all(tag: Tag, signal: str) -> str:
    """To all processes but the init of the container and those of the fault itself."""
    return (
        "for d in /proc/[0-9]*; do p=${d#/proc/};"
        ' [ "$p" = 1 ] || [ "$p" = "$$" ]'
        f' || grep -qs {mark(tag)} "$d/environ" || kill -{signal} "$p" 2>/dev/null; done; true'
    )
