"""From the replicas that metrics ask for to those that are set: limits, rates, stabilisation.

Pure; the semantics of spec.behavior and its defaults are those of the autoscaling/v2 reference.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from service.cluster.kube import Json

DOWN_STABILISATION_S = 300  # --horizontal-pod-autoscaler-downscale-stabilization
_FACTOR, _MINIMUM = 2.0, 4.0  # without a behavior, at most double, or up to four
_PERCENT = 100
UP, DOWN = "scaleUp", "scaleDown"
_DEFAULTS: Json = {
    UP: {
        "stabilizationWindowSeconds": 0,
        "selectPolicy": "Max",
        "policies": [
            {"type": "Pods", "value": 4, "periodSeconds": 15},
            {"type": "Percent", "value": 100, "periodSeconds": 15},
        ],
    },
    DOWN: {
        "selectPolicy": "Max",
        "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
    },
}


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What the metrics asked for at a moment."""

    at: datetime
    replicas: int


@dataclass(frozen=True, slots=True)
class Change:
    """Replicas added (or taken away, negative) at a moment."""

    at: datetime
    by: int


@dataclass(slots=True)
class Memory:
    """Of one autoscaler; lost with the process, as in the real one."""

    recommended: list[Recommendation] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    def forget(self, before: datetime) -> None:
        self.recommended = [r for r in self.recommended if r.at > before]
        self.changes = [c for c in self.changes if c.at > before]


@dataclass(frozen=True, slots=True)
class Limited:
    """`able` and `limit` are (reason, message) of the conditions AbleToScale, ScalingLimited."""

    replicas: int
    able: tuple[str, str]
    limit: tuple[str, str]
    limited: bool


_READY = ("ReadyForNewScale", "recommended size matches current size")
_WITHIN = ("DesiredWithinRange", "the desired count is within the acceptable range")
_TOO_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
_TOO_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
_UP_RATE = (
    "ScaleUpLimit",
    "the desired replica count is increasing faster than the maximum scale rate",
)
_DOWN_RATE = (
    "ScaleDownLimit",
    "the desired replica count is decreasing faster than the maximum scale rate",
)


def rules(behavior: Json | None, direction: str) -> Json:
    """The rules for a direction, with the API's defaults in place."""
    given = (behavior or {}).get(direction) or {}
    merged: Json = {**_DEFAULTS[direction], **{k: v for k, v in given.items() if v is not None}}
    return merged


def longest_period_s(behavior: Json | None) -> int:
    """For how long changes and recommendations matter."""
    periods = [
        policy["periodSeconds"]
        for direction in (UP, DOWN)
        for policy in rules(behavior, direction)["policies"]
    ]
    windows = [
        rules(behavior, direction).get("stabilizationWindowSeconds") or 0
        for direction in (UP, DOWN)
    ]
    longest: int = max(*periods, *windows, DOWN_STABILISATION_S)
    return longest


def normalise(desired: int, current: int, spec: Json, now: datetime, memory: Memory) -> Limited:
    """`memory` is without the present recommendation."""
    behavior = spec.get("behavior")
    least, most = spec.get("minReplicas", 1), spec["maxReplicas"]
    steady, way = _stabilised(desired, current, behavior, now, memory.recommended)

    def moves(direction: str) -> _Moves:
        return _Moves(rules(behavior, direction), now, memory.changes)

    able = _READY if steady == desired else way
    if behavior is None:
        result, limit = _by_default_rate(steady, current, least, most)
    elif steady > current:
        result, limit = _upwards(steady, current, most, moves(UP))
    elif steady < current:
        result, limit = _downwards(steady, current, least, moves(DOWN))
    else:
        result, limit = steady, _WITHIN
    return Limited(result, able, limit, limited=result != steady)


def _stabilised(
    desired: int,
    current: int,
    behavior: Json | None,
    now: datetime,
    recommended: Sequence[Recommendation],
) -> tuple[int, tuple[str, str]]:
    up_s = rules(behavior, UP)["stabilizationWindowSeconds"] if behavior else 0
    down_s = rules(behavior, DOWN).get("stabilizationWindowSeconds")
    down_s = DOWN_STABILISATION_S if down_s is None else down_s

    def within(seconds: int) -> list[int]:
        since = now - timedelta(seconds=seconds)
        return [r.replicas for r in recommended if r.at > since]

    lowest, highest = min([desired, *within(up_s)]), max([desired, *within(down_s)])
    steady = highest if behavior is None else min(max(current, lowest), highest)
    if desired >= current and behavior is not None:
        told = "recent recommendations were lower than current one, applying the lowest recent"
        return steady, ("ScaleUpStabilized", f"{told} recommendation")
    told = "recent recommendations were higher than current one, applying the highest recent"
    return steady, ("ScaleDownStabilized", f"{told} recommendation")


def _by_default_rate(
    desired: int, current: int, least: int, most: int
) -> tuple[int, tuple[str, str]]:
    limit = int(max(_FACTOR * current, _MINIMUM))
    allowed = min(limit, most)
    if desired < least:
        return least, _TOO_FEW
    if desired > allowed:
        return allowed, _UP_RATE if most > limit else _TOO_MANY
    return desired, _WITHIN


@dataclass(frozen=True, slots=True)
class _Moves:
    """The rule of a direction, and what was changed lately."""

    rule: Json
    now: datetime
    changes: Sequence[Change]

    def begun(self, current: int, policy: Json) -> int:
        """How many replicas there were when the policy's period began."""
        since = self.now - timedelta(seconds=policy["periodSeconds"])
        return current - sum(c.by for c in self.changes if c.at > since)


def _upwards(desired: int, current: int, most: int, moves: _Moves) -> tuple[int, tuple[str, str]]:
    if moves.rule["selectPolicy"] == "Disabled":
        return current, _UP_RATE
    proposed = []
    for policy in moves.rule["policies"]:
        begun, value = moves.begun(current, policy), policy["value"]
        grown = begun + value if policy["type"] == "Pods" else _grown(begun, value)
        proposed.append(grown)
    limit = max(current, (min if moves.rule["selectPolicy"] == "Min" else max)(proposed))
    if desired > min(limit, most):
        return min(limit, most), _UP_RATE if most > limit else _TOO_MANY
    return desired, _WITHIN


def _grown(begun: int, percent: int) -> int:
    return math.ceil(round(begun * (_PERCENT + percent) / _PERCENT, 9))


def _downwards(
    desired: int, current: int, least: int, moves: _Moves
) -> tuple[int, tuple[str, str]]:
    if moves.rule["selectPolicy"] == "Disabled":
        return current, _DOWN_RATE
    proposed = []
    for policy in moves.rule["policies"]:
        begun, value = moves.begun(current, policy), policy["value"]
        left = begun - value if policy["type"] == "Pods" else begun * (_PERCENT - value) // _PERCENT
        proposed.append(left)
    # The policy that changes least keeps the most.
    limit = min(current, (max if moves.rule["selectPolicy"] == "Min" else min)(proposed))
    if desired < max(limit, least):
        return max(limit, least), _DOWN_RATE if limit > least else _TOO_FEW
    return desired, _WITHIN
