"""What is to run instead of some steps of a procedure."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What an overlay changes of a procedure: texts to run instead of the steps on some lines."""

    why: str
    stand_ins: Mapping[int, str]
