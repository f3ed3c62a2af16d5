"""Quantities as the API server writes them: "1024Mi" comes back as "1Gi"."""

import math
from decimal import Decimal, DecimalException
from typing import Any

from kubernetes.utils.quantity import parse_quantity


def quantity(value: Any) -> int:
    """In base units, rounded up: bytes of "4Gi".

    Raises ValueError for what is no quantity.
    """
    found = _parsed(value)
    if found is None:
        raise ValueError(f"{value!r} is no quantity")
    return math.ceil(found)


def milli(value: Any) -> int:
    """In thousandths of the base unit, rounded up: 500 of "500m" or of "0.5"."""
    found = _parsed(value)
    if found is None:
        raise ValueError(f"{value!r} is no quantity")
    return math.ceil(found * 1000)


def same_quantity(one: Any, other: Any) -> bool:
    first, second = _parsed(one), _parsed(other)
    return first is not None and first == second


def _parsed(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    try:
        number = Decimal(parse_quantity(value))  # type: ignore[no-untyped-call]
    except (ValueError, DecimalException):
        return None
    return number if number.is_finite() else None
