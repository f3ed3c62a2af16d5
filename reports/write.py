"""Write a run's reports beside its verdict."""

import os
from pathlib import Path

from slo.model import Verdict


def write_all(verdict: Verdict, run_dir: Path) -> list[Path]:
    """Write report.html, junit.xml and summary.md into an existing directory; their paths.

    All are rendered before the first is written, and each is replaced as a whole: a reader sees
    the old file or the new one. Raises OSError when the directory cannot be written.
    """
    # Here, because a plotting library takes half a second to load: not for every command.
    from reports import html, junit, markdown

    texts = {
        run_dir / "report.html": html.render(verdict),
        run_dir / "junit.xml": junit.render(verdict),
        run_dir / "summary.md": markdown.render(verdict),
    }
    for path, text in texts.items():
        replace_text(path, text)
    return list(texts)


def replace_text(path: Path, text: str) -> None:
    """The file as a whole or not at all, whatever happens meanwhile. Raises OSError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
