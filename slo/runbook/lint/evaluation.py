"""Expressions evaluated by a real Prometheus engine over series that we make up.

What a parse cannot tell: whether an expression says the same whatever happens, and whether an
alert fires although all is well. The series are those of a system that we describe (`World`);
an expression that needs a metric of which we do not know how it behaves is not judged.
"""

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from slo.runbook.promql import Matcher, Node, Selector, selectors

STEP_S = 60
STEPS = 90  # an hour and a half: enough for windows of an hour

Evaluator = Callable[[Sequence["ExpressionTrial"]], list["Answer"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticSystem:
    """A system at work: requests per second, the share of them that fail, and how slow it is.

    `latency_s` is the time that every request takes; `limited` whether all containers have limits.
    """

    requests: float = 1000.0
    failing: float = 0.0005
    latency_s: float = 0.02
    usage: float = 0.4
    limited: bool = True


HEALTHY = SyntheticSystem()


@dataclass(frozen=True, slots=True)
class ExpressionTrial:
    expr: str
    series: tuple[tuple[str, str], ...]  # name with labels, values in promtool's notation


@dataclass(frozen=True, slots=True)
class Answer:
    """The values that the expression has at the end; NaN and infinities among them."""

    values: tuple[float, ...]
    labels: tuple[str, ...]
    error: str = ""


def system_series(tree: Node, system: SyntheticSystem) -> tuple[tuple[str, str], ...] | None:
    """All series that the expression asks for, in that world; None if one is not known."""
    found: dict[str, str] = {}
    wanted = selectors(tree)
    for selector in wanted:
        made = _make(selector.name, wanted, system)
        if made is None:
            return None
        found |= made
    return tuple(sorted(found.items())) if found else None


def _make(name: str, asked: list[Selector], system: SyntheticSystem) -> dict[str, str] | None:
    for pattern, maker in _MAKERS:
        if re.search(pattern, name):
            return maker(name, asked, system)
    return None


_FAILED_STATUS = re.compile(r"^\^?\(?(?:5|4)")


def _requests(name: str, asked: list[Selector], system: SyntheticSystem) -> dict[str, str] | None:
    """A counter of requests by outcome: two pods, most requests good, few bad."""
    outcome = next((m for s in asked if s.name == name for m in s.matchers if _is_failure(m)), None)
    if outcome is None:
        return None
    good, bad = ("success", outcome.value)
    if _FAILED_STATUS.match(outcome.value):
        good, bad = "200", "503" if outcome.value.lstrip("^(").startswith("5") else "404"
    elif outcome.op == "=~":
        return None
    constant = _constants(asked, apart_from=outcome.name)
    if constant is None:
        return None
    found = {}
    for pod, share in (("web-1", 0.6), ("web-2", 0.4)):
        for value, part in ((good, 1 - system.failing), (bad, system.failing)):
            rate = system.requests * share * part * STEP_S
            labels = constant | {"pod": pod, outcome.name: value}
            found[_series(name, labels)] = f"0+{rate!r}x{STEPS}"
    return found


def _is_failure(matcher: Matcher) -> bool:
    return matcher.op in {"=~", "="} and (
        bool(_FAILED_STATUS.match(matcher.value)) or matcher.value in {"error", "failure", "failed"}
    )


_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def _buckets(name: str, asked: list[Selector], system: SyntheticSystem) -> dict[str, str] | None:
    """A histogram of seconds, two pods."""
    constant = _constants(asked)
    if constant is None:
        return None
    found = {}
    for pod in ("web-1", "web-2"):
        rate = system.requests / 2 * STEP_S
        for bound in (*_BOUNDS, math.inf):
            count = rate if system.latency_s <= bound else 0
            le = "+Inf" if bound == math.inf else f"{bound:g}"
            found[_series(name, constant | {"pod": pod, "le": le})] = f"0+{count!r}x{STEPS}"
    return found


def _one_of(label: str, states: dict[str, int]) -> Callable[..., dict[str, str] | None]:
    """A metric that has a series for each state, of which one is 1."""

    def make(name: str, asked: list[Selector], system: SyntheticSystem) -> dict[str, str] | None:
        del system
        constant = _constants(asked, apart_from=label)
        if constant is None:
            return None
        return {
            _series(name, constant | {"pod": pod, label: state}): f"{value}x{STEPS}"
            for pod in ("web-1", "web-2")
            for state, value in states.items()
        }

    return make


def _level(amount: Callable[[SyntheticSystem], float]) -> Callable[..., dict[str, str] | None]:
    """A gauge of each container."""

    def make(name: str, asked: list[Selector], system: SyntheticSystem) -> dict[str, str] | None:
        constant = _constants(asked)
        if constant is None:
            return None
        return {
            _series(name, constant | {"pod": pod, "container": "web"}): f"{value!r}x{STEPS}"
            for pod, value in (
                ("web-1", amount(system)),
                ("web-2", amount(system) if system.limited or "limit" not in name else 0),
            )
        }

    return make


_GIB = 2.0**30
_MAKERS: tuple[tuple[str, Callable[..., dict[str, str] | None]], ...] = (
    (r"requests?(?:_\w+)?_total$|responses?(?:_\w+)?_total$", _requests),
    (r"_seconds_bucket$", _buckets),
    (r"^kube_pod_status_ready$", _one_of("condition", {"true": 1, "false": 0, "unknown": 0})),
    (r"^kube_pod_status_scheduled$", _one_of("condition", {"true": 1, "false": 0, "unknown": 0})),
    (
        r"^kube_pod_status_phase$",
        _one_of("phase", {"Running": 1, "Pending": 0, "Failed": 0, "Unknown": 0, "Succeeded": 0}),
    ),
    (r"^up$", _level(lambda _: 1.0)),
    (r"^container_memory_(?:usage|working_set)_bytes$", _level(lambda w: w.usage * _GIB)),
    (r"^container_spec_memory_limit_bytes$", _level(lambda _: _GIB)),
)


def _constants(asked: list[Selector], apart_from: str = "") -> dict[str, str] | None:
    """Labels that every selector is content with; None if that cannot be seen."""
    found: dict[str, str] = {}
    for selector in asked:
        for matcher in selector.matchers:
            if matcher.name in {apart_from, "pod", "container", "le"}:
                if matcher.name != apart_from and matcher.op in {"=", "=~"}:
                    return None
                continue
            if matcher.op == "=" and matcher.value:
                if found.setdefault(matcher.name, matcher.value) != matcher.value:
                    return None
            elif matcher.op == "!=" or (matcher.op == "=" and not matcher.value):
                continue
            else:
                return None
    return found


def _series(name: str, labels: dict[str, str]) -> str:
    inside = ",".join(f"{k}={json.dumps(v)}" for k, v in sorted(labels.items()))
    return f"{name}{{{inside}}}"
