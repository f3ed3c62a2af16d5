"""Every preset gives the true figures on the text of an exporter whose traffic is known.

The texts are in expositions/; each says whether it was recorded, and of what. 100 requests of users
were made: 5 of them failed, 15 took 0.3 s, the others were fast. What stands beside them (probes,
scrapes, other workloads) must not count, but for one histogram that cannot tell them apart.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from slo.evidence.metrics import Measurement
from slo.indicators.slis import Indicators, Place
from slo.model import Comparison, Objective, Phase, PhaseKind, Source, Unit
from slo.observe.phases import Scope, measure
from slo.observe.prometheus import Prometheus
from slo.system.model import System
from slo.system.presets import presets
from tests.slo.tsdb import STEP_S, Series, serving

FOLDER = Path(__file__).parent / "expositions"
BEGIN = (int(time.time()) // 3600 - 5) * 3600.0
LENGTH = 100.0
_PLACES = ("exported_namespace", "destination_workload_namespace")
HTTP = sorted(set(presets()) - {"kubernetes"})


def stored(series: Series, name: str) -> None:
    """What Prometheus has of the exporter: counters that grew to the text's within the window."""
    times = [BEGIN + 0.5 - 10 + i * STEP_S for i in range(int((LENGTH + 14) / STEP_S))]
    # The parser would add _total to the names of counters that have none (Envoy's, say).
    text = (FOLDER / f"{name}.txt").read_text().replace(" counter\n", " untyped\n")
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = {
                k: name if k in _PLACES and v == "shop" else v for k, v in sample.labels.items()
            }
            value = sample.value

            def grown(at: float, end: float = value) -> float:
                return end * (at - BEGIN + 100) / LENGTH

            gauge = family.type == "gauge"
            series.add(
                sample.name,
                labels | {"namespace": name},
                times,
                (lambda _, v=value: v) if gauge else grown,
            )
    series.add("up", {"namespace": name}, times, lambda _: 1.0)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    series = Series()
    for name in presets():
        stored(series, name)
    with serving(series, tmp_path_factory.mktemp("presets")) as url:
        yield Prometheus(url, timeout_s=10)


def objective(name: str, unit: Unit, way: Comparison = Comparison.BELOW) -> Objective:
    source = Source("runbook.md", 1, "")
    return Objective(
        name=name, title=name, comparison=way, target=0.1, critical=0.2, unit=unit, source=source
    )


def measured(prometheus: Prometheus, name: str, *wanted: Objective) -> dict[str, Measurement]:
    target = {"namespace": name, "workload": "checkout"}
    system = System.model_validate({"name": "checkout", "target": target, "presets": [name]})
    place = Place(
        namespace=name,
        workload="checkout",
        kind="Deployment",
        pods=system.target.pods,
        selector='namespace="{namespace}"',
    )
    slis = tuple(Indicators.of_system(system).known(wanted))
    assert len(slis) == len(wanted)
    start = datetime.fromtimestamp(BEGIN, UTC)
    end = start + timedelta(seconds=LENGTH)
    phase = Phase(experiment="e", kind=PhaseKind.BASELINE, start=start, end=end)
    scope = Scope(place=place, slis=slis, scrape_interval=timedelta(seconds=STEP_S))
    return {m.sli: m for m in measure(prometheus, phase, scope)}


def test_every_preset_has_a_text() -> None:
    assert sorted(p.stem for p in FOLDER.glob("*.txt")) == presets()


@pytest.mark.parametrize("name", HTTP)
def test_errors_and_times_are_those_of_the_traffic(prometheus: Prometheus, name: str) -> None:
    found = measured(
        prometheus,
        name,
        objective("error_rate", Unit.RATIO),
        objective("response_time_p50", Unit.SECONDS),
        objective("response_time_p90", Unit.SECONDS),
    )
    errors = found["error_rate"].indicator
    assert errors.value == pytest.approx(0.05, abs=1e-4), errors.missing
    assert errors.count == pytest.approx(100, abs=2)
    middle, late = (found[f"response_time_p{q}"].indicator.value for q in (50, 90))
    assert middle is not None
    assert late is not None
    assert middle < 0.05
    assert 0.25 < late <= 0.5  # the bucket of 0.3 s


def test_containers_and_pods_are_those_of_the_workload(prometheus: Prometheus) -> None:
    found = measured(
        prometheus,
        "kubernetes",
        objective("cpu_utilization", Unit.RATIO),
        objective("memory_usage", Unit.RATIO),
        objective("pod_availability", Unit.RATIO, Comparison.ABOVE),
    )
    values = {name: m.indicator.value for name, m in found.items()}
    assert values == {
        "cpu_utilization": pytest.approx(0.5, rel=0.01),
        "memory_usage": pytest.approx(0.75),
        "pod_availability": pytest.approx(0.75),
    }
