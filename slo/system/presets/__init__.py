"""Presets: the metric names of instrumentations that many services have, one YAML file for each."""

from functools import cache
from pathlib import Path

from slo.documents import DocumentError, Part, read_document
from slo.system.indicators import IndicatorSpec

FOLDER = Path(__file__).parent


class Preset(Part):
    """`exported_by` names the library, and the versions whose metrics these are."""

    exported_by: str
    indicators: dict[str, IndicatorSpec]


def presets() -> list[str]:
    """The names of all presets."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


@cache
def preset(name: str) -> Preset:
    """Raises DocumentError for a name that there is not."""
    if name not in presets():
        raise DocumentError(f"there is no preset {name!r}; there are {', '.join(presets())}")
    return read_document(FOLDER / f"{name}.yaml", Preset)
