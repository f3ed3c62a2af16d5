"""Weights, as Locust wants them: a task stands in a list as often as it weighs."""

from collections.abc import Sequence
from fractions import Fraction
from math import gcd, lcm
from typing import TypeVar

Thing = TypeVar("Thing")

FINEST = 1000  # weights are taken to a thousandth of the smallest unit that they are written in


def repeated(things: Sequence[Thing], weights: Sequence[float]) -> list[Thing]:
    """Each thing as often as its weight says in proportion to the others; not at all for 0."""
    exact = [Fraction(str(weight)).limit_denominator(FINEST) for weight in weights]
    common = lcm(*(weight.denominator for weight in exact))
    counts = [int(weight * common) for weight in exact]
    divisor = gcd(*counts) or 1
    return [
        thing for thing, count in zip(things, counts, strict=True) for _ in range(count // divisor)
    ]
