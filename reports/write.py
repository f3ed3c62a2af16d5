"""Write a run's reports beside its verdict."""

import os
from pathlib import Path

from reports import html, junit, markdown
from slo.model import Verdict

_RENDERERS = {
    "report.html": html.render,
    "junit.xml": junit.render,
    "summary.md": markdown.render,
}


def write_all(verdict: Verdict, run_dir: Path) -> list[Path]:
    """Write report.html, junit.xml and summary.md into an existing directory; their paths.

    All are rendered before the first is written, and each is replaced as a whole: a reader sees
    the old file or the new one. Raises OSError when the directory cannot be written.
    """
    texts = {run_dir / name: render(verdict) for name, render in _RENDERERS.items()}
    for path, text in texts.items():
        _replace(path, text)
    return list(texts)


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
