"""Where a system's folder is, found without reading anything: a shell's completion asks for it."""

from pathlib import Path

FOLDER, FILE = "gameday", "system.yaml"


def find_system(start: Path) -> Path | None:
    """The nearest gameday/system.yaml in `start` or above it, or `start` itself if it is one."""
    for folder in (start, *start.absolute().parents):
        if (folder / FOLDER / FILE).is_file():
            return folder / FOLDER
    return start if (start / FILE).is_file() else None
