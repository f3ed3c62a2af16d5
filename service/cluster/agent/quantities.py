"""Kubernetes quantities ("500m", "1Gi") as numbers."""

from decimal import Decimal

from kubernetes.utils.quantity import parse_quantity


def number(quantity: str | float) -> Decimal:
    """Exactly. Raises ValueError."""
    found: Decimal = parse_quantity(quantity)  # type: ignore[no-untyped-call]
    return found


def size(quantity: str | int) -> int:
    """Bytes. Raises ValueError."""
    return int(number(quantity))


def cpus(quantity: str | float) -> float:
    """CPUs: "500m" is 0.5. Raises ValueError."""
    return float(number(quantity))
