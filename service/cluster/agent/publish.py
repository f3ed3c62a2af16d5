"""Files of ConfigMaps, Secrets and the like, replaced all at once while containers read them."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

_NOW, _NEXT = "..data", "..data_next"


@dataclass(frozen=True, slots=True)
class File:
    data: bytes
    mode: int


def publish(directory: Path, files: dict[str, File]) -> None:
    """Let `directory` have these files, by their paths in it. Raises OSError.

    As the kubelet does it: each name is a link through ..data, itself a link to a folder with
    all the files, which is swapped for the next one in a single step.
    """
    directory.mkdir(parents=True, exist_ok=True)
    now = directory / _NOW
    before = now.resolve() if now.is_symlink() else None
    if before is not None and _read(before) == {k: f.data for k, f in files.items()}:
        return
    fresh = directory / f"..{time.time_ns()}"
    fresh.mkdir()
    for name, file in files.items():
        path = fresh / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
        path.chmod(file.mode)
    link = directory / _NEXT
    link.unlink(missing_ok=True)
    link.symlink_to(fresh.name)
    link.rename(now)
    tops = {Path(name).parts[0] for name in files}
    for top in tops:
        if not (directory / top).is_symlink():
            (directory / top).symlink_to(Path(_NOW, top))
    for old in directory.iterdir():
        if old.is_symlink() and old.name != _NOW and old.name not in tops:
            old.unlink()
    if before is not None:
        shutil.rmtree(before, ignore_errors=True)


def _read(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
