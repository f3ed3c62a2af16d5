"""Which snapshots were taken on this machine, by this user.

A snapshot is put back with the rights of whoever recovers, and its Secret can have been written by
anybody who may create one. So what nobody here has taken is not put back by itself.
"""

import hashlib
import os
from pathlib import Path


def remember(data: bytes) -> None:
    """Before the snapshot is stored in the cluster. Raises OSError."""
    path = _path(data)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)


def is_known(data: bytes) -> bool:
    return _path(data).exists()


def forget(data: bytes) -> None:
    _path(data).unlink(missing_ok=True)


def _path(data: bytes) -> Path:
    """In the user's state directory (XDG base directories)."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local/state")
    return Path(base) / "gameday/snapshots" / hashlib.sha256(data).hexdigest()
