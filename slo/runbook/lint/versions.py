"""The versions that a runbook is checked against: Kubernetes 1.31, Prometheus 2.53 or 3.x."""

import re
from dataclasses import dataclass

Version = tuple[int, int]
"""Major and minor. "3.x" is the newest of its major: (3, LATEST)."""

LATEST = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """None where no version was given: then the newest is meant."""

    kubernetes: Version | None = None
    prometheus: Version | None = None


NEWEST = Versions()


def version(text: str) -> Version | None:
    """ "1.31", "v1.31.4" and "3.x" as numbers; None for what is no version."""
    found = re.fullmatch(r"v?(\d{1,3})(?:\.(\d{1,4}|x))?(?:\.[\w.+-]+)?", text.strip())
    if found is None:
        return None
    minor = found[2] or "x"
    return int(found[1]), LATEST if minor == "x" else int(minor)


def written(of: Version) -> str:
    return f"{of[0]}.{'x' if of[1] == LATEST else of[1]}"


def older(given: Version | None, than: Version | None) -> bool:
    """Is the version that was given from before the other? False where either is not known."""
    return given is not None and than is not None and given < than
