"""Every PromQL expression on a real Prometheus, over series whose truth is known."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from slo.evidence.metrics import ALERTS, CLOCK, REDUNDANCY, RULES, Measurement
from slo.indicators.server import Clock, evidence_of
from slo.indicators.slis import fill
from slo.model import Phase, PhaseKind
from slo.observe.answers import PrometheusError
from slo.observe.phases import measure, series
from slo.observe.prometheus import Prometheus
from slo.stats.estimates import Buckets
from tests.slo.builders import scope
from tests.slo.tsdb import STEP_S, Series, serving

BEGIN = (int(time.time()) // 3600 - 5) * 3600.0
LENGTH = 20.0
SCRAPES = int(LENGTH / STEP_S)
LATER = 600.0  # seconds after the others: scenes of an exporter with a pace of its own
SCOPE = scope("shop", "bizra-api", step_s=STEP_S)

# One scene per namespace, all at the same time.
POD = "bizra-api-5d8f9c-x2kqp"


def scrapes(start: float = -10, end: float = LENGTH + 4) -> list[float]:
    """Scrape times, half a second off the window's edges."""
    count = int((end - start) / STEP_S)
    return [BEGIN + 0.5 + start + i * STEP_S for i in range(count)]


def requests(
    found: Series,
    namespace: str,
    *,
    rate: float,
    failing: float = 0.0,
    pod: str = POD,
    times: list[float] | None = None,
) -> None:
    """`rate` requests/s for ever, a share of them 503; 90 % within 25 ms and the rest 250 ms."""
    times = scrapes() if times is None else times
    base = {"namespace": namespace, "pod": pod, "method": "POST", "endpoint": "/score"}

    def total(share: float) -> Callable[[float], float]:
        return counter(rate * share)

    found.add("bizra_requests_total", base | {"status": "200"}, times, total(1 - failing))
    if failing:
        found.add("bizra_requests_total", base | {"status": "503"}, times, total(failing))
    probe = base | {"endpoint": "/health", "status": "503"}
    found.add("bizra_requests_total", probe, times, total(5))
    name = "bizra_request_duration_seconds"
    for le, share in (("0.025", 0.9), ("0.1", 0.9), ("0.25", 1.0), ("+Inf", 1.0)):
        found.add(f"{name}_bucket", base | {"le": le}, times, total(share))
    found.add(f"{name}_count", base, times, total(1))
    faiss = {"namespace": namespace, "pod": pod}
    for le, share in (("0.005", 0.5), ("0.01", 1.0), ("+Inf", 1.0)):
        found.add(
            "bizra_faiss_query_duration_seconds_bucket", faiss | {"le": le}, times, total(share)
        )
    found.add("bizra_faiss_query_duration_seconds_count", faiss, times, total(1))


def counter(rate: float) -> Callable[[float], float]:
    """Grows by `rate` a second, and was not born in the window."""
    return lambda at: 1000 + rate * (at - BEGIN + 100)


def constant(value: float) -> Callable[[float], float]:
    return lambda _at: value


def containers(
    found: Series,
    namespace: str,
    pod: str,
    *,
    cpu: float,
    peak: float,
    more: dict[str, str] | None = None,
    times: list[float] | None = None,
) -> None:
    """A container that uses `cpu` cores of 2, and memory up to a share `peak` of 1000 bytes."""
    labels = {"namespace": namespace, "pod": pod, "container": "bizra-api", **(more or {})}
    times = scrapes() if times is None else times
    moment = BEGIN + LENGTH / 2
    found.add("container_cpu_usage_seconds_total", labels, times, counter(cpu))
    found.add(
        "container_memory_working_set_bytes",
        labels,
        times,
        lambda t: 1000 * (peak if abs(t - moment) < STEP_S else 0.1),
    )
    # The pod's own cgroup, which cAdvisor reports beside its containers'.
    found.add(
        "container_cpu_usage_seconds_total", labels | {"container": ""}, times, counter(cpu * 9)
    )


def limits(found: Series, namespace: str, pod: str, times: list[float] | None = None) -> None:
    for resource, unit, value in (("cpu", "core", 2.0), ("memory", "byte", 1000.0)):
        labels = {
            "namespace": namespace,
            "pod": pod,
            "container": "bizra-api",
            "node": "node-1",
            "uid": "0a1b",
            "resource": resource,
            "unit": unit,
        }
        found.add("kube_pod_container_resource_limits", labels, times or scrapes(), constant(value))


def replicas(found: Series, namespace: str, away: float, *, desired: float = 4) -> None:
    """A Deployment that lacks one pod for the first `away` seconds of the window."""
    labels = {"namespace": namespace, "deployment": "bizra-api"}
    found.add("kube_deployment_spec_replicas", labels, scrapes(), constant(desired))
    found.add(
        "kube_deployment_status_replicas_available",
        labels,
        scrapes(),
        lambda t: desired - (BEGIN <= t < BEGIN + away),
    )


def _moved(found: Series) -> None:
    """kube-state-metrics is rescheduled after three quarters of the window; then no pod is left."""
    moment = BEGIN + LENGTH * 0.75
    for instance, value in (("old", 3.0), ("new", 0.0)):
        times = [t for t in scrapes() if (t < moment) == (instance == "old")]
        labels = {"namespace": "moved", "deployment": "bizra-api", "instance": instance}
        found.add("kube_deployment_spec_replicas", labels, times, constant(3))
        found.add("kube_deployment_status_replicas_available", labels, times, constant(value))


def world() -> Series:
    found = Series()
    found.add("up", {"job": "prometheus", "instance": "p"}, scrapes(), constant(1))
    requests(found, "shop", rate=50, failing=0.02)
    for pod, cpu, peak in ((POD, 0.5, 0.8), ("bizra-api-5d8f9c-abcde", 1.0, 0.3)):
        containers(found, "shop", pod, cpu=cpu, peak=peak)
        limits(found, "shop", pod)
    containers(found, "shop", "bizra-api-canary-77-zzzzz", cpu=1.9, peak=0.99)
    limits(found, "shop", "bizra-api-canary-77-zzzzz")
    replicas(found, "shop", away=5.0)

    # A kubelet's cAdvisor: samples of its own, at its own pace, however often it is scraped.
    for name, every in (("paced", 14.0), ("paused", 40.0)):
        times = [BEGIN + LATER + i * every for i in range(int(200 / every))]
        containers(found, name, POD, cpu=0.5, peak=0.3, times=times)
        limits(found, name, POD, scrapes(LATER, LATER + 130))
    found.add("up", {"job": "p", "instance": "p"}, scrapes(LATER, LATER + 130), constant(1))

    for job in ("kubelet", "cadvisor"):  # one target, scraped by two jobs
        containers(found, "twice", POD, cpu=0.8, peak=0.5, more={"job": job})
    limits(found, "twice", POD)
    _moved(found)
    often = [BEGIN - 8 + i * STEP_S / 4 for i in range(int((8 + LENGTH * 0.4) / STEP_S * 4))]
    requests(found, "often", rate=50, times=often)

    requests(found, "flawless", rate=50)
    requests(found, "idle", rate=0)
    containers(found, "unlimited", POD, cpu=1, peak=0.5)
    replicas(found, "unlimited", away=0, desired=0)
    requests(found, "broken", rate=50, times=scrapes()[:9])
    alert = {"alertname": "HighErrorRate", "alertstate": "firing", "severity": "critical"}
    found.add("ALERTS", alert, scrapes(), constant(1))
    anew = {"namespace": "restarted", "pod": POD, "endpoint": "/score", "status": "200"}
    moment = BEGIN + LENGTH / 2
    found.add(
        "bizra_requests_total",
        anew,
        scrapes(),
        lambda t: counter(50)(t) if t < moment else 50 * (t - moment),
    )
    return found


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with serving(world(), tmp_path_factory.mktemp("prometheus")) as url:
        yield Prometheus(url, timeout_s=10)


def phase(start: float = 0.0, length: float = LENGTH) -> Phase:
    begin = datetime.fromtimestamp(BEGIN + start, UTC)
    return Phase(
        experiment="e",
        kind=PhaseKind.BASELINE,
        start=begin,
        end=begin + timedelta(seconds=length),
    )


def ask(
    prometheus: Prometheus, namespace: str = "shop", when: Phase | None = None
) -> dict[str, Measurement]:
    asked = scope(namespace, "bizra-api", step_s=STEP_S)
    return {m.sli: m for m in measure(prometheus, when or phase(), asked)}


def test_prometheus_names_the_metrics_that_it_has(prometheus: Prometheus) -> None:
    assert {"bizra_requests_total", "up"} <= prometheus.names()
    assert "bizra_http_requests_total" not in prometheus.names()


def test_values_are_those_that_the_series_were_made_of(prometheus: Prometheus) -> None:
    found = {name: m.indicator.value for name, m in ask(prometheus).items()}
    assert found["error_rate"] == pytest.approx(0.02, rel=0.01)
    # 95 % lie half-way through the bucket from 0.1 to 0.25.
    assert found["response_time_p95"] == pytest.approx(0.175, rel=0.01)
    assert found["faiss_query_time"] == pytest.approx(0.0095, rel=0.01)
    assert found["cpu_utilization"] == pytest.approx(0.5, rel=0.01)  # the busier pod, no canary
    assert found["memory_usage"] == pytest.approx(0.8)  # a moment in the middle
    # One of four pods was away for 5 of 20 seconds, as seen every 2 seconds.
    assert found["pod_availability"] == pytest.approx(1 - 0.25 * 0.25, abs=0.26 / SCRAPES)


def test_counts_and_coverage_stand_beside_them(prometheus: Prometheus) -> None:
    found = ask(prometheus)
    assert found["error_rate"].indicator.count == pytest.approx(50 * LENGTH, rel=0.1)
    assert all(m.coverage == 1.0 for m in found.values())


def test_a_target_that_two_jobs_scrape_is_not_added_up(prometheus: Prometheus) -> None:
    assert ask(prometheus, "twice")["cpu_utilization"].indicator.value == pytest.approx(0.4)


def test_the_worse_one_counts_where_one_exporter_follows_another(prometheus: Prometheus) -> None:
    found = ask(prometheus, "moved")["pod_availability"]
    seen = found.indicator.value
    assert seen is None or seen == pytest.approx(0.75, abs=1.1 / SCRAPES)
    moved = scope("moved", "bizra-api", step_s=STEP_S)
    (points,) = [
        s
        for s in series(prometheus, phase().start, phase().end, moved)
        if s.name == "pod_availability"
    ]
    assert points.values[0] == 1
    assert points.values[-1] < 0.8


def test_scrapes_that_come_too_often_do_not_hide_a_gap(prometheus: Prometheus) -> None:
    """As many scrapes as were wanted, and none of them in the last three fifths of the window."""
    found = ask(prometheus, "often")["error_rate"]
    assert found.indicator.missing.startswith("target down: ")
    assert found.coverage <= 0.6


def test_traffic_without_errors_is_zero_and_not_missing(prometheus: Prometheus) -> None:
    assert ask(prometheus, "flawless")["error_rate"].indicator.value == 0.0


def test_no_traffic_is_missing_and_not_zero(prometheus: Prometheus) -> None:
    found = ask(prometheus, "idle")
    assert found["error_rate"].indicator.missing == "no traffic in the window"
    assert found["response_time_p95"].indicator.missing == "no traffic in the window"
    assert found["faiss_query_time"].indicator.missing == "no search in the window"


def test_a_limit_that_is_not_there_is_no_infinite_share(prometheus: Prometheus) -> None:
    found = ask(prometheus, "unlimited")
    assert "has a CPU limit" in found["cpu_utilization"].indicator.missing
    assert "has a memory limit" in found["memory_usage"].indicator.missing
    assert "no pods" in found["pod_availability"].indicator.missing


def test_what_nobody_exports_is_named(prometheus: Prometheus) -> None:
    found = ask(prometheus, "nowhere")
    text = "no series: nothing exported bizra_requests_total"
    assert found["error_rate"].indicator.missing == text
    assert all(m.indicator.missing for m in found.values())


def test_a_target_that_goes_away_is_told_from_a_gap_of_prometheus(prometheus: Prometheus) -> None:
    assert ask(prometheus, "broken")["error_rate"].indicator.missing.startswith("target down: ")
    late = ask(prometheus, when=phase(start=LENGTH - 4))
    assert late["error_rate"].indicator.missing.startswith("scrape gap: ")


def test_a_window_shorter_than_three_scrapes_is_not_judged(prometheus: Prometheus) -> None:
    found = ask(prometheus, when=phase(length=5.0))
    assert found["error_rate"].indicator.missing == "the window of 5 s is too short for 3 scrapes"


def test_an_exporter_with_a_pace_of_its_own_is_not_taken_for_one_that_is_down(
    prometheus: Prometheus,
) -> None:
    found = ask(prometheus, "paced", phase(LATER, 120.0))
    cpu, memory = found["cpu_utilization"], found["memory_usage"]
    assert (cpu.coverage, memory.coverage) == (1.0, 1.0)
    assert cpu.indicator.value == pytest.approx(0.25, rel=0.15)
    assert memory.indicator.value == pytest.approx(0.1)
    assert cpu.slack == pytest.approx(0.25 * 14 / 120, rel=0.25)


def test_a_window_that_is_too_short_for_such_an_exporter_is_said_to_be(
    prometheus: Prometheus,
) -> None:
    missing = ask(prometheus, "paced", phase(LATER + 5, 12.0))["memory_usage"].indicator
    assert missing.missing == (
        "the window is too short for 2 samples: 1 of container_memory_working_set_bytes in 12 s, of"
        " which its exporter takes one every 15 s"
    )


def test_such_an_exporter_that_pauses_is_down(prometheus: Prometheus) -> None:
    found = ask(prometheus, "paused", phase(LATER + 1, 120.0))["cpu_utilization"]
    assert found.indicator.missing.startswith("target down: too few samples, 3 of container_cpu")
    assert found.coverage == pytest.approx(3 / 8)


def test_series_have_a_point_for_each_scrape(prometheus: Prometheus) -> None:
    when = phase()
    found = {s.name: s for s in series(prometheus, when.start, when.end, SCOPE)}
    assert found.keys() >= {sli.name for sli in SCOPE.slis}
    assert len(SCOPE.slis) == 6
    assert len(found["error_rate"].times) == SCRAPES + 1
    assert all(math.isfinite(v) for s in found.values() for v in s.values)


def test_beside_the_indicators_stand_redundancy_alerts_rules_and_the_clock(
    prometheus: Prometheus,
) -> None:
    when = phase()
    found = {s.name: s for s in series(prometheus, when.start, when.end, SCOPE)}
    assert set(found[REDUNDANCY].values) == {0.75, 1.0}
    # ALERTS as the rules make it; of a Prometheus without rules it is known that it has none.
    (alert,) = [s for s in series(prometheus, when.start, when.end, SCOPE) if s.name == ALERTS]
    assert alert.labels["alertstate"] == "firing"
    assert (found[RULES].labels, found[RULES].values) == ({}, (0.0,))
    assert abs(found[CLOCK].values[0]) < 60


def test_a_quantile_comes_with_its_histogram_and_an_interval_of_whole_buckets(
    prometheus: Prometheus,
) -> None:
    found = ask(prometheus)["faiss_query_time"]
    (sli,) = scope("shop", "bizra-api", "faiss_query_time").slis
    assert [le for le, _ in found.buckets] == [0.005, 0.01, math.inf]
    seen = evidence_of(sli, found, Clock(skew_s=0.0, limit_s=1.0))
    assert isinstance(seen, Buckets)
    assert seen.span(0.95) == (0.005, 0.01)  # 0.0095 lies between the edges
    assert seen.surely_above(0.004, 1e-4)
    assert not seen.surely_above(0.006, 1e-4)
    assert seen.needed(0.006, 0.95) is None  # no count makes buckets finer


def test_what_one_scrape_leaves_open_is_the_slack_of_a_reading(prometheus: Prometheus) -> None:
    found = ask(prometheus)
    # Two changes of one pod in four, each up to a scrape early or late.
    assert found["pod_availability"].slack == pytest.approx(2 / 4 * STEP_S / LENGTH, rel=0.51)
    cpu = found["cpu_utilization"]
    assert cpu.indicator.value is not None
    assert cpu.slack == pytest.approx(cpu.indicator.value * STEP_S / LENGTH)


def test_a_counter_that_began_anew_is_counted_across_and_told(prometheus: Prometheus) -> None:
    found = ask(prometheus, "restarted")["error_rate"]
    assert found.resets >= 1
    assert found.indicator.count == pytest.approx(50 * LENGTH, rel=0.15)


def test_other_percentiles_can_be_asked_for(prometheus: Prometheus) -> None:
    asked = scope("shop", "bizra-api", "response_time_p50", step_s=STEP_S)
    (p50,) = measure(prometheus, phase(), asked)
    assert p50.indicator.value == pytest.approx(0.025 * 0.5 / 0.9, rel=0.01)


def test_a_query_that_prometheus_refuses_says_why(prometheus: Prometheus) -> None:
    with pytest.raises(PrometheusError, match=r"refused the query: .*parse error"):
        prometheus.instant("sum(", phase().end)


@pytest.mark.parametrize("quote", ['"', "'"])
def test_a_name_stays_within_the_quotes_around_it(prometheus: Prometheus, quote: str) -> None:
    name = "a\"b'c\\d`e\nf\"} or '} or vector(7)"
    place = replace(SCOPE.place, namespace=name)
    empty, label, value = (f"{quote}{text}{quote}" for text in ("", "found", "{namespace}"))
    expr = fill(
        f"label_replace(vector(1), {label}, {value}, {empty}, {empty})",
        place,
        window_s=20,
        step_s=2,
    )
    (row,) = prometheus.instant(expr, phase().end)
    assert row.labels == {"found": name}
    # A range selector with such a name is of that namespace, which has no series.
    selector = fill(f"up{{namespace={value}}}", place, window_s=20, step_s=2)
    assert prometheus.instant(selector, phase().end) == []
