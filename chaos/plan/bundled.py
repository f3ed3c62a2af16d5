"""The plans that come with gameday, found without reading them."""

from pathlib import Path

BUNDLED = Path(__file__).with_name("plans")


def bundled() -> list[str]:
    """Names of the plans that come with gameday."""
    return sorted(p.stem for p in BUNDLED.glob("*.yaml"))


def find_plan(name_or_path: str) -> Path:
    """A bundled plan by name, else the path itself."""
    path = BUNDLED / f"{name_or_path}.yaml"
    return path if path.exists() and "/" not in name_or_path else Path(name_or_path)
