"""The files that an embedded cluster makes in its directory: nothing else is ever removed there."""

import contextlib
from pathlib import Path

from service.cluster.agent.files import remove_tree
from service.cluster.layout import read_layout

FILES = (
    "images.yaml",
    "kubeconfig",
    "processes.json",
    "state.db",
    "state.db-shm",
    "state.db-wal",
    "supervisor.log",
)
FOLDERS = ("logs", "pki", "pods", "volumes")
MARKER = "cluster.json"  # removed last: what a killed clean-up leaves is still known to be ours


def foreign(directory: Path) -> str:
    """Why the directory cannot be a cluster's, in one sentence; "" where it can.

    A directory that is absent, empty, or has the marker of a cluster is one.
    """
    if not directory.exists() and not directory.is_symlink():
        return ""
    if not directory.is_dir():
        return f"{directory} is not a directory: name another one in GAMEDAY_CLUSTER_DIR"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        read_layout(directory)
        return ""
    if not any(directory.iterdir()):
        return ""
    return (
        f"{directory} has files of somebody else and no {MARKER} of an embedded cluster, so nothing"
        " in it was touched: name an empty or a new directory in GAMEDAY_CLUSTER_DIR"
    )


def remove(directory: Path) -> None:
    """Remove the cluster's own files, and the directory where nothing else is in it.

    Links are removed and not followed. Raises nothing; a directory that is no cluster's is left.
    """
    if foreign(directory):
        return
    for name in FOLDERS:
        remove_tree(directory / name)
    for name in (*FILES, MARKER):
        with contextlib.suppress(OSError):
            (directory / name).unlink()
    with contextlib.suppress(OSError):
        directory.rmdir()
