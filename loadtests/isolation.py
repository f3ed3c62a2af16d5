"""Keeps the names of our packages free for the user's own.

A locustfile may import packages of its own that are called like ours. The worker imports all that
it needs of ours first; then `release_our_names` makes the names mean what they would mean if
gameday were not installed.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

OURS = ("chaos", "loadtests", "reports", "service", "slo")
ROOT = Path(__file__).resolve().parent.parent  # the folder in which our packages stand

_loaded: list[ModuleType] = []  # ours, which would otherwise be garbage


class _NotOurs(MetaPathFinder):
    """Finds packages called like ours wherever they are, except for our own."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if path is not None or fullname not in OURS:
            return None
        elsewhere = [entry for entry in sys.path if Path(entry).resolve() != ROOT]
        spec = PathFinder.find_spec(fullname, elsewhere, target)
        if spec is not None and not _is_ours(spec):
            return spec
        for finder in sys.meta_path:  # packages that are installed for development
            if finder is not self and finder is not PathFinder:
                spec = finder.find_spec(fullname, None, target)
                if spec is not None and not _is_ours(spec):
                    return spec
        raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def _is_ours(spec: ModuleSpec) -> bool:
    places = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or ())
    return any(place and Path(place).resolve().is_relative_to(ROOT) for place in places)


def release_our_names() -> None:
    """From here on `import slo` is an import of the user's `slo`; ours stays loaded for us."""
    ours = [name for name in sys.modules if name.partition(".")[0] in OURS]
    _loaded.extend(sys.modules.pop(name) for name in ours)
    sys.meta_path.insert(0, _NotOurs())
