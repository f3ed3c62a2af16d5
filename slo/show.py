"""Values as people read them, for the sentences of a verdict."""

from slo.model import Comparison, Objective, Unit


def show(value: float, unit: Unit) -> str:
    """12.3 ms, 1.25 s, 0.12 %, 4.1 /s, 1.5 GiB."""
    if unit is Unit.SECONDS:
        return f"{value * 1000:.3g} ms" if abs(value) < 1 else f"{value:.3g} s"
    if unit is Unit.RATIO:
        # Near 1 the digits that matter are those that are missing: 99.95 % is not 100 %.
        percent = value * 100
        return f"{percent:.6g} %" if percent > 90 else f"{percent:.3g} %"  # noqa: PLR2004
    if unit is Unit.BYTES:
        return _bytes(value)
    return f"{value:.6g} {unit.value}".replace(" count", "")


def _bytes(value: float) -> str:
    for scale, name in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if abs(value) >= 2**scale:
            return f"{value / 2**scale:.4g} {name}"
    return f"{value:.4g} B"


def show_target(objective: Objective) -> str:
    """< 100 ms"""
    return f"{objective.comparison.value} {show(objective.target, objective.unit)}"


def show_critical(objective: Objective) -> str:
    """> 500 ms: the side that fails."""
    bad = Comparison.ABOVE if objective.comparison is Comparison.BELOW else Comparison.BELOW
    return f"{bad.value} {show(objective.critical, objective.unit)}"
