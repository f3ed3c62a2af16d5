"""What faults run inside containers: POSIX sh and the tools that every image with a shell has.

Whatever goes on for a while carries the fault's id in its environment, by which it is found again
and ended, and ends by itself when the fault expires.
"""

import math

from chaos.faults.injection import Tag
from chaos.undo.repairs import VARIABLE


def mark(tag: Tag) -> str:
    return f"{VARIABLE}={tag.id}"


def until_expiry(tag: Tag) -> str:
    """A loop that ends when the fault has expired, to the second."""
    epoch = math.ceil(tag.expires.timestamp())
    return f"while [ $(date +%s) -lt {epoch} ]; do sleep 1; done"


def in_background(tag: Tag, script: str) -> str:
    """Start `script`, which has no single quotes, so that it outlives the exec that starts it."""
    if "'" in script:
        raise ValueError("a script with single quotes cannot be put between them")
    return f"{mark(tag)} sh -c '{script}' >/dev/null 2>&1 </dev/null &"
