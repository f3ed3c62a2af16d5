"""The arithmetic of the HorizontalPodAutoscaler, by tables of cases and by properties."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cluster.controllers.autoscaling import autoscaler, behavior, metrics, sources, vertical
from service.cluster.controllers.autoscaling.behavior import Change, Memory, Recommendation
from service.cluster.controllers.autoscaling.replicas import (
    MetricError,
    Reading,
    Situation,
    Tolerance,
    by_average,
    by_utilization,
    milli,
)
from tests.cluster.objects import NOW, at, pod

Json = dict[str, Any]


def asking(name: str, cpu: str = "1000m", *, begun_s: float = -3600, **more: Any) -> Json:
    """A pod that requests `cpu` and started so many seconds from NOW."""
    made = pod(name, **{"since_s": -3600, **more})
    made["spec"]["containers"][0]["resources"] = {"requests": {"cpu": cpu, "memory": "1Gi"}}
    made["status"]["startTime"] = at(begun_s)
    return made


def used(*millis: int) -> dict[str, Reading]:
    return {f"p{n}": Reading(value, NOW) for n, value in enumerate(millis)}


READY = [asking(f"p{n}") for n in range(3)]


@pytest.mark.parametrize(
    ("why", "pods", "readings", "replicas", "utilization"),
    [
        ("twice the target doubles", READY, used(1000, 1000, 1000), 6, 100),
        ("a third of the target", READY, used(167, 167, 166), 1, 16),
        ("within a tenth nothing is done", READY, used(540, 540, 540), 3, 54),
        ("nor below", READY, used(455, 455, 455), 3, 45),
        ("just beyond it rounds up", READY, used(560, 560, 560), 4, 56),
        ("pods that end do not count", [*READY[:2], asking("p2", deletionTimestamp=at(9))],
         used(1000, 1000, 9000), 4, 100),
        ("failed pods do not count", [*READY[:2], asking("p2", phase="Failed")],
         used(1000, 1000, 9000), 4, 100),
        ("CPU of a start is not believed",
         [*READY[:2], asking("p2", begun_s=-20, ready=False, since_s=-20)],
         used(500, 500, 9000), 3, 50),
        ("nor that measured before it was ready",
         [*READY[:2], asking("p2", begun_s=-80, since_s=-30)], used(500, 500, 9000), 3, 50),
        ("a starting pod counts as idle when growing",
         [*READY[:2], asking("p2", begun_s=-20, ready=False, since_s=-20)],
         used(1000, 1000, 9000), 4, 100),
        ("a pod that became unready later counts",
         [*READY[:2], asking("p2", ready=False, since_s=-60)], used(1000, 1000, 1000), 6, 100),
        ("a missing pod counts as idle when growing", READY, used(1000, 1000), 4, 100),
        ("as busy as it asked when shrinking", READY, used(100, 100), 3, 10),
        ("a pending pod dampens growth", [*READY[:2], asking("p2", phase="Pending")],
         used(1000, 1000), 4, 100),
        ("and growth is never turned into shrinking", [*READY[:1], *(asking(f"p{n}",
         phase="Pending") for n in (1, 2))], used(800), 3, 80),
    ],
)  # fmt: skip
def test_replicas_for_a_share_of_what_is_requested(
    why: str, pods: list[Json], readings: Any, replicas: int, utilization: int
) -> None:
    seen = Situation(pods, 3, NOW)
    found = by_utilization(readings, seen, resource="cpu", percent=50)
    assert (found.replicas, found.utilization) == (replicas, utilization), why


def test_memory_of_a_start_is_believed() -> None:
    pods = [*READY[:2], asking("p2", begun_s=-20, ready=False, since_s=-20)]
    gi = milli("1Gi")
    found = by_utilization(used(gi, gi, gi), Situation(pods, 3, NOW), resource="memory", percent=50)
    assert found.replicas == 6


def test_what_cannot_be_computed_says_why() -> None:
    bare = asking("p0")
    bare["spec"]["containers"][0]["resources"] = {}
    with pytest.raises(MetricError, match="missing request for cpu in container app of Pod p0"):
        by_utilization(used(5), Situation([bare], 1, NOW), resource="cpu", percent=50)
    pending = [asking("p0", phase="Pending")]
    with pytest.raises(MetricError, match="did not receive metrics for targeted pods"):
        by_utilization({}, Situation(pending, 1, NOW), resource="cpu", percent=50)


def test_replicas_for_an_average_per_pod() -> None:
    seen = Situation(READY, 3, NOW)
    assert by_average(used(2_000_000, 1_000_000, 3_000_000), seen, target_milli=1_000_000) == (
        by_average(used(2_000_000, 2_000_000, 2_000_000), seen, target_milli=1_000_000)
    )
    assert by_average(used(1500, 1500, 1500), seen, target_milli=1000).replicas == 5
    assert by_average(used(500, 500), seen, target_milli=1000).replicas == 2
    narrow = Situation(READY, 3, NOW, Tolerance(up=0.0))
    assert by_average(used(1050, 1050, 1050), narrow, target_milli=1000).replicas == 4


@given(
    st.lists(st.integers(1, 5000), min_size=1, max_size=9),
    st.integers(1, 200),
    st.integers(0, 4),
)
def test_more_use_never_asks_for_fewer(millis: list[int], percent: int, missing: int) -> None:
    pods = [asking(f"p{n}") for n in range(len(millis) + missing)]
    seen = Situation(pods, len(pods), NOW)

    def asks(factor: int) -> int:
        readings = used(*(m * factor for m in millis))
        return by_utilization(readings, seen, resource="cpu", percent=percent).replicas

    assert asks(1) <= asks(2) <= asks(4)


# --- limits -------------------------------------------------------------------------------------

PRODUCTION: Json = {
    "scaleDown": {
        "stabilizationWindowSeconds": 300,
        "selectPolicy": "Min",
        "policies": [
            {"type": "Percent", "value": 10, "periodSeconds": 60},
            {"type": "Pods", "value": 2, "periodSeconds": 60},
        ],
    },
    "scaleUp": {
        "stabilizationWindowSeconds": 0,
        "selectPolicy": "Max",
        "policies": [
            {"type": "Percent", "value": 100, "periodSeconds": 15},
            {"type": "Pods", "value": 4, "periodSeconds": 15},
        ],
    },
}


def spec(rules: Json | None = None, least: int = 1, most: int = 20) -> Json:
    found: Json = {"minReplicas": least, "maxReplicas": most}
    return {**found, "behavior": rules} if rules else found


def ago(seconds: float) -> Any:
    return NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("why", "numbers", "given_spec", "memory", "expected"),
    [
        ("as asked", (5, 4), spec(), Memory(), (5, "DesiredWithinRange", "ReadyForNewScale")),
        (
            "at most double",
            (30, 5),
            spec(most=40),
            Memory(),
            (10, "ScaleUpLimit", "ReadyForNewScale"),
        ),
        ("up to four", (9, 1), spec(), Memory(), (4, "ScaleUpLimit", "ReadyForNewScale")),
        (
            "at most the maximum",
            (30, 15),
            spec(),
            Memory(),
            (20, "TooManyReplicas", "ReadyForNewScale"),
        ),
        (
            "at least the minimum",
            (1, 6),
            spec(least=5),
            Memory(),
            (5, "TooFewReplicas", "ReadyForNewScale"),
        ),
        (
            "not down while more was wanted lately",
            (2, 6),
            spec(),
            Memory([Recommendation(ago(200), 5)]),
            (5, "DesiredWithinRange", "ScaleDownStabilized"),
        ),
        (
            "down when that is long ago",
            (2, 6),
            spec(),
            Memory([Recommendation(ago(301), 5)]),
            (2, "DesiredWithinRange", "ReadyForNewScale"),
        ),
        (
            "production: double or four more",
            (19, 3),
            spec(PRODUCTION),
            Memory(),
            (7, "ScaleUpLimit", "ReadyForNewScale"),
        ),
        (
            "production: not twice in a period",
            (19, 7),
            spec(PRODUCTION),
            Memory(changes=[Change(ago(5), 4)]),
            (7, "ScaleUpLimit", "ReadyForNewScale"),
        ),
        (
            "production: again after it",
            (19, 7),
            spec(PRODUCTION),
            Memory(changes=[Change(ago(16), 4)]),
            (14, "ScaleUpLimit", "ReadyForNewScale"),
        ),
        (
            "production: down by the smaller of a tenth and two",
            (5, 20),
            spec(PRODUCTION, 5),
            Memory(),
            (18, "ScaleDownLimit", "ReadyForNewScale"),
        ),
        (
            "production: a tenth of ten is one",
            (5, 10),
            spec(PRODUCTION, 5),
            Memory(),
            (9, "ScaleDownLimit", "ReadyForNewScale"),
        ),
        (
            "production: and that once a minute",
            (5, 9),
            spec(PRODUCTION, 5),
            Memory(changes=[Change(ago(30), -1)]),
            (9, "ScaleDownLimit", "ReadyForNewScale"),
        ),
        (
            "production: five minutes steady first",
            (5, 10),
            spec(PRODUCTION, 5),
            Memory([Recommendation(ago(299), 10)]),
            (10, "DesiredWithinRange", "ScaleDownStabilized"),
        ),
        (
            "growth waits for its window",
            (9, 4),
            spec({"scaleUp": {"stabilizationWindowSeconds": 60}}),
            Memory([Recommendation(ago(30), 5)]),
            (5, "DesiredWithinRange", "ScaleUpStabilized"),
        ),
        (
            "never down",
            (1, 6),
            spec({"scaleDown": {"selectPolicy": "Disabled"}}),
            Memory(),
            (6, "ScaleDownLimit", "ReadyForNewScale"),
        ),
        (
            "never up",
            (9, 6),
            spec({"scaleUp": {"selectPolicy": "Disabled"}}),
            Memory(),
            (6, "ScaleUpLimit", "ReadyForNewScale"),
        ),
    ],
)
def test_what_is_asked_for_is_limited(
    why: str, numbers: tuple[int, int], given_spec: Json, memory: Memory, expected: Any
) -> None:
    """`numbers` are the replicas asked for and those that there are."""
    found = behavior.normalise(*numbers, given_spec, NOW, memory)
    assert (found.replicas, found.limit[0], found.able[0]) == expected, why
    assert found.limited == (found.limit[0] != "DesiredWithinRange")


POLICIES = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["Pods", "Percent"]),
            "value": st.integers(1, 200),
            "periodSeconds": st.integers(1, 600),
        }
    ),
    min_size=1,
    max_size=3,
)
DIRECTION = st.fixed_dictionaries(
    {
        "policies": POLICIES,
        "selectPolicy": st.sampled_from(["Max", "Min", "Disabled"]),
        "stabilizationWindowSeconds": st.integers(0, 600),
    }
)


@given(
    st.none() | st.fixed_dictionaries({"scaleUp": DIRECTION, "scaleDown": DIRECTION}),
    st.integers(0, 60),
    st.integers(3, 30),
    st.lists(st.tuples(st.integers(0, 900), st.integers(1, 30)), max_size=4),
    st.lists(st.tuples(st.integers(0, 900), st.integers(-9, 9)), max_size=4),
)
def test_the_bounds_hold_and_the_direction_is_kept(
    rules: Json | None,
    desired: int,
    current: int,
    wanted_before: list[tuple[int, int]],
    changed: list[tuple[int, int]],
) -> None:
    memory = Memory(
        [Recommendation(ago(s), r) for s, r in wanted_before],
        [Change(ago(s), by) for s, by in changed],
    )
    found = behavior.normalise(desired, current, spec(rules, 3, 30), NOW, memory).replicas
    assert 3 <= found <= 30
    if rules is not None and desired <= current:
        assert found <= current
    if desired >= current:
        assert found >= current


# --- several metrics ----------------------------------------------------------------------------

CPU: Json = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
}
RATE: Json = {
    "type": "Pods",
    "pods": {
        "metric": {"name": "http_requests_per_second"},
        "target": {"type": "AverageValue", "averageValue": "1000"},
    },
}


def test_the_metric_that_asks_for_most_decides() -> None:
    asked = autoscaler.combine([(3, "a", {}), (5, "b", {})], 3)
    assert (asked.replicas, asked.condition[1]) == (5, "ValidMetricFound")
    assert asked.condition[2].endswith("from b")


def test_a_missing_metric_lets_the_others_only_add() -> None:
    missing = (sources.source_of(RATE), "failed to get pods metric value: no")
    assert autoscaler.combine([(5, "a", {}), missing], 3).replicas == 5
    fewer = autoscaler.combine([(2, "a", {}), missing], 3)
    assert fewer.replicas == -1
    assert fewer.condition[:2] == ("False", "FailedGetPodsMetric")
    assert fewer.error.startswith("invalid metrics (1 invalid out of 2), first error is: failed")


def test_a_metric_shows_what_was_read() -> None:
    found, entry = sources.wanted(
        sources.source_of(CPU), lambda _: used(250, 500, 750), Situation(READY, 3, NOW)
    )
    assert found.replicas == 3
    current = {"averageValue": "500m", "averageUtilization": 50}
    assert entry == {"type": "Resource", "resource": {"name": "cpu", "current": current}}
    with pytest.raises(MetricError, match="failed to get cpu utilization: unable to get metrics"):
        sources.wanted(sources.source_of(CPU), lambda _: {}, Situation(READY, 3, NOW))


def test_counters_of_pods_are_read_from_their_text() -> None:
    text = '# TYPE a_total counter\na_total{s="1"} 3\na_total{s="2"} 4\n# TYPE b gauge\nb 1\n'
    assert metrics.counted(text, "a_total") == 7
    assert metrics.counted(text, "c_total") is None
    assert metrics.counted("<html>", "a_total") is None
    assert metrics.metrics_port(pod("a")) == 80


@pytest.mark.parametrize(("text", "seconds"), [("1m0s", 60), ("15.5s", 15.5), ("1h2m", 3720)])
def test_durations_as_go_writes_them(text: str, seconds: float) -> None:
    assert metrics.duration(text) == timedelta(seconds=seconds)


# --- VerticalPodAutoscaler ----------------------------------------------------------------------

GI = 2**30 * 1000


def usage(cpu: int, memory: int, container: str = "app") -> metrics.PodUsage:
    return metrics.PodUsage({container: {"cpu": cpu, "memory": memory}}, NOW, timedelta(seconds=60))


def test_a_recommendation_is_what_was_used_with_a_margin() -> None:
    seen: vertical.Seen = {}
    for cpu in range(100, 1100, 100):
        vertical.notice(seen, [usage(cpu, GI), usage(50, GI // 2)])
    (found,) = vertical.recommendation({"spec": {}}, seen)
    assert found["containerName"] == "app"
    assert found["target"] == {"cpu": "1035m", "memory": str(int(2**30 * 1.15) + 1)}
    assert (found["lowerBound"]["cpu"], found["upperBound"]["cpu"]) == ("575m", "1150m")
    capped = {"containerPolicies": [{"containerName": "*", "maxAllowed": {"cpu": "500m"}}]}
    (found,) = vertical.recommendation({"spec": {"resourcePolicy": capped}}, seen)
    assert (found["target"]["cpu"], found["uncappedTarget"]["cpu"]) == ("500m", "1035m")
    off = {"containerPolicies": [{"containerName": "app", "mode": "Off"}]}
    assert vertical.recommendation({"spec": {"resourcePolicy": off}}, seen) == []


def test_little_use_still_asks_for_the_least() -> None:
    seen: vertical.Seen = {}
    vertical.notice(seen, [usage(1, 1000)])
    (found,) = vertical.recommendation({"spec": {}}, seen)
    assert found["target"] == {"cpu": "25m", "memory": str(250 * 2**20)}


@given(st.lists(st.integers(0, 10**6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_exceeded_by_the_rest_at_most(values: list[int], share: float) -> None:
    found = vertical.percentile(values, share)
    assert found in values
    assert sum(v > found for v in values) <= (1 - share) * len(values) + 1e-6
