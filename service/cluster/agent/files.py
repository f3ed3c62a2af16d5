"""Files of pods."""

import contextlib
import os
import shutil
from pathlib import Path


def remove_tree(path: Path) -> None:
    """Remove `path`, folders without permissions too, such as an overlay's own; raises nothing.

    A link is removed, and what it points to is left alone.
    """
    if path.is_symlink():
        with contextlib.suppress(OSError):
            path.unlink()
        return
    shutil.rmtree(path, ignore_errors=True)
    if not path.exists():
        return
    for parent, names, _ in os.walk(path):
        for name in names:
            folder = Path(parent, name)
            if not folder.is_symlink():
                with contextlib.suppress(OSError):
                    folder.chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)
