"""Renderers of a Verdict: each a pure function, the same verdict gives the same text."""

from reports.write import write_all

__all__ = ["write_all"]
