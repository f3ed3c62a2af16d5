"""Quantities as the API server writes them: "1024Mi" comes back as "1Gi"."""

from decimal import Decimal, DecimalException
from typing import Any

from kubernetes.utils.quantity import parse_quantity


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
