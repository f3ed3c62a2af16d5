"""The licences of the distributions that we depend on, as their own metadata say."""

import re
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS = "gameday-runbook"
GROUPS = {"": "always", "embedded": "embedded", "dev": "development"}
SHORT = 60


def constrained() -> dict[str, str]:
    """Versions by name, as constraints.txt has them."""
    lines = Path("constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line.split("==") for line in lines if "==" in line and not line.startswith("#")]
    return {canonicalize_name(name): version.partition(" ")[0] for name, version in pinned}


def licence(name: str) -> str:
    """By its expression, else its classifiers, else its field, else the head of its file."""
    found = metadata.metadata(name)
    if found.get("License-Expression"):
        return str(found["License-Expression"])
    heads = [c for c in found.get_all("Classifier") or () if c.startswith("License ::")]
    names = [h.rpartition(":: ")[2] for h in heads if not h.endswith("OSI Approved")]
    field = " ".join(str(found.get("License") or "").split())
    if names:
        return "; ".join(names)
    if 0 < len(field) <= SHORT:
        return field
    files = [
        f for f in metadata.files(name) or () if re.search(r"LICEN[CS]E", f.name, re.IGNORECASE)
    ]
    texts = [str(f.locate()) for f in files]
    return next(filter(None, map(_head, texts)), "")


def wanted_for() -> dict[str, str]:
    """Each distribution below ours, and what for: the first group of GROUPS that needs it."""
    found: dict[str, str] = {}
    for extra, told in GROUPS.items():
        for name in _below(_needs(OURS, {extra})):
            found.setdefault(name, told)
    return found


def rows() -> Iterator[str]:
    """Lines of the page's table, by name. What is pinned and not installed here is left out."""
    uses = wanted_for()
    for name in sorted({*constrained(), *uses}):
        try:
            yield f"| {name} | {licence(name)} | {uses.get(name, 'development')} |"
        except metadata.PackageNotFoundError:
            continue  # for other versions of Python, or other systems


def _needs(name: str, extras: Iterable[str] = ("",)) -> Iterator[Requirement]:
    for text in metadata.requires(name) or ():
        need = Requirement(text)
        if need.marker is None or any(need.marker.evaluate({"extra": e}) for e in extras):
            yield need


def _below(needs: Iterable[Requirement]) -> set[str]:
    found: set[str] = set()
    left = list(needs)
    while left:
        need = left.pop()
        name = canonicalize_name(need.name)
        if name in found:
            continue
        try:
            more = list(_needs(name, need.extras or ("",)))
        except metadata.PackageNotFoundError:
            continue
        found.add(name)
        left += more
    return found


def _head(path: str) -> str:
    """The first line that says something, of a file."""
    lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.strip()[:SHORT] for line in lines if line.strip()), "")
